import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account, ApiKey } from '#accounts/types.ts'
import { createBudgets } from '#billing/budgets.ts'
import type { HoldResult } from '#ledger/types.ts'
import { ask, newAccount, newKey, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const extend = (books: Books, requestId: string, account: Account, key: ApiKey | null, nano: bigint) =>
  books.ledger.extend({ requestId, accountId: account.id, keyId: key?.id ?? null, wantNano: nano, floorNano: nano })

/** Holds that grow while their stream runs (M2). */
export function growthContract(harness: Harness): void {
  overrunContract(harness)
  test('M2: a hold grows as far as the account and the key reach, and is settled or voided as one', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    const key = await newKey(books, account, { limitNano: 90n })
    await ask(books, 'req_1', { account, key }, 10n)
    assert.deepEqual(await extend(books, 'req_1', account, key, 50n), { granted: true, amountNano: 50n })
    const held = async () => (await books.accounts.get(account.id))!.heldNano
    assert.equal(await held(), 60n)
    const overKey = { granted: false, refusal: 'key_limit_exceeded', availableNano: 30n }
    assert.deepEqual(await extend(books, 'req_1', account, key, 31n), overKey)
    await ask(books, 'req_2', { account }, 20n)
    const overAccount = { granted: false, refusal: 'insufficient_balance', availableNano: 20n }
    assert.deepEqual(await extend(books, 'req_2', account, null, 21n), overAccount)
    assert.equal(await held(), 80n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
    const row = sampleRow({ request_id: 'req_1', account_id: account.id, key_id: key.id })
    const settled = await books.ledger.settle({ requestId: 'req_1', costNano: 55n, row })
    assert.deepEqual(settled, { booked: true, chargedNano: 55n, absorbedNano: 0n })
    await books.ledger.void('req_2', sampleRow({ request_id: 'req_2', account_id: account.id }))
    assert.equal(await held(), 0n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M2: 50 holds that grow at once do not pass the balance', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    const names = Array.from({ length: 50 }, (_, at) => `req_${at}`)
    for (const name of names) await ask(books, name, { account }, 1n)
    const results = await Promise.all(names.map((name) => extend(books, name, account, null, 20n)))
    assert.equal(results.filter(({ granted }) => granted).length, 2)
    assert.equal((await books.accounts.get(account.id))!.heldNano, 90n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  budgetGrowthContract(harness)

  test('M2: what has no hold any more does not grow', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    assert.equal((await extend(books, 'req_none', account, null, 1n)).granted, false)
    await ask(books, 'req_1', { account }, 10n)
    await books.ledger.void('req_1', sampleRow({ request_id: 'req_1', account_id: account.id }))
    assert.equal((await extend(books, 'req_1', account, null, 1n)).granted, false)
    assert.equal((await books.accounts.get(account.id))!.heldNano, 0n)
  })

  test('B1: verify names a charge that its row does not explain', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 10n)
    const row = sampleRow({ request_id: 'req_1', account_id: account.id })
    await books.ledger.settle({ requestId: 'req_1', costNano: 5n, row })
    assert.deepEqual((await books.ledger.verify()).problems, [])
    await harness.tamper(books.store, `update requests set charged_cost_nano = 4 where request_id = 'req_1'`)
    assert.deepEqual((await books.ledger.verify()).problems, ['req_1: charged 5, and its row says 4.'])
  })

  test('B1: verify names an entry whose balance is not the sum so far', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    const values = `'${account.id}', 'grant', 1, 7, 'x', 1`
    await harness.tamper(
      books.store,
      `insert into ledger_entries (account_id, type, amount_nano, balance_after_nano, actor, created_ms) values (${values})`,
    )
    await harness.tamper(books.store, `update accounts set balance_nano = 101 where id = '${account.id}'`)
    const { problems } = await books.ledger.verify()
    assert.equal(problems.length, harness.storesHolds ? 1 : problems.length)
    assert.ok(problems.some((problem) => /from entry \d+ on the balance is not the sum/.test(problem)))
  })
}

const WISH = { target: '', period: null, hard: true, setBy: 'operator', startsMs: null } as const
const AMPLE = 1_000_000n

/** Books with one account, a hard budget of it and what is left of that, as a hold that asks for too much is told. */
async function withBudget(harness: Harness, maxNano: bigint) {
  const books = await openBooks(harness)
  const account = await newAccount(books, AMPLE)
  const budgets = createBudgets(books.store, () => books.clock.nowMs)
  const { id } = await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano })
  let probes = 0
  const left = async (): Promise<bigint> => {
    const told: HoldResult = await ask(books, `req_probe_${++probes}`, { account }, AMPLE)
    assert.ok(!told.granted && told.refusal === 'budget_exceeded')
    return told.availableNano
  }
  return { books, account, budgets, id, left }
}

