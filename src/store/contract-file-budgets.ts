import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '#accounts/types.ts'
import { createBudgets } from '#billing/budgets.ts'
import { type BudgetRule, createFileBudgets } from '#billing/file-budgets.ts'
import { createPeriodClock } from '#ledger/periods.ts'
import { hold, newAccount, newKey, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const RULE: BudgetRule = {
  account: null,
  scope: 'account',
  target: '',
  maxNano: 100n,
  period: null,
  hard: true,
  startsMs: 0,
}

const settleHeld = ({ ledger }: Books, requestId: string, account: Account) =>
  ledger.void(requestId, sampleRow({ request_id: requestId, account_id: account.id }))

async function spend(books: Books, requestId: string, account: Account, nano: bigint, keyId: string | null = null) {
  assert.ok((await hold(books, requestId, account, nano, { keyId })).granted)
  const row = sampleRow({ request_id: requestId, account_id: account.id, key_id: keyId })
  await books.ledger.settle({ requestId, costNano: nano, row })
}

export function fileBudgetContract(harness: Harness): void {
  ruleContract(harness)
  ownerContract(harness)
  zoneContract(harness)
}

function ruleContract(harness: Harness): void {
  test('R97: a budget of the file holds for every account alone, also for one that is made later, and a reload changes it', async () => {
    await using books = await openBooks(harness)
    const { store, clock } = books
    const file = createFileBudgets(store, () => clock.nowMs)
    const again = createFileBudgets(store, () => clock.nowMs)
    const budgets = createBudgets(store, () => clock.nowMs)
    const first = await newAccount(books, ONE_CENT)
    // Its funds are known before the file names a budget.
    await spend(books, 'req_0', first, 30n)
    await Promise.all([file.apply([RULE]), again.apply([RULE])])
    const later = await newAccount(books, ONE_CENT)
    for (const account of [first, later]) {
      const [budget, ...more] = await budgets.list(account.id)
      assert.deepEqual([budget!.setBy, budget!.maxNano, more.length], ['file', 100n, 0])
      await spend(books, `${account.id}_1`, account, 60n)
      const refused = await hold(books, `${account.id}_2`, account, 41n)
      assert.equal(!refused.granted && refused.refusal, 'budget_exceeded')
    }
    await file.apply([{ ...RULE, maxNano: 200n }])
    const [raised] = await budgets.list(first.id)
    assert.deepEqual([raised!.maxNano, raised!.spentNano], [200n, 60n])
    assert.ok((await hold(books, 'req_3', first, 140n)).granted)
    assert.equal((await hold(books, 'req_4', first, 1n)).granted, false)
    await file.apply([])
    assert.deepEqual(await budgets.list(first.id), [])
    await file.apply([{ ...RULE, maxNano: 150n }])
    assert.equal((await hold(books, 'req_6', first, 11n)).granted, false, 'what is held counts on one that came back')
    await settleHeld(books, 'req_3', first)
    assert.equal((await hold(books, 'req_7', first, 151n)).granted, false)
    await file.apply([])
    assert.ok((await hold(books, 'req_5', first, 1000n)).granted)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function ownerContract(harness: Harness): void {
  test('R97: a budget of the file is for whom it names, and nobody changes it over the API', async () => {
    await using books = await openBooks(harness)
    const { store, clock } = books
    const unknown: string[] = []
    const file = createFileBudgets(
      store,
      () => clock.nowMs,
      ({ scope, target }) => void unknown.push(`${scope} ${target}`),
    )
    const budgets = createBudgets(store, () => clock.nowMs)
    const [alice, bob] = [await newAccount(books, ONE_CENT), await newAccount(books, ONE_CENT)]
    const key = await newKey(books, bob)
    await file.apply([
      { ...RULE, account: alice.email, scope: 'system', target: 'crm', maxNano: 10n },
      { ...RULE, account: 'nobody@example.org', scope: 'model', target: 'm1' },
      { ...RULE, scope: 'key', target: key.hash, maxNano: 20n, hard: false },
      { ...RULE, scope: 'key', target: 'key_unknown' },
    ])
    assert.deepEqual(unknown, ['model m1', 'key key_unknown'])
    const told = async (account: Account) =>
      (await budgets.list(account.id)).map(({ scope, target, maxNano, hard }) => [scope, target, maxNano, hard])
    assert.deepEqual(await told(alice), [['system', 'crm', 10n, true]])
    assert.deepEqual(await told(bob), [['key', key.id, 20n, false]])
    assert.equal((await hold(books, 'req_1', alice, 11n, { system: 'crm' })).granted, false)
    assert.equal((await hold(books, 'req_2', bob, 11n, { system: 'crm' })).granted, true)
    const { id } = (await budgets.list(alice.id))[0]!
    const denied = (error: { code?: string }) => error.code === 'permission_denied'
    for (const editor of ['operator', 'account'] as const) {
      await assert.rejects(budgets.change(alice.id, id, { maxNano: 99n }, editor), denied)
      await assert.rejects(budgets.remove(alice.id, id, editor), denied)
    }
    const own = { accountId: alice.id, scope: 'account', target: '', period: null, hard: true } as const
    await budgets.create({ ...own, maxNano: 5n, setBy: 'account', startsMs: null })
    await file.apply([])
    assert.deepEqual(await told(alice), [['account', '', 5n, true]])
    const nobody = await books.accounts.create({ email: 'nobody@example.org', mode: 'prepaid', actor: 'test' })
    assert.deepEqual(await told(nobody), [], 'what the file no longer says is for nobody')
  })
}

function zoneContract(harness: Harness): void {
  for (const [period, lastMs, firstMs] of [
    ['daily', Date.UTC(2026, 10, 20, 22, 59, 59, 999), Date.UTC(2026, 10, 20, 23)],
    ['weekly', Date.UTC(2026, 10, 22, 22, 59, 59, 999), Date.UTC(2026, 10, 22, 23)],
    ['monthly', Date.UTC(2026, 10, 30, 22, 59, 59, 999), Date.UTC(2026, 10, 30, 23)],
  ] as const) {
    test(`R97: with BUDGET_TZ a ${period} budget and a key's limit start over at its own midnight`, async () => {
      await using books = await openBooks(harness, 'Europe/Berlin')
      const account = await newAccount(books, ONE_CENT)
      const key = await newKey(books, account, { limitNano: 1000n, limitReset: period })
      const budgets = createBudgets(books.store, () => books.clock.nowMs, createPeriodClock('Europe/Berlin'))
      const wish = { accountId: account.id, scope: 'account', target: '', setBy: 'operator', startsMs: null } as const
      await budgets.create({ ...wish, maxNano: 100n, period, hard: true })
      await spend(books, 'req_1', account, 100n, key.id)
      books.clock.nowMs = lastMs
      const refused = await hold(books, 'req_2', account, 1n)
      assert.equal(!refused.granted && refused.budget?.resetMs, firstMs)
      assert.equal((await books.keys.usage(key, lastMs)).limitUsedNano, 100n)
      books.clock.nowMs = firstMs
      assert.equal((await books.keys.usage(key, firstMs)).limitUsedNano, 0n)
      await spend(books, 'req_3', account, 40n, key.id)
      assert.equal((await budgets.list(account.id))[0]!.spentNano, 40n)
      assert.equal((await books.keys.usage(key, firstMs)).limitUsedNano, 40n)
      assert.equal((await hold(books, 'req_4', account, 61n)).granted, false)
      assert.equal((await hold(books, 'req_5', account, 60n)).granted, true)
      assert.deepEqual((await books.ledger.verify()).problems, [])
    })
  }
}
