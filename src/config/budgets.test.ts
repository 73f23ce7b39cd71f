import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alerts, readAlerts } from './alerts.ts'
import { budgets, FILE_BUDGETS_MAX, isTimeZone, readBudgets } from './budgets.ts'

const read = (entries: readonly object[]): { rules: unknown[]; faults: string[] } => {
  const faults: string[] = []
  return { rules: readBudgets(budgets.parse(entries), faults), faults }
}

test('R97: budgets of the file in our units', () => {
  const { rules, faults } = read([
    { max_usd: 20, period: 'monthly' },
    { account: 'Alice@Example.com', scope: 'system', target: 'crm', max_usd: '0.000000001', hard: false },
    { scope: 'key', target: 'key_1', max_usd: 0, period: 'none', starts: '2026-11-01' },
  ])
  assert.deepEqual(faults, [])
  const whole = { account: null, scope: 'account', target: '', period: null, hard: true, startsMs: 0 }
  assert.deepEqual(rules, [
    { ...whole, maxNano: 20_000_000_000n, period: 'monthly' },
    { ...whole, account: 'alice@example.com', scope: 'system', target: 'crm', maxNano: 1n, hard: false },
    { ...whole, scope: 'key', target: 'key_1', maxNano: 0n, startsMs: Date.UTC(2026, 10, 1) },
  ])
})

test('R97: what contradicts itself, is said twice or is no amount is a fault with its place', () => {
  const { faults } = read([
    { scope: 'account', target: 'x', max_usd: 1 },
    { scope: 'model', max_usd: 1 },
    { scope: 'key', target: 'k', account: 'a', max_usd: 1 },
    { max_usd: '1000000000.1' },
    { max_usd: 2 },
    { max_usd: '0.0000000001', period: 'daily' },
  ])
  assert.deepEqual(
    faults.map((line) => line.split(':')[0]),
    [
      'budgets[0].target',
      'budgets[1].target',
      'budgets[2].account',
      'budgets[3].max_usd',
      'budgets[4]',
      'budgets[5].max_usd',
    ],
  )
  for (const bad of [
    {},
    { max_usd: -1 },
    { max_usd: 1, period: 'yearly' },
    { max_usd: 1, starts: 'soon' },
    { max_usd: 1, x: 1 },
  ]) {
    assert.equal(budgets.safeParse([bad]).success, false, JSON.stringify(bad))
  }
  const many = Array.from({ length: FILE_BUDGETS_MAX }, (_, at) => ({ scope: 'model', target: `m${at}`, max_usd: 1 }))
  assert.equal(budgets.safeParse(many).success, true)
  assert.equal(budgets.safeParse([...many, { max_usd: 1 }]).success, false)
})

test('R97: a time zone is one of the IANA database', () => {
  for (const zone of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires']) assert.ok(isTimeZone(zone), zone)
  for (const zone of ['', 'Europe/Nowhere', 'Berlin', '../etc/passwd']) assert.ok(!isTimeZone(zone), zone)
})

test('R98: alert rules of the file in our units, with what holds where it says nothing', () => {
  const faults: string[] = []
  const usual = readAlerts(alerts.parse({}), faults)
  assert.deepEqual(usual.thresholds, [50, 80, 100])
  assert.deepEqual([usual.balanceBelowNano, usual.keySharePercent, usual.spikeTimes], [null, 0, 5])
  const own = readAlerts(
    alerts.parse({ thresholds: [90], key_share: { percent: 60 }, spend_spike: { times: 0 } }),
    faults,
  )
  assert.deepEqual([own.thresholds, own.keySharePercent, own.spikeTimes], [[90], 60, 0])
  assert.deepEqual(faults, [])
  readAlerts(alerts.parse({ balance_below: '0.0000000001' }), faults)
  assert.equal(faults.length, 1)
  for (const bad of [
    { thresholds: [0] },
    { thresholds: [5, 5] },
    { thresholds: [1.5] },
    { webhook_url: 'x' },
    { email: 'x' },
  ]) {
    assert.equal(alerts.safeParse(bad).success, false, JSON.stringify(bad))
  }
})
