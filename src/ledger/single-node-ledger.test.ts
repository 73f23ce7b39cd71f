import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { ask, booksOver, newAccount, newKey, NOON_MS, ONE_CENT, sampleRow } from '#store/contract-books.ts'
import { openStore } from '#store/store.ts'
import { createSingleNodeLedger } from './single-node-ledger.ts'
import type { SettleResult } from './types.ts'

const root = mkdtempSync(path.join(tmpdir(), 'trivium-ledger-'))
after(() => rmSync(root, { recursive: true, force: true }))
let made = 0

async function open(warmMax?: number) {
  const file = path.join(root, `${++made}`, 'trivium.db')
  const store = await openStore({ kind: 'sqlite', file })
  const books = booksOver(store, NOON_MS, (over, options) =>
    createSingleNodeLedger(over, warmMax === undefined ? options : { ...options, warmMax }),
  )
  return { ...books, file, [Symbol.asyncDispose]: () => store.close() }
}

type Books = Awaited<ReturnType<typeof open>>

const hold = (books: Books, requestId: string, accountId: string, wantNano: bigint, keyId: string | null = null) =>
  books.ledger.reserve({ requestId, accountId, keyId, wantNano, floorNano: wantNano })

const settle = (
  { ledger }: Books,
  requestId: string,
  account_id: string,
  costNano: bigint,
  key_id: string | null = null,
): Promise<SettleResult> =>
  ledger.settle({ requestId, costNano, row: sampleRow({ request_id: requestId, account_id, key_id }) })

const verified = async (books: Books): Promise<void> => assert.deepEqual((await books.ledger.verify()).problems, [])

test('a warm reserve answers in the same turn, and its errors are thrown in it', async () => {
  await using books = await open()
  const account = await newAccount(books, 100n)
  const key = await newKey(books, account, { limitNano: 50n })
  const cold = hold(books, 'req_1', account.id, 10n, key.id)
  assert.ok(cold instanceof Promise)
  assert.deepEqual(await cold, { granted: true, amountNano: 10n })
  assert.deepEqual(hold(books, 'req_2', account.id, 10n, key.id), { granted: true, amountNano: 10n })
  assert.throws(() => hold(books, 'req_2', account.id, 10n, key.id), { code: 'state_conflict' })
  assert.deepEqual(hold(books, 'req_3', account.id, 40n, key.id), {
    granted: false,
    refusal: 'key_limit_exceeded',
    availableNano: 30n,
  })
  await assert.rejects(async () => hold(books, 'req_4', 'acc_nobody', 1n), { code: 'not_found' })
  const stranger = await newAccount(books, 100n)
  const foreign = await hold(books, 'req_5', stranger.id, 1n, key.id)
  assert.equal(!foreign.granted && foreign.refusal, 'key_disabled')
  const unknown = await hold(books, 'req_6', stranger.id, 1n, 'key_nobody')
  assert.equal(!unknown.granted && unknown.refusal, 'key_disabled')
})

test('50 warm holds of half the balance in one turn: exactly 2 are granted', async () => {
  await using books = await open()
  const account = await newAccount(books, ONE_CENT)
  await hold(books, 'req_warm', account.id, 0n)
  const results = Array.from({ length: 50 }, (_, at) => hold(books, `req_${at}`, account.id, ONE_CENT / 2n))
  assert.equal(results.filter((result) => !(result instanceof Promise) && result.granted).length, 2)
})

test('a read of the funds counts the settlements queued before it once, and those behind it once', async () => {
  await using books = await open()
  const account = await newAccount(books, 1000n)
  const key = await newKey(books, account, { limitNano: 900n })
  for (const at of [1, 2, 3, 4]) await hold(books, `req_${at}`, account.id, 100n, key.id)
  const settles = [settle(books, 'req_1', account.id, 10n, key.id)]
  const credit = books.accounts.credit(account.id, { amountNano: 500n, actor: 'test' })
  // Marked by the credit: this settlement waits for a read, while others are queued around it.
  settles.push(settle(books, 'req_2', account.id, 20n, key.id))
  const asked = hold(books, 'req_5', account.id, 1n, key.id)
  assert.ok(asked instanceof Promise)
  const change = books.keys.update(key.hash, { limitNano: 950n })
  settles.push(settle(books, 'req_3', account.id, 30n, key.id))
  const suspension = books.accounts.setStatus(account.id, 'suspended')
  settles.push(settle(books, 'req_4', account.id, 40n, key.id))
  const results = await Promise.all(settles)
  assert.deepEqual(
    results.map((result) => [result.booked, result.chargedNano]),
    [10n, 20n, 30n, 40n].map((charged) => [true, charged]),
  )
  await Promise.all([credit, asked, change, suspension])
  const refused = await hold(books, 'req_6', account.id, 1n, key.id)
  assert.equal(!refused.granted && refused.refusal, 'account_suspended')
  await books.accounts.setStatus(account.id, 'active')
  await books.ledger.void('req_5', sampleRow({ request_id: 'req_5', account_id: account.id, key_id: key.id }))
  assert.deepEqual(await hold(books, 'req_7', account.id, 850n, key.id), { granted: true, amountNano: 850n })
  assert.equal((await books.accounts.get(account.id))!.balanceNano, 1400n)
  await verified(books)
})

