import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBudgets } from '#billing/budgets.ts'
import type { Account } from '#accounts/types.ts'
import { BUDGETS_PER_ACCOUNT_MAX } from '#ledger/budgets.ts'
import type { HoldResult } from '#ledger/types.ts'
import { hold, newAccount, newKey, NOON_MS, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const WISH = { target: '', period: null, hard: true, setBy: 'operator', startsMs: null } as const

const budgetsOver = ({ store, clock }: Books) => createBudgets(store, () => clock.nowMs)

const settle = (books: Books, requestId: string, account: Account, costNano: bigint, keyId: string | null = null) =>
  books.ledger.settle({
    requestId,
    costNano,
    row: sampleRow({ request_id: requestId, account_id: account.id, key_id: keyId }),
  })

const scopeOf = (result: HoldResult): string => (result.granted ? 'granted' : (result.budget?.scope ?? result.refusal))

export function budgetContract(harness: Harness): void {
  scopeContract(harness)
  resetContract(harness)
  changeContract(harness)
  edgeContract(harness)
}

function scopeContract(harness: Harness): void {
  test('M14: 500 holds at once do not pass a budget, and the balance is as free as before', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    await budgetsOver(books).create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 100n })
    const results = await Promise.all(Array.from({ length: 500 }, (_, at) => hold(books, `req_${at}`, account, 30n)))
    assert.equal(results.filter(({ granted }) => granted).length, 3)
    for (const result of results) {
      if (!result.granted) {
        assert.deepEqual(result, {
          granted: false,
          refusal: 'budget_exceeded',
          availableNano: 10n,
          budget: { scope: 'account', target: '', resetMs: null },
        })
      }
    }
    assert.equal((await books.accounts.get(account.id))!.heldNano, 90n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M2: what an answer costs beyond its hold never passes a hard budget', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1000n)
    const budgets = budgetsOver(books)
    await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 100n })
    await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 70n, hard: false })
    await hold(books, 'req_1', account, 50n)
    await hold(books, 'req_2', account, 20n)
    const row = sampleRow({ request_id: 'req_1', account_id: account.id })
    const settled = await books.ledger.settle({ requestId: 'req_1', costNano: 500n, row })
    assert.deepEqual(settled, { booked: true, chargedNano: 80n, absorbedNano: 420n })
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('R97: of several budgets the strictest wins, each counts what is its own, and soft ones refuse nothing', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account)
    const budgets = budgetsOver(books)
    const make = (change: object) => budgets.create({ ...WISH, accountId: account.id, ...change } as never)
    await make({ scope: 'key', target: key.id, maxNano: 50n })
    await make({ scope: 'system', target: 'crm', maxNano: 40n })
    await make({ scope: 'model', target: 'm1', maxNano: 30n })
    await make({ scope: 'group', target: 'g1', maxNano: 20n })
    await make({ scope: 'account', maxNano: 1n, hard: false })
    await make({ scope: 'account', maxNano: 5n, startsMs: NOON_MS + 1000 })
    const all = { keyId: key.id, system: 'crm', modelId: 'm1', groupId: 'g1' }
    assert.equal(scopeOf(await hold(books, 'req_1', account, 21n, all)), 'group')
    assert.equal(scopeOf(await hold(books, 'req_2', account, 31n, { ...all, groupId: 'g2' })), 'model')
    assert.equal(scopeOf(await hold(books, 'req_3', account, 41n, { keyId: key.id, system: 'crm' })), 'system')
    assert.equal(scopeOf(await hold(books, 'req_4', account, 51n, { keyId: key.id })), 'key')
    assert.equal(scopeOf(await hold(books, 'req_5', account, 1000n)), 'granted')
    assert.equal(scopeOf(await hold(books, 'req_6', account, 20n, all)), 'granted')
    await settle(books, 'req_6', account, 15n, key.id)
    await settle(books, 'req_5', account, 900n)
    const spent = (await budgets.list(account.id)).map(
      ({ scope, maxNano, spentNano }) => `${scope} ${maxNano} ${spentNano}`,
    )
    assert.deepEqual(
      new Set(spent),
      new Set(['key 50 15', 'system 40 15', 'model 30 15', 'group 20 15', 'account 1 915', 'account 5 0']),
    )
    books.clock.nowMs = NOON_MS + 1000
    assert.equal(scopeOf(await hold(books, 'req_7', account, 6n)), 'account')
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function resetContract(harness: Harness): void {
  for (const [period, lastMs, firstMs] of [
    ['daily', Date.UTC(2026, 10, 20, 23, 59, 59, 999), Date.UTC(2026, 10, 21)],
    ['weekly', Date.UTC(2026, 10, 22, 23, 59, 59, 999), Date.UTC(2026, 10, 23)],
    ['monthly', Date.UTC(2026, 10, 30, 23, 59, 59, 999), Date.UTC(2026, 11, 1)],
  ] as const) {
    test(`M14: a ${period} budget starts over at its UTC boundary, once, and stays over when a clock goes back`, async () => {
      await using books = await openBooks(harness)
      const account = await newAccount(books, ONE_CENT)
      const budgets = budgetsOver(books)
      await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 100n, period })
      await hold(books, 'req_1', account, 100n)
      await settle(books, 'req_1', account, 100n)
      books.clock.nowMs = lastMs
      const refused = await hold(books, 'req_2', account, 1n)
      assert.equal(!refused.granted && refused.budget?.resetMs, firstMs)
      books.clock.nowMs = firstMs
      assert.equal((await hold(books, 'req_3', account, 100n)).granted, true)
      await settle(books, 'req_3', account, 60n)
      assert.equal((await budgets.list(account.id))[0]!.spentNano, 60n)
      books.clock.nowMs = firstMs - 3_600_000
      assert.equal((await hold(books, 'req_4', account, 41n)).granted, false)
      assert.equal((await hold(books, 'req_5', account, 40n)).granted, true)
      assert.deepEqual((await books.ledger.verify()).problems, [])
    })
  }
}

