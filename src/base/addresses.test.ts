import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AddressRules, parseNetwork } from './addresses.ts'

const PUBLIC = ['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '172.15.255.255', '172.32.0.0']
const PUBLIC_TOO = ['192.0.1.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '2606:4700::1111', '2a00::1']

/** The first and the last address of each closed network, and what wears another one inside. */
const CLOSED = [
  '0.0.0.0',
  '0.255.255.255',
  '10.0.0.0',
  '10.255.255.255',
  '100.64.0.0',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '168.63.129.16',
  '169.254.0.0',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.0',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.0',
  '192.168.255.255',
  '198.18.0.0',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'not an address',
  '',
]

describe('which addresses are public (R122)', () => {
  const rules = new AddressRules([])
  test('public ones are permitted', () => {
    for (const address of [...PUBLIC, ...PUBLIC_TOO]) assert.equal(rules.permits(address), true, address)
  })

  test('all others are not', () => {
    for (const address of CLOSED) assert.equal(rules.permits(address), false, address)
  })

  test('the operator opens a network, and no more than that', () => {
    const opened = new AddressRules(['127.0.0.2/32', '10.1.0.0/16', 'fd00::/8'])
    for (const address of ['127.0.0.2', '::ffff:127.0.0.2', '10.1.255.255', 'fd12::1', '1.1.1.1'])
      assert.equal(opened.permits(address), true, address)
    for (const address of ['127.0.0.1', '127.0.0.3', '10.2.0.0', 'fc00::1', '::1'])
      assert.equal(opened.permits(address), false, address)
  })
})

test('networks in CIDR notation', () => {
  assert.deepEqual(parseNetwork('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' })
  assert.deepEqual(parseNetwork('::1'), { address: '::1', prefix: 128, family: 'ipv6' })
  assert.deepEqual(parseNetwork('0.0.0.0/0'), { address: '0.0.0.0', prefix: 0, family: 'ipv4' })
  for (const text of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    'fe80::1%a/64',
    '',
  ])
    assert.equal(parseNetwork(text), null, text)
})
