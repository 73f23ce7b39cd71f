import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '#accounts/types.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { createRollups } from '#analytics/rollups.ts'
import { ALERT_DEFAULTS, type AlertDefaults } from '#billing/alert-settings.ts'
import type { Alerts } from '#billing/alerts.ts'
import { createBilling } from '#billing/billing.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { Outbound } from '#outbound/outbound.ts'
import { ask, CONTRACT_PEPPER, newAccount, newKey, NOON_MS, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'
import { flatten } from './request-columns.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const USD = 1_000_000_000n

/** Three nodes over one store; each looks at the same time. */
function nodesOver({ store, clock }: Books, defaults: Partial<AlertDefaults>) {
  const nodes = Array.from({ length: 3 }, () =>
    createBilling(store, {
      pepper: CONTRACT_PEPPER,
      currency: 'USD',
      signupBonusNano: 0n,
      provider: null,
      operatorAccountId: OPERATOR_ACCOUNT_ID,
      outbound: new Outbound({ allowPrivate: () => [] }),
      sendMail: async () => {},
      now: () => clock.nowMs,
      alertDefaults: () => ({ ...ALERT_DEFAULTS, ...defaults }),
    }),
  )
  const rollups = createRollups(store)
  return {
    alerts: nodes[0]!.alerts,
    /** How many alerts all nodes raise together. */
    async look(): Promise<number> {
      while (!(await rollups.catchUp(5000)));
      const raised = await Promise.all(nodes.map(({ alerts }) => alerts.evaluate()))
      return raised.reduce((sum, one) => sum + one, 0)
    },
  }
}

const kindsOf = async (alerts: Alerts, owner: string | null): Promise<unknown[]> =>
  (await alerts.list(owner, { limit: 100 })).data.map(({ kind, payload }) => [
    kind,
    payload['target'] ?? payload['backend'] ?? payload['account'] ?? payload['scope'],
  ])

let rows = 0

/** A request that was answered, as its row. */
async function record({ store }: Books, count: number, change: Partial<RequestRow>): Promise<void> {
  const list = Array.from({ length: count }, () =>
    flatten(sampleRow({ request_id: `req_kind_${++rows}`, model_id: 'm', backend_id: 'b', ...change })),
  )
  await store.execute('appendRows', list)
}

async function spend(books: Books, account: Account, keyId: string, nano: bigint): Promise<void> {
  const requestId = `req_share_${++rows}`
  const key = (await books.keys.list({ limit: 100, offset: 0, includeDisabled: true })).find(({ id }) => id === keyId)!
  assert.ok((await ask(books, requestId, { account, key }, nano)).granted)
  const row = sampleRow({ request_id: requestId, account_id: account.id, key_id: keyId })
  await books.ledger.settle({ requestId, costNano: nano, row })
}

export function alertKindContract(harness: Harness): void {
  test('R98: a key that makes up most of what its account spends is told once a month, on three nodes', async () => {
    await using books = await openBooks(harness)
    const { look, alerts } = nodesOver(books, { keySharePercent: 80, keyShareMinNano: USD })
    const account = await newAccount(books, 100n * USD)
    const [one, other] = [await newKey(books, account), await newKey(books, account)]
    await spend(books, account, one.id, USD - 1n)
    assert.equal(await look(), 0, 'too little to tell of')
    await spend(books, account, other.id, 1n)
    assert.equal(await look(), 1)
    await spend(books, account, one.id, USD)
    assert.equal(await look(), 0)
    assert.deepEqual(await kindsOf(alerts, account.id), [['key_share', one.id]])
    books.clock.nowMs += 31 * DAY_MS
    assert.equal(await look(), 0, 'nothing was spent in the new month')
    await spend(books, account, other.id, 5n * USD)
    assert.equal(await look(), 1)
    await alerts.change(account.id, { keySharePercent: 0 }, false)
    await spend(books, account, one.id, 50n * USD)
    assert.equal(await look(), 0, 'the account wants none')
  })

  test('R98: an hour that costs more than n times the mean of seven days is told once a day', async () => {
    await using books = await openBooks(harness)
    const { look, alerts } = nodesOver(books, { spikeTimes: 5, spikeMinNano: USD })
    const account = await newAccount(books, 0n)
    const own = { account_id: account.id, list_cost_nano: 10n * USD }
    const at = (ms: number, usd: bigint) =>
      record(books, 1, { ...own, ts_start_ms: ms, ts_end_ms: ms, charged_cost_nano: usd * USD })
    await at(NOON_MS, 50n)
    assert.equal(await look(), 0, 'an account of today has no mean')
    const later = NOON_MS + 8 * DAY_MS
    books.clock.nowMs = later
    // 336 USD in seven days are a mean hour of two.
    for (let day = 1; day <= 7; day++) await at(later - day * DAY_MS, 48n)
    await at(later, 10n)
    assert.equal(await look(), 0, 'five times is not more than five times')
    await at(later + 60_000, 1n)
    assert.equal(await look(), 1)
    await at(later + HOUR_MS, 400n)
    books.clock.nowMs = later + HOUR_MS
    assert.equal(await look(), 0, 'once a day')
    assert.deepEqual(await kindsOf(alerts, account.id), [['spend_spike', 'account']])
    books.clock.nowMs = later + DAY_MS
    await at(later + DAY_MS, 500n)
    assert.equal(await look(), 1)
  })

  operatorContract(harness)
}

function operatorContract(harness: Harness): void {
  test('R98: a backend of which more than x % of five minutes goes wrong is told to the operator once an hour', async () => {
    await using books = await openBooks(harness)
    const { look, alerts } = nodesOver(books, { errorRatePercent: 50, errorRateAttemptsMin: 20 })
    const attempt = (backend: string, status: number, error: string | null) => ({
      status: error === null ? ('ok' as const) : ('upstream_error' as const),
      attempts: [{ backend, status, error_code: error, latency_ms: 5, retry_after: null }],
      account_id: 'acc_any',
    })
    const minute = { ts_start_ms: NOON_MS - 60_000, ts_end_ms: NOON_MS - 59_000 }
    await record(books, 10, { ...attempt('sick', 500, 'upstream_error'), ...minute })
    await record(books, 30, { ...attempt('well', 200, null), ...minute })
    assert.equal(await look(), 0, 'too few attempts')
    await record(books, 10, { ...attempt('sick', 200, null), ...minute })
    assert.equal(await look(), 0, 'a half is not more than a half')
    await record(books, 1, { ...attempt('sick', 503, 'upstream_error'), ...minute })
    assert.equal(await look(), 1)
    assert.equal(await look(), 0)
    assert.deepEqual(await kindsOf(alerts, null), [['error_rate', 'sick']])
    books.clock.nowMs += HOUR_MS
    assert.equal(await look(), 0, 'what is older than five minutes is over')
  })

  test('R94, R98: what the operator had to pay for an account is told once a day', async () => {
    await using books = await openBooks(harness)
    const { look, alerts } = nodesOver(books, {})
    const account = await newAccount(books, 0n)
    const own = { account_id: account.id, ts_start_ms: NOON_MS, ts_end_ms: NOON_MS, list_cost_nano: 5n }
    await record(books, 1, { ...own, charged_cost_nano: 5n, absorbed_cost_nano: 0n })
    assert.equal(await look(), 0)
    await record(books, 2, { ...own, charged_cost_nano: 3n, absorbed_cost_nano: 2n })
    assert.equal(await look(), 1)
    assert.equal(await look(), 0)
    assert.deepEqual(await kindsOf(alerts, null), [['cost_absorbed', account.id]])
    assert.equal(await alerts.countUnread(null), 1)
    assert.equal(await alerts.acknowledge(account.id, null), 0, 'an account does not acknowledge for the operator')
    const { id } = (await alerts.list(null, { limit: 1 })).data[0]!
    assert.equal(await alerts.acknowledge(account.id, id), null)
    assert.equal(await alerts.acknowledge(null, id), 1)
    assert.equal(await alerts.acknowledge(null, id), 0)
    assert.equal(await alerts.countUnread(null), 0)
    assert.deepEqual((await alerts.list(null, { limit: 1, unreadOnly: true })).data, [])
  })
}