function changeContract(harness: Harness): void {
  test('M14: raising and lowering a budget counts from the next hold on, also while requests run', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const budgets = budgetsOver(books)
    const { id } = await budgets.create({ ...WISH, accountId: account.id, scope: 'account', maxNano: 100n })
    assert.equal((await hold(books, 'req_1', account, 80n)).granted, true)
    await budgets.change(account.id, id, { maxNano: 200n }, 'operator')
    assert.equal((await hold(books, 'req_2', account, 120n)).granted, true)
    assert.equal((await hold(books, 'req_3', account, 1n)).granted, false)
    await budgets.change(account.id, id, { maxNano: 50n }, 'operator')
    await settle(books, 'req_1', account, 10n)
    await books.ledger.void('req_2', sampleRow({ request_id: 'req_2', account_id: account.id }))
    assert.equal((await hold(books, 'req_4', account, 41n)).granted, false)
    assert.equal((await hold(books, 'req_5', account, 40n)).granted, true)
    await budgets.change(account.id, id, { hard: false }, 'operator')
    assert.equal((await hold(books, 'req_6', account, 500n)).granted, true)
    await budgets.remove(account.id, id, 'operator')
    await settle(books, 'req_5', account, 40n)
    await settle(books, 'req_6', account, 1n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function edgeContract(harness: Harness): void {
  test('M14, B1: what outgrew its hold takes what key and budgets have left and no more; what they allowed is always paid', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account, { limitNano: 100n })
    const budgets = budgetsOver(books)
    const wish = { ...WISH, accountId: account.id, scope: 'account' } as const
    const { id } = await budgets.create({ ...wish, maxNano: 150n })
    const own = { keyId: key.id }
    await hold(books, 'req_1', account, 30n, own)
    await hold(books, 'req_2', account, 50n, own)
    assert.deepEqual(await settle(books, 'req_1', account, 500n, key.id), {
      booked: true,
      chargedNano: 50n,
      absorbedNano: 450n,
    })
    await hold(books, 'req_3', account, 40n)
    assert.equal((await settle(books, 'req_3', account, 500n)).chargedNano, 50n)
    await budgets.change(account.id, id, { maxNano: 10n }, 'operator')
    assert.equal((await settle(books, 'req_2', account, 70n, key.id)).chargedNano, 50n)
    assert.equal((await budgets.list(account.id))[0]!.spentNano, 150n)
    assert.equal((await books.keys.usage(key, NOON_MS)).totalNano, 100n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('R97: a budget counts at once, also at a node whose clock is behind; one that starts later waits for its time', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const budgets = budgetsOver(books)
    const wish = { ...WISH, accountId: account.id, scope: 'account', maxNano: 10n } as const
    await budgets.create({ ...wish, startsMs: NOON_MS + 60_000 })
    assert.equal((await hold(books, 'req_1', account, 100n)).granted, true)
    await books.ledger.void('req_1', sampleRow({ request_id: 'req_1', account_id: account.id }))
    const { startsMs } = await budgets.create({ ...wish, maxNano: 50n })
    assert.equal(startsMs, NOON_MS)
    books.clock.nowMs = NOON_MS - 20
    assert.equal((await hold(books, 'req_2', account, 51n)).granted, false)
    assert.equal((await hold(books, 'req_3', account, 50n)).granted, true)
  })

  test('R97: a budget of the operator is the operator’s, and an account has a bounded number of them', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const budgets = budgetsOver(books)
    const wish = { ...WISH, accountId: account.id, scope: 'account', maxNano: 1n } as const
    const { id } = await budgets.create(wish)
    const denied = (error: { code?: string }) => error.code === 'permission_denied'
    await assert.rejects(budgets.change(account.id, id, { maxNano: 2n }, 'account'), denied)
    await assert.rejects(budgets.remove(account.id, id, 'account'), denied)
    const stranger = await newAccount(books, 0n)
    await assert.rejects(
      budgets.remove(stranger.id, id, 'operator'),
      (error: { code?: string }) => error.code === 'not_found',
    )
    for (let count = 1; count < BUDGETS_PER_ACCOUNT_MAX; count++) await budgets.create(wish)
    await assert.rejects(budgets.create(wish), (error: { code?: string }) => error.code === 'state_conflict')
  })
}