function budgetGrowthContract(harness: Harness): void {
  test('M2, R97: a hold that grows past a hard budget is refused and names it; what grew is held, then spent or set free', async () => {
    const { books, account, budgets, left } = await withBudget(harness, 100n)
    await using _ = books
    await budgets.create({ ...WISH, accountId: account.id, scope: 'model', target: 'm1', maxNano: 40n })
    const one = { requestId: 'req_1', accountId: account.id, keyId: null, modelId: 'm1' }
    await books.ledger.reserve({ ...one, wantNano: 10n, floorNano: 10n })
    await ask(books, 'req_2', { account }, 10n)
    assert.equal((await extend(books, 'req_2', account, null, 25n)).granted, true)
    // The extension names no model: it counts against what its hold does.
    assert.equal((await extend(books, 'req_1', account, null, 30n)).granted, true)
    assert.equal(await left(), 25n)
    const ofModel = { scope: 'model', target: 'm1', resetMs: null }
    const overModel = { granted: false, refusal: 'budget_exceeded', availableNano: 0n, budget: ofModel }
    assert.deepEqual(await extend(books, 'req_1', account, null, 1n), overModel)
    const ofAccount = { scope: 'account', target: '', resetMs: null }
    const overAccount = { granted: false, refusal: 'budget_exceeded', availableNano: 25n, budget: ofAccount }
    assert.deepEqual(await extend(books, 'req_2', account, null, 26n), overAccount)
    assert.equal(await left(), 25n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
    const row = sampleRow({ request_id: 'req_1', account_id: account.id })
    assert.equal((await books.ledger.settle({ requestId: 'req_1', costNano: 33n, row })).chargedNano, 33n)
    assert.equal(await left(), 32n)
    await books.ledger.void('req_2', sampleRow({ request_id: 'req_2', account_id: account.id }))
    assert.equal(await left(), 67n)
    const spent = (await budgets.list(account.id)).map(({ scope, spentNano }) => [scope, spentNano])
    assert.deepEqual(
      new Map(spent as [string, bigint][]),
      new Map([
        ['account', 33n],
        ['model', 33n],
      ]),
    )
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M2, M14: 50 holds that grow at once do not pass a budget, also while it is lowered', async () => {
    const { books, account, budgets, id, left } = await withBudget(harness, 200n)
    await using _ = books
    const names = Array.from({ length: 50 }, (_, at) => `req_${at}`)
    for (const name of names) await ask(books, name, { account }, 2n)
    const results = await Promise.all(names.map((name) => extend(books, name, account, null, 20n)))
    assert.equal(results.filter(({ granted }) => granted).length, 5)
    assert.equal(await left(), 0n)
    const [lowered, ...late] = await Promise.all([
      budgets.change(account.id, id, { maxNano: 150n }, 'operator'),
      ...names.map((name) => extend(books, name, account, null, 1n)),
    ])
    assert.ok(lowered)
    assert.ok(late.every((result) => !result.granted))
    for (const name of names) await books.ledger.void(name, sampleRow({ request_id: name, account_id: account.id }))
    assert.equal(await left(), 150n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M2, R97: a budget that was made while a stream runs counts from the next request', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, AMPLE)
    await ask(books, 'req_1', { account }, 10n)
    const budgets = createBudgets(books.store, () => books.clock.nowMs)
    await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 1n })
    assert.equal((await extend(books, 'req_1', account, null, 10n)).granted, true)
    assert.equal((await ask(books, 'req_2', { account }, 2n)).granted, false)
    const row = sampleRow({ request_id: 'req_1', account_id: account.id })
    await books.ledger.settle({ requestId: 'req_1', costNano: 20n, row })
    assert.equal((await budgets.list(account.id))[0]!.spentNano, 0n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function overrunContract(harness: Harness): void {
  test('R100: a hold grows by what there is, and by nothing where nothing is left', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    const key = await newKey(books, account, { limitNano: 70n })
    await ask(books, 'req_1', { account, key }, 40n)
    const most = { requestId: 'req_1', accountId: account.id, keyId: key.id, wantNano: 500n, floorNano: 0n }
    assert.deepEqual(await books.ledger.extend(most), { granted: true, amountNano: 30n })
    assert.deepEqual(await books.ledger.extend(most), { granted: true, amountNano: 0n })
    const row = sampleRow({ request_id: 'req_1', account_id: account.id, key_id: key.id })
    const settled = await books.ledger.settle({ requestId: 'req_1', costNano: 540n, row })
    assert.deepEqual(settled, { booked: true, chargedNano: 70n, absorbedNano: 470n })
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M2: what an answer costs beyond its hold is taken only as far as its key and its budgets reach', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1000n)
    const key = await newKey(books, account, { limitNano: 90n })
    await ask(books, 'req_1', { account, key }, 50n)
    await ask(books, 'req_2', { account, key }, 10n)
    const row = (request_id: string) => sampleRow({ request_id, account_id: account.id, key_id: key.id })
    const overKey = await books.ledger.settle({ requestId: 'req_1', costNano: 500n, row: row('req_1') })
    assert.deepEqual(overKey, { booked: true, chargedNano: 80n, absorbedNano: 420n })
    // A limit that was lowered meanwhile takes nothing back of what was set aside.
    await books.keys.update(key.hash, { limitNano: 5n })
    const lowered = await books.ledger.settle({ requestId: 'req_2', costNano: 500n, row: row('req_2') })
    assert.deepEqual(lowered, { booked: true, chargedNano: 10n, absorbedNano: 490n })
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}
