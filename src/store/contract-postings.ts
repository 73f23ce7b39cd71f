import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBilling } from '#billing/billing.ts'
import { createBudgets } from '#billing/budgets.ts'
import { openOrder } from '#billing/payments.ts'
import type { PaymentFact } from '#billing/types.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { Outbound } from '#outbound/outbound.ts'
import { ask, CONTRACT_PEPPER, newAccount, NOON_MS, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const FIVE = 5_000_000_000n

const billingOf = ({ store, clock }: Books) =>
  createBilling(store, {
    pepper: CONTRACT_PEPPER,
    currency: 'USD',
    signupBonusNano: 7n,
    provider: null,
    operatorAccountId: OPERATOR_ACCOUNT_ID,
    outbound: new Outbound({ allowPrivate: () => [] }),
    sendMail: async () => {},
    now: () => clock.nowMs,
  })

/** Books in which every kind of entry was made once. */
async function everyKind(harness: Harness) {
  const books = await openBooks(harness)
  const { store, accounts, ledger } = books
  const account = await newAccount(books, 100n)
  const billing = billingOf(books)
  await billing.grantSignupBonus(account.id)
  const wish = { amountNano: FIVE, count: 1, note: null, expiresMs: null, actor: 'master' }
  const { code, voucher } = (await billing.vouchers.create(wish))[0]!
  await billing.vouchers.redeem(code, account.id, 'key_1')
  for (const [type, amountNano] of [
    ['topup', 30n],
    ['refund', 4n],
    ['adjustment', -9n],
  ] as const)
    await accounts.credit(account.id, { amountNano, type, actor: 'test' })
  const order = (await openOrder(store, 'stripe', 'checkout', account.id, FIVE, 'USD', NOON_MS))!
  const event = { channel: 'stripe', type: 'x', orderId: order.id, accountId: account.id, nowMs: NOON_MS }
  const paid = { kind: 'paid', amountNano: FIVE, channelRef: 'cs_1', paymentRef: 'pi_1', customerRef: null } as const
  const facts: PaymentFact[] = [
    paid,
    { kind: 'refunded', totalNano: 1_000n },
    { kind: 'disputed', amountNano: 200n, status: 'open' },
  ]
  for (const [at, fact] of facts.entries())
    await store.execute('applyPayment', { ...event, eventId: `evt_${at}`, fact })
  await ask(books, 'req_1', { account }, 10n)
  const row = sampleRow({ request_id: 'req_1', account_id: account.id })
  await ledger.settle({ requestId: 'req_1', costNano: 6n, row })
  return { books, account, voucher, order }
}

/** The books as double entries (B1), and what an administrator who writes past the gateway cannot hide. */
export function postingContract(harness: Harness): void {
  balanceContract(harness)
  tamperContract(harness)
}

function balanceContract(harness: Harness): void {
  test('B1: each entry is a transfer: two postings that sum to zero, and the trial balance names every account', async () => {
    const { books, account } = await everyKind(harness)
    await using _ = books
    const { problems, trialBalance, entries } = await books.ledger.verify()
    assert.deepEqual(problems, [])
    const cash = FIVE - 1_200n
    assert.deepEqual(
      trialBalance.map(({ account: name, debitNano, creditNano }) => [name, creditNano - debitNano]),
      [
        ['adjustments', 9n],
        ['cash:manual', -30n],
        ['cash:stripe', -cash],
        ['customers', 2n * FIVE - 1_200n + 100n + 7n + 30n + 4n - 9n - 6n],
        ['promotions', -107n],
        ['refunds', -4n],
        ['revenue:usage', 6n],
        ['vouchers', -FIVE],
      ],
    )
    const postings = await books.store.read.selectFrom('ledger_postings').selectAll().execute()
    assert.equal(postings.length, 2 * entries)
    for (const [seq, pair] of Map.groupBy(postings, (one) => one.seq)) {
      assert.equal(pair.length, 2, String(seq))
      assert.equal(pair[0]!.amount_nano + pair[1]!.amount_nano, 0n)
      assert.equal(pair.filter((one) => one.account === `customer:${account.id}`).length, 1)
    }
  })
}

function tamperContract(harness: Harness): void {
  test('B1: verify names money that no voucher and no order explains', async () => {
    const { books, account, voucher, order } = await everyKind(harness)
    await using _ = books
    const problemsAfter = async (sql: string, undo: string) => {
      await harness.tamper(books.store, sql)
      const { problems } = await books.ledger.verify()
      await harness.tamper(books.store, undo)
      return problems
    }
    assert.deepEqual(
      await problemsAfter(
        `update vouchers set amount_nano = 1 where id = '${voucher.id}'`,
        `update vouchers set amount_nano = ${FIVE} where id = '${voucher.id}'`,
      ),
      [`vouchers: posted ${FIVE}, redeemed 1.`],
    )
    assert.deepEqual(
      await problemsAfter(
        `update payment_orders set refund_booked_nano = 0 where id = '${order.id}'`,
        `update payment_orders set refund_booked_nano = 1000 where id = '${order.id}'`,
      ),
      [`cash:stripe: posted ${FIVE - 1_200n}, paid ${FIVE - 200n}.`],
    )
    const { balanceNano } = (await books.accounts.get(account.id))!
    const values = `'${account.id}', 'topup', 1, ${balanceNano + 1n}, 'x', 1, 'paypal:evt_1:topup'`
    await harness.tamper(
      books.store,
      `insert into ledger_entries (account_id, type, amount_nano, balance_after_nano, actor, created_ms, payment_ref) values (${values})`,
    )
    await harness.tamper(
      books.store,
      `update accounts set balance_nano = ${balanceNano + 1n} where id = '${account.id}'`,
    )
    const { problems } = await books.ledger.verify()
    assert.ok(problems.includes('cash:paypal: no order came this way.'), problems.join('\n'))
  })

  test('B1: verify names a row that was never charged, and what a budget holds without holds', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 10n)
    const row = sampleRow({ request_id: 'req_1', account_id: account.id })
    await books.ledger.settle({ requestId: 'req_1', costNano: 5n, row })
    const wish = { target: '', period: null, hard: true, setBy: 'operator', startsMs: null } as const
    const budgets = createBudgets(books.store, () => books.clock.nowMs)
    const { id } = await budgets.create({ ...wish, accountId: account.id, scope: 'account', maxNano: 9n })
    assert.deepEqual((await books.ledger.verify()).problems, [])
    await harness.tamper(books.store, `update requests set request_id = 'req_2' where request_id = 'req_1'`)
    await harness.tamper(books.store, `update budgets set held_nano = 3`)
    assert.deepEqual((await books.ledger.verify()).problems, [
      `${id}: held 3, holds 0.`,
      'req_2: its row says 5, and nothing was charged.',
    ])
  })
}
