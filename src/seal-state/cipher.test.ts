import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SealCipher } from './cipher.ts'

const cipher = new SealCipher('secret')
const TEXT = 'Größe, 世界 \u0000 "EqQB=="'

test('a text is read again where it was written, and nowhere else', () => {
  const sealed = cipher.encrypt('acc_1', 'row', TEXT)
  assert.equal(cipher.decrypt('acc_1', 'row', sealed), TEXT)
  assert.equal(new SealCipher('secret').decrypt('acc_1', 'row', sealed), TEXT)
  assert.equal(cipher.decrypt('acc_2', 'row', sealed), null)
  assert.equal(cipher.decrypt('acc_1', 'row2', sealed), null)
  assert.equal(new SealCipher('another').decrypt('acc_1', 'row', sealed), null)
  assert.equal(cipher.decrypt('acc_1', 'empty', cipher.encrypt('acc_1', 'empty', '')), '')
})

test('a damaged text is none', () => {
  const bytes = Buffer.from(cipher.encrypt('acc_1', 'row', TEXT), 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    assert.equal(cipher.decrypt('acc_1', 'row', damaged.toString('base64')), null)
    assert.equal(cipher.decrypt('acc_1', 'row', bytes.subarray(0, at).toString('base64')), null)
  }
})

test('the same text never looks the same, and tells nothing of itself', () => {
  const sealed = [0, 1].map(() => cipher.encrypt('acc_1', 'row', TEXT))
  assert.notEqual(sealed[0], sealed[1])
  assert.ok(!Buffer.from(sealed[0]!, 'base64').includes('EqQB'))
})

test('ids and credentials have marks that are the same everywhere and lead nowhere', () => {
  const rowId = cipher.rowIdOf('acc_1', 'claude\ntoolu_1')
  assert.match(rowId, /^[\w-]{43}$/)
  assert.equal(new SealCipher('secret').rowIdOf('acc_1', 'claude\ntoolu_1'), rowId)
  assert.notEqual(cipher.rowIdOf('acc_2', 'claude\ntoolu_1'), rowId)
  const mark = cipher.fingerprintOf('sk-1')
  assert.match(mark, /^[0-9a-f]{16}$/)
  assert.equal(new SealCipher('secret').fingerprintOf('sk-1'), mark)
  assert.notEqual(cipher.fingerprintOf('sk-2'), mark)
  assert.notEqual(new SealCipher('another').fingerprintOf('sk-1'), mark)
})
