import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRequestLog } from '#observe/request-log.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { newAccount, newKey, NOON_MS, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Harness } from './contract-books.ts'
import { createSharedCounts, SWEPT_COUNTS_MAX } from './limit-counts.ts'
import { createLimitHistory } from './limit-history.ts'

/** The past that limits over time begin with (R78, R96), and their counts where several nodes share them. */
export function limitContract(harness: Harness): void {
  sharedCountContract(harness)

  test('requests are gathered in steps, of one account, key or model, without what the gateway refused', async () => {
    await using books = await openBooks(harness)
    const log = createRequestLog(books.store)
    const add = (id: string, ts_start_ms: number, change: Partial<RequestRow> = {}): void =>
      log.append({
        ...sampleRow({ request_id: id }),
        account_id: 'a',
        key_id: 'k',
        model_id: 'm',
        charged_cost_nano: 0n,
        ts_start_ms,
        ...change,
      })
    add('req_1', NOON_MS)
    add('req_2', NOON_MS + 900)
    add('req_3', NOON_MS + 1000, { key_id: 'other', model_id: 'n', charged_cost_nano: null })
    add('req_4', NOON_MS + 2500, { status: 'upstream_error' })
    add('req_5', NOON_MS + 2600, { status: 'rejected' })
    add('req_6', NOON_MS + 2700, { account_id: 'b' })
    add('req_7', NOON_MS - 1)
    await log.flush()
    const { requests } = createLimitHistory(books.store)
    assert.deepEqual(await requests({ accountId: 'a' }, NOON_MS, 1000), [
      { count: 2, lastMs: NOON_MS + 900 },
      { count: 1, lastMs: NOON_MS + 1000 },
      { count: 1, lastMs: NOON_MS + 2500 },
    ])
    const counts = async (filter: object): Promise<number[]> =>
      (await requests({ accountId: 'a', ...filter }, NOON_MS, 86_400_000)).map(({ count }) => count)
    assert.deepEqual(await counts({ keyId: 'k' }), [3])
    assert.deepEqual(await counts({ modelId: 'n' }), [1])
    assert.deepEqual(await counts({ freeModelIds: ['m', 'n'] }), [3])
    assert.deepEqual(await counts({ freeModelIds: [] }), [])
    assert.deepEqual(await counts({ accountId: 'nobody' }), [])
  })

  test('what was bought is the sum of topups, without grants', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const { purchased } = createLimitHistory(books.store)
    assert.equal(await purchased(account.id), 0n)
    for (const type of ['topup', 'topup', 'grant', 'refund'] as const) {
      await books.accounts.credit(account.id, { amountNano: 10n ** 18n, type, actor: 'test' })
    }
    assert.equal(await purchased(account.id), 2n * 10n ** 18n)
  })

  test('limits over time of a key and the tier of an account are kept', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const rateLimits = { rpm: 5, tpm: 0, rp5h: 0, rpd: 7, rp7d: 0, concurrency: 0 }
    const key = await newKey(books, account, { rateLimits })
    assert.deepEqual((await books.keys.get(key.hash))!.rateLimits, rateLimits)
    assert.deepEqual((await books.keys.update(key.hash, { name: 'renamed' })).rateLimits, rateLimits)
    const none = { rpm: 0, tpm: 0, rp5h: 0, rpd: 0, rp7d: 0, concurrency: 0 }
    assert.equal((await books.keys.update(key.hash, { rateLimits: none })).rateLimits, null)
    assert.equal((await books.accounts.setTier(account.id, 'gold')).tier, 'gold')
    await assert.rejects(books.accounts.setTier('acc_nobody', 'gold'), { code: 'not_found' })
  })
}

function sharedCountContract(harness: Harness): void {
  test('shared counts are written when nobody changed one of them meanwhile, all or none', async () => {
    await using books = await openBooks(harness)
    const counts = createSharedCounts(books.store)
    const write = (id: string, version: number, state: string | null, expiresMs = NOON_MS + 1000) => ({
      id,
      version,
      next: Math.max(version + 1, 100),
      state,
      expiresMs,
    })
    assert.equal(await counts.swap([write('b', 0, 'b1'), write('a', 0, 'a1')]), null)
    assert.deepEqual(await counts.swap([write('a', 100, 'a2'), write('b', 99, 'b2')]), [
      { id: 'a', version: 100, state: 'a1' },
      { id: 'b', version: 100, state: 'b1' },
    ])
    assert.equal(await counts.swap([write('a', 100, 'a2'), write('b', 100, null)]), null)
    assert.deepEqual(await counts.swap([write('c', 7, 'c1'), write('a', 0, 'a3')]), [
      { id: 'a', version: 101, state: 'a2' },
      { id: 'c', version: 0, state: '' },
    ])
    const both = await Promise.all([1, 2].map((at) => counts.swap([write('d', 0, `d${at}`)])))
    assert.equal(both.filter((current) => current === null).length, 1)
  })

  test('expired counts are forgotten, some at a time', async () => {
    await using books = await openBooks(harness)
    const counts = createSharedCounts(books.store)
    const ids = Array.from({ length: SWEPT_COUNTS_MAX + 1 }, (_, at) => `old ${at}`)
    const made = (id: string, expiresMs: number) => ({ id, version: 0, next: 1, state: 'x', expiresMs })
    await counts.swap([...ids.map((id) => made(id, NOON_MS)), made('living', NOON_MS + 1)])
    const left = async (): Promise<number> =>
      (await books.store.read.selectFrom('limit_counts').select('id').execute()).length
    await counts.sweep(NOON_MS)
    assert.equal(await left(), 2)
    await counts.sweep(NOON_MS)
    await counts.sweep(NOON_MS)
    assert.equal(await left(), 1)
  })
}
