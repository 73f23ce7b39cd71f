import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBilling } from '#billing/billing.ts'
import { VOUCHERS_AT_ONCE_MAX } from '#billing/vouchers.ts'
import { openOrder } from '#billing/payments.ts'
import type { PaymentFact } from '#billing/types.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { Outbound } from '#outbound/outbound.ts'
import { CONTRACT_PEPPER, newAccount, NOON_MS, openBooks } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const FIVE = 5_000_000_000n
const CODE = /^TV(-[0-9A-HJKMNP-TV-Z]{5}){4}$/

const billingOf = ({ store, clock }: Books, signupBonusNano = 0n) =>
  createBilling(store, {
    pepper: CONTRACT_PEPPER,
    currency: 'USD',
    signupBonusNano,
    provider: null,
    operatorAccountId: OPERATOR_ACCOUNT_ID,
    outbound: new Outbound({ allowPrivate: () => [] }),
    sendMail: async () => {},
    now: () => clock.nowMs,
  })

const balanceOf = async (books: Books, id: string): Promise<bigint> => (await books.accounts.get(id))!.balanceNano

const refused = (code: string) => (error: { code?: string }) => error.code === code

export function topupContract(harness: Harness): void {
  voucherContract(harness)
  paymentContract(harness)
}

function voucherContract(harness: Harness): void {
  test('R95: of 50 who redeem a voucher at the same time one is credited, once', async () => {
    await using books = await openBooks(harness)
    const { vouchers } = billingOf(books)
    const accounts = await Promise.all(Array.from({ length: 5 }, () => newAccount(books, 0n)))
    const wish = { amountNano: FIVE, count: 1, note: null, expiresMs: null, actor: 'master' }
    const { code, voucher } = (await vouchers.create(wish))[0]!
    assert.match(code, CODE)
    const tries = await Promise.allSettled(
      Array.from({ length: 50 }, (_, at) => vouchers.redeem(code, accounts[at % 5]!.id, 'key_1')),
    )
    const done = tries.filter(({ status }) => status === 'fulfilled')
    assert.equal(done.length, 1)
    for (const one of tries) if (one.status === 'rejected') assert.equal(one.reason.code, 'voucher_invalid')
    const balances = await Promise.all(accounts.map(({ id }) => balanceOf(books, id)))
    assert.deepEqual(balances.toSorted(), [0n, 0n, 0n, 0n, FIVE])
    const { data } = await books.accounts.entries({ limit: 10 })
    assert.deepEqual(
      data.map(({ type, paymentRef, actor }) => ({ type, paymentRef, actor })),
      [{ type: 'topup', paymentRef: `voucher:${voucher.id}`, actor: 'key_1' }],
    )
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('R95: a code is stored as a digest, and typed as people type it', async () => {
    await using books = await openBooks(harness)
    const { vouchers } = billingOf(books)
    const account = await newAccount(books, 0n)
    const wish = { amountNano: FIVE, count: VOUCHERS_AT_ONCE_MAX, note: 'spring', expiresMs: null, actor: 'master' }
    const made = await vouchers.create(wish)
    assert.equal(new Set(made.map(({ code }) => code)).size, VOUCHERS_AT_ONCE_MAX)
    const dump = await harness.dump(books.store)
    for (const { code } of made) {
      assert.ok(!dump.includes(code) && !dump.includes(code.replaceAll('-', '')))
    }
    const typed = made[0]!.code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')
    assert.equal((await vouchers.redeem(typed, account.id, 'x')).balanceNano, FIVE)
    await assert.rejects(vouchers.create({ ...wish, count: VOUCHERS_AT_ONCE_MAX + 1 }), refused('invalid_parameter'))
    await assert.rejects(vouchers.create({ ...wish, amountNano: 0n }), refused('invalid_parameter'))
  })

  test('R95: an expired, a revoked and an unknown code are worth nothing and told apart by nobody', async () => {
    await using books = await openBooks(harness)
    const { vouchers } = billingOf(books)
    const account = await newAccount(books, 0n)
    const wish = { amountNano: FIVE, count: 1, note: null, actor: 'master' }
    const [late] = await vouchers.create({ ...wish, expiresMs: NOON_MS + 1 })
    const [gone] = await vouchers.create({ ...wish, expiresMs: null })
    await vouchers.revoke(gone!.voucher.id)
    await assert.rejects(vouchers.revoke(gone!.voucher.id), refused('not_found'))
    books.clock.nowMs = NOON_MS + 1
    for (const code of [late!.code, gone!.code, 'TV-00000-00000-00000-00000', 'nonsense']) {
      await assert.rejects(vouchers.redeem(code, account.id, 'x'), refused('voucher_invalid'))
    }
    const { data } = await vouchers.list({ limit: 10 })
    const state = new Map(data.map(({ id, revokedMs, redeemedMs }) => [id, [revokedMs, redeemedMs]]))
    assert.deepEqual(state.get(gone!.voucher.id), [NOON_MS, null])
    assert.deepEqual(state.get(late!.voucher.id), [null, null])
    assert.equal(await balanceOf(books, account.id), 0n)
  })

  test('R95: the bonus of a sign-up is credited once, however often it is asked for', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const billing = billingOf(books, FIVE)
    const given = await Promise.all(Array.from({ length: 20 }, () => billing.grantSignupBonus(account.id)))
    assert.equal(given.filter(Boolean).length, 1)
    assert.equal(await balanceOf(books, account.id), FIVE)
    assert.equal(await billingOf(books).grantSignupBonus(account.id), false)
  })
}

function paymentContract(harness: Harness): void {
  test('M11: 100 copies of an event at once credit once; a reservation sees the credit at once', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const order = (await openOrder(books.store, 'stripe', 'checkout', account.id, FIVE, 'USD', NOON_MS))!
    const fact: PaymentFact = {
      kind: 'paid',
      amountNano: FIVE,
      channelRef: 'cs_1',
      paymentRef: 'pi_1',
      customerRef: 'cus_1',
    }
    const event = { channel: 'stripe', type: 'x', orderId: order.id, accountId: account.id, nowMs: NOON_MS }
    const ask = { accountId: account.id, keyId: null, wantNano: 1n, floorNano: 1n }
    assert.equal((await books.ledger.reserve({ requestId: 'req_1', ...ask })).granted, false)
    const taken = await Promise.all(
      Array.from({ length: 100 }, () => books.store.execute('applyPayment', { ...event, eventId: 'evt_1', fact })),
    )
    assert.equal(taken.filter(Boolean).length, 1)
    assert.equal((await books.ledger.reserve({ requestId: 'req_2', ...ask })).granted, true)
    await books.store.execute('applyPayment', { ...event, eventId: 'evt_2', fact })
    assert.equal(await balanceOf(books, account.id), FIVE)
    const other = { ...fact, channelRef: 'cs_2' }
    const foreign = { ...event, eventId: 'evt_3', fact: other }
    await assert.rejects(books.store.execute('applyPayment', foreign), refused('invalid_request'))
    const elsewhere = { ...event, channel: 'other', eventId: 'evt_4', fact }
    await assert.rejects(books.store.execute('applyPayment', elsewhere), refused('not_found'))
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('M11: a refund that comes before its payment waits for it', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const { store } = books
    const order = (await openOrder(store, 'stripe', 'checkout', account.id, FIVE, 'USD', NOON_MS))!
    const early = { channel: 'stripe', eventId: 'evt_r', type: 'r', paymentRef: 'pi_1', nowMs: NOON_MS }
    const refund: PaymentFact = { kind: 'refunded', totalNano: 2_000_000_000n }
    assert.equal(await store.execute('keepPaymentEvent', { ...early, fact: refund }), true)
    assert.equal(await store.execute('keepPaymentEvent', { ...early, fact: refund }), false)
    const fact: PaymentFact = {
      kind: 'paid',
      amountNano: FIVE,
      channelRef: 'cs_1',
      paymentRef: 'pi_1',
      customerRef: null,
    }
    const event = { channel: 'stripe', eventId: 'evt_1', type: 'p', orderId: order.id, accountId: account.id }
    await store.execute('applyPayment', { ...event, fact, nowMs: NOON_MS })
    await store.execute('adoptPaymentEvents', { orderId: order.id, accountId: account.id, nowMs: NOON_MS })
    assert.equal(await balanceOf(books, account.id), 3_000_000_000n)
    assert.equal((await books.accounts.totals(account.id)).creditedNano, 3_000_000_000n)
  })

  test('R95: an account has one charge of its own under way at a time', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const open = () => openOrder(books.store, 'stripe', 'auto', account.id, FIVE, 'USD', NOON_MS)
    const orders = (await Promise.all([open(), open(), open()])).filter((order) => order !== undefined)
    assert.equal(orders.length, 1)
    const failed = { orderId: orders[0]!.id, accountId: account.id, failuresMax: 3, nowMs: NOON_MS }
    await books.store.execute('failCharge', failed)
    assert.ok(await open())
  })
}
