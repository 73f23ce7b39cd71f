import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccountStatement, CLOSE_DELAY_MS, createAccountStatements } from '#billing/account-statements.ts'
import { formatUsd, parseUsd } from '#base/money.ts'
import { newAccount, newKey, NOON_MS, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const USD = 1_000_000_000n
const DECEMBER_MS = Date.UTC(2026, 11, 1)
const MODELS = ['gpt-5', 'claude-5', null]

const statementsOver = ({ store, clock }: Books) => createAccountStatements(store, 'USD', () => clock.nowMs)

async function spend(books: Books, requestId: string, accountId: string, costNano: bigint, row: object) {
  await books.ledger.reserve({ requestId, accountId, keyId: null, wantNano: costNano, floorNano: costNano })
  const full = sampleRow({ request_id: requestId, account_id: accountId, ...row })
  await books.ledger.settle({ requestId, costNano, row: full })
}

const sum = (amounts: readonly { amount: string }[]): string =>
  formatUsd(amounts.reduce((total, { amount }) => total + parseUsd(amount)!, 0n))

export function statementContract(harness: Harness): void {
  sumContract(harness)
  closingContract(harness)
}

function sumContract(harness: Harness): void {
  test('R99: a statement is the sum of its month, whatever it is grouped by', async () => {
    await using books = await openBooks(harness)
    books.clock.nowMs = Date.UTC(2026, 9, 31, 23, 59, 59, 999)
    const account = await newAccount(books, 10n * USD)
    const key = await newKey(books, account, { system: 'crm' })
    await spend(books, 'req_oct', account.id, USD, { model_id: 'gpt-5', vendor: 'openai' })
    books.clock.nowMs = Date.UTC(2026, 10, 1)
    for (let at = 0; at < 12; at++) {
      const model = MODELS[at % 3]!
      const vendor = at % 3 === 0 ? 'openai' : at % 3 === 1 ? 'anthropic' : null
      const owner = at % 2 ? { key_id: key.id, system: 'crm' } : {}
      await spend(books, `req_${at}`, account.id, BigInt(at) * 1_000_003n, { model_id: model, vendor, ...owner })
    }
    await books.accounts.credit(account.id, { amountNano: 5n * USD, actor: 'test' })
    await books.accounts.credit(account.id, { amountNano: -USD, type: 'adjustment', actor: 'test' })
    const stranger = await newAccount(books, 3n * USD)
    assert.notEqual(stranger.id, account.id)
    books.clock.nowMs = DECEMBER_MS
    await books.accounts.credit(account.id, { amountNano: USD, actor: 'test' })
    const statement = await statementsOver(books).read(account, '2026-11')
    const usage = formatUsd(66n * 1_000_003n)
    assert.deepEqual(
      [statement.number, statement.opening_balance, statement.topups, statement.usage, statement.taxes],
      [null, '9', '5', usage, '0'],
    )
    const { data } = await books.accounts.entries({ accountId: account.id, limit: 100 })
    const november = data.filter(({ createdMs }) => createdMs >= Date.UTC(2026, 10, 1) && createdMs < DECEMBER_MS)
    const total = november.reduce((nano, { amountNano }) => nano + amountNano, 0n)
    assert.equal(statement.closing_balance, formatUsd(9n * USD + total))
    assert.equal(sum(statement.entries), formatUsd(total))
    const { usage_by_model: byModel, usage_by_vendor: byVendor, usage_by_key: byKey } = statement
    for (const grouped of [byModel, byVendor, byKey, statement.usage_by_system, statement.lines]) {
      assert.equal(sum(grouped), usage)
      assert.equal(
        grouped.reduce((count, { requests }) => count + requests, 0),
        12,
      )
    }
    assert.deepEqual(
      byModel.map(({ name, amount }) => [name, amount]),
      [
        [null, formatUsd(26n * 1_000_003n)],
        ['claude-5', formatUsd(22n * 1_000_003n)],
        ['gpt-5', formatUsd(18n * 1_000_003n)],
      ],
    )
    assert.deepEqual(new Set(byVendor.map(({ name }) => name)), new Set(['openai', 'anthropic', null]))
    assert.deepEqual(new Set(byKey.map(({ name }) => name)), new Set([key.id, null]))
  })
}

function closingContract(harness: Harness): void {
  test('R99: a month is closed once under one number, and is never computed again', async () => {
    await using books = await openBooks(harness)
    const [first, second] = [await newAccount(books, USD), await newAccount(books, 2n * USD)]
    await spend(books, 'req_1', first.id, 7n, { model_id: 'gpt-5', vendor: 'openai' })
    const statements = statementsOver(books)
    books.clock.nowMs = DECEMBER_MS + CLOSE_DELAY_MS - 1
    assert.equal((await statements.read(first, '2026-11')).number, null)
    books.clock.nowMs++
    const read = await Promise.all(Array.from({ length: 20 }, () => statements.read(first, '2026-11')))
    const closed: AccountStatement = read[0]!
    assert.equal(closed.number, 'INV-202611-1')
    for (const one of read) assert.deepEqual(one, closed)
    assert.equal((await statements.read(second, '2026-11')).number, 'INV-202611-2')
    books.clock.nowMs = NOON_MS
    await books.accounts.credit(first.id, { amountNano: USD, actor: 'test' })
    books.clock.nowMs = DECEMBER_MS + CLOSE_DELAY_MS
    assert.deepEqual(await statements.read(first, '2026-11'), closed)
    assert.deepEqual(await statements.list(first.id), [
      { month: '2026-12', number: null },
      { month: '2026-11', number: 'INV-202611-1' },
    ])
    const refused = (code: string) => (error: { code?: string }) => error.code === code
    await assert.rejects(statements.read(first, '2026-13'), refused('invalid_parameter'))
    await assert.rejects(statements.read(first, '2027-01'), refused('not_found'))
  })
}