test('what was read before a change that was queued meanwhile is not kept', async () => {
  await using books = await open()
  const account = await newAccount(books, 100n)
  const key = await newKey(books, account, { limitNano: 100n })
  const asked = hold(books, 'req_1', account.id, 100n, key.id)
  const credit = books.accounts.credit(account.id, { amountNano: 50n, actor: 'test' })
  const change = books.keys.update(key.hash, { limitNano: 150n })
  await Promise.all([asked, credit, change])
  assert.deepEqual(await hold(books, 'req_2', account.id, 50n, key.id), { granted: true, amountNano: 50n })
  await verified(books)
})

test('a change counts from its promise on: credit, suspension, key limit, key removal', async () => {
  await using books = await open()
  const account = await newAccount(books, 10n)
  const key = await newKey(books, account)
  const admits = async (at: number, amount: bigint): Promise<boolean> => {
    const { granted } = await hold(books, `req_${at}`, account.id, amount, key.id)
    if (granted) await books.ledger.void(`req_${at}`, sampleRow({ request_id: `req_${at}`, account_id: account.id }))
    return granted
  }
  assert.deepEqual([await admits(1, 10n), await admits(2, 11n)], [true, false])
  await books.accounts.credit(account.id, { amountNano: 5n, actor: 'test' })
  assert.deepEqual([await admits(3, 15n), await admits(4, 16n)], [true, false])
  await books.keys.update(key.hash, { limitNano: 7n })
  assert.deepEqual([await admits(5, 7n), await admits(6, 8n)], [true, false])
  await books.accounts.setStatus(account.id, 'suspended')
  assert.equal(await admits(7, 1n), false)
  await books.accounts.setStatus(account.id, 'active')
  assert.equal(await admits(8, 1n), true)
  await books.keys.remove(key.hash)
  assert.equal(await admits(9, 1n), false)
  await verified(books)
})

test('a commit that fails makes the funds stale; they are right again afterwards', async () => {
  await using books = await open()
  const account = await newAccount(books, 100n)
  const other = await newAccount(books, 100n)
  for (const at of [1, 2, 3]) await hold(books, `req_${at}`, account.id, 20n)
  await hold(books, 'req_other', other.id, 20n)
  const db = new DatabaseSync(books.file)
  db.exec(`create trigger refuse_all before insert on ledger_entries when new.request_id <> 'req_other'
    begin select raise(abort, 'refused'); end`)
  const failing = [settle(books, 'req_1', account.id, 15n), settle(books, 'req_2', account.id, 15n)]
  const fine = settle(books, 'req_other', other.id, 5n)
  const outcomes = await Promise.allSettled(failing)
  assert.deepEqual(
    outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as GatewayError).code),
    ['state_conflict', 'state_conflict'],
  )
  assert.equal((await fine).booked, true)
  db.exec('drop trigger refuse_all')
  db.close()
  const asked = hold(books, 'req_4', account.id, 80n)
  assert.ok(asked instanceof Promise, 'nothing is decided on stale funds')
  assert.equal((await asked).granted, true)
  assert.equal((await settle(books, 'req_1', account.id, 15n)).chargedNano, 0n, 'all is held by others')
  assert.equal((await settle(books, 'req_3', account.id, 15n)).chargedNano, 15n)
  await verified(books)
})

test('money that changed behind the back of the book is noticed by the next settlement', async () => {
  await using books = await open()
  const account = await newAccount(books, 100n)
  await hold(books, 'req_1', account.id, 60n)
  const db = new DatabaseSync(books.file)
  db.exec('update accounts set balance_nano = 30')
  db.close()
  assert.match((await books.ledger.verify()).problems.join(), /balance 100 in the book, 30 in the database/)
  assert.deepEqual(await settle(books, 'req_1', account.id, 50n), {
    booked: true,
    chargedNano: 30n,
    absorbedNano: 20n,
  })
  const refused = await ask(books, 'req_2', { account }, 1n)
  assert.equal(!refused.granted && refused.availableNano, 0n)
})

test('the book keeps no more than its bound, but everything that is in use', async () => {
  await using books = await open(2)
  const accounts = await Promise.all([1, 2, 3, 4].map(() => newAccount(books, 100n)))
  const [first, second, third, fourth] = accounts.map(({ id }) => id) as [string, string, string, string]
  await hold(books, 'req_1', first, 60n)
  for (const [at, id] of [second, third, fourth].entries()) {
    await hold(books, `req_b${at}`, id, 1n)
    await books.ledger.void(`req_b${at}`, sampleRow({ request_id: `req_b${at}`, account_id: id }))
  }
  const warm = hold(books, 'req_2', first, 60n)
  assert.ok(!(warm instanceof Promise) && !warm.granted, 'its hold is not forgotten')
  const evicted = hold(books, 'req_3', second, 1n)
  assert.ok(evicted instanceof Promise)
  await evicted
  await verified(books)
})
