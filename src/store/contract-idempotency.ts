import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLAIM_GRACE_MS, createIdempotency, IDEMPOTENCY_TTL_MS } from '#ledger/idempotency.ts'
import { ask, newAccount, openBooks, sampleRow } from './contract-books.ts'
import type { Harness } from './contract-books.ts'

/** Keys that clients give their requests (M5). */
export function idempotencyContract(harness: Harness): void {
  test('M5: a key is taken once at a time, per account, and says what became of its request', async () => {
    await using books = await openBooks(harness)
    const keys = createIdempotency(books.store, () => books.clock.nowMs)
    const [one, two] = [await newAccount(books, 100n), await newAccount(books, 100n)]
    const claim = (requestId: string, account = one, bodyDigest = 'body') =>
      keys.claim({ accountId: account.id, keyDigest: 'key', bodyDigest, requestId })
    assert.deepEqual(await claim('req_1'), { kind: 'claimed' })
    assert.deepEqual(await claim('req_1'), { kind: 'claimed' })
    assert.deepEqual(await claim('req_2', one, 'other'), { kind: 'mismatch' })
    assert.deepEqual(await claim('req_3', two, 'other'), { kind: 'claimed' })
    await ask(books, 'req_1', { account: one }, 10n)
    // Only a hold in the database tells another node that the request lives.
    if (harness.storesHolds) assert.deepEqual(await claim('req_4'), { kind: 'running', requestId: 'req_1' })
    const row = sampleRow({ request_id: 'req_1', account_id: one.id })
    await books.ledger.settle({ requestId: 'req_1', costNano: 5n, row })
    assert.deepEqual(await claim('req_5'), { kind: 'answered', requestId: 'req_1' })
    books.clock.nowMs += IDEMPOTENCY_TTL_MS
    assert.deepEqual(await claim('req_6', one, 'other'), { kind: 'claimed' })
  })

  test('M5: what was never charged may run again under its key', async () => {
    await using books = await openBooks(harness)
    const keys = createIdempotency(books.store, () => books.clock.nowMs)
    const account = await newAccount(books, 100n)
    const claim = (requestId: string) =>
      keys.claim({ accountId: account.id, keyDigest: 'key', bodyDigest: 'body', requestId })
    assert.deepEqual(await claim('req_1'), { kind: 'claimed' })
    await ask(books, 'req_1', { account }, 10n)
    const failed = { status: 'upstream_error', status_code: 502 } as const
    await books.ledger.void('req_1', sampleRow({ request_id: 'req_1', account_id: account.id, ...failed }))
    assert.deepEqual(await claim('req_2'), { kind: 'claimed' })
  })

  test('M5: a request that was claimed and holds nothing yet lives at another node, until it is told to have failed', async () => {
    await using books = await openBooks(harness)
    const keys = createIdempotency(books.store, () => books.clock.nowMs)
    const account = await newAccount(books, 100n)
    const key = { accountId: account.id, keyDigest: 'key' }
    const claim = async (requestId: string) => (await keys.claim({ ...key, bodyDigest: 'body', requestId })).kind
    // The one process that owns its database knows by itself what it runs.
    const other = books.store.book === null ? 'running' : 'claimed'
    assert.deepEqual([await claim('req_1'), await claim('req_2')], ['claimed', other])
    await keys.release({ ...key, requestId: 'req_stranger' })
    assert.equal(await claim('req_3'), other)
    for (const requestId of ['req_1', 'req_2', 'req_3']) await keys.release({ ...key, requestId })
    assert.equal(await claim('req_4'), 'claimed')
    books.clock.nowMs += CLAIM_GRACE_MS
    assert.equal(await claim('req_5'), 'claimed')
  })
}
