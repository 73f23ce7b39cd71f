import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { startTestGateway, type TestGateway, type Told } from '#test/e2e/gateway.ts'
import {
  dispute,
  paidSession,
  refundedCharge,
  signEvent,
  startStripe,
  stripeEvent,
  type TestStripe,
} from '#test/payments/stripe.ts'

/** M11 over real sockets: the payment provider's events, honest and forged. */

const SECRET = 'whsec_test_0123456789abcdef'
const HOOK = '/api/webhooks/stripe'
const STALE_MS = 301_000

let stripe: TestStripe
let gateway: TestGateway

before(async () => {
  stripe = await startStripe()
  gateway = await startTestGateway({ env: environment() })
})

after(async () => {
  await gateway.close()
  await stripe.close()
})

const environment = () => ({
  STRIPE_SECRET_KEY: 'sk_test_key',
  STRIPE_WEBHOOK_SECRET: SECRET,
  STRIPE_API_URL: stripe.url,
})

const tell = (body: string, signature: string | null = signEvent(body, SECRET)): Promise<Told> =>
  gateway.ask(HOOK, {
    method: 'POST',
    key: null,
    headers: { 'content-type': 'application/json', ...(signature === null ? {} : { 'stripe-signature': signature }) },
    body,
  })

const checkout = async (key: string, amount = '10') => {
  const { status, json, text } = await gateway.ask('/v1/me/checkout', { method: 'POST', key, body: { amount } })
  assert.equal(status, 201, text)
  const sessionId = (json.url as string).split('/').at(-1)!
  return { orderId: json.id as string, sessionId, url: json.url as string }
}

const customer = () => gateway.fund({ credit: '0' })
const balance = async (accountId: string): Promise<string> => (await gateway.account(accountId)).balance
const entriesOf = async (accountId: string) =>
  (await gateway.ledger(accountId)).map(({ type, amount }) => `${type} ${amount}`)

test('R95: a checkout opens a page for the asked amount, and credits nothing by itself', async () => {
  const { key, accountId } = await customer()
  const { orderId, url } = await checkout(key, '12.50')
  const call = stripe.calls.at(-1)!
  assert.equal(call.authorization, 'Bearer sk_test_key')
  assert.equal(call.fields['line_items[0][price_data][unit_amount]'], '1250')
  assert.equal(call.fields['client_reference_id'], orderId)
  assert.equal(call.idempotencyKey, orderId)
  assert.match(url, /^https:\/\/pay\.example\//)
  assert.equal(await balance(accountId), '0')
  for (const amount of ['0.99', '10000.01', '1.001', '-5']) {
    const { status } = await gateway.ask('/v1/me/checkout', { method: 'POST', key, body: { amount } })
    assert.equal(status, 400, amount)
  }
})

test('R95: the same signed event three times makes one entry, and the order is the receipt', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  const event = paidSession({ ...order, cents: 1000 })
  for (let time = 0; time < 3; time++) {
    const { status, json } = await tell(event)
    assert.deepEqual([status, json.taken], [200, time === 0])
  }
  assert.deepEqual(await entriesOf(accountId), ['topup 10'])
  const { json } = await gateway.ask(`/v1/me/orders/${order.orderId}`, { key })
  assert.deepEqual([json.status, json.paid, json.refunded, json.account.id], ['paid', '10', '0', accountId])
  const stranger = await customer()
  assert.equal((await gateway.ask(`/v1/me/orders/${order.orderId}`, { key: stranger.key })).status, 404)
  assert.deepEqual((await gateway.ask('/v1/me/orders', { key: stranger.key })).json.data, [])
})

test('M11: forged, unsigned and stale events are 400 and book nothing', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  const event = paidSession({ ...order, cents: 1000 })
  for (const [what, signature] of [
    ['none', null],
    ['empty', ''],
    ['nonsense', 'v1=00'],
    ['another secret', signEvent(event, 'whsec_other')],
    ['an empty secret', signEvent(event, '')],
    ['of another body', signEvent(event.replace('1000', '9000'), SECRET)],
    ['stale', signEvent(event, SECRET, Date.now() - STALE_MS)],
  ] as const) {
    const { status, json } = await tell(event, signature)
    assert.equal(status, 400, what)
    assert.match(json.error.message, /signature/, what)
    assert.ok(!JSON.stringify(json).includes(SECRET))
  }
  assert.deepEqual(await entriesOf(accountId), [])
  assert.equal((await tell(event)).status, 200)
  assert.deepEqual(await entriesOf(accountId), ['topup 10'])
})

test('M11: 100 copies in parallel, under one event id and under many, credit once', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  const same = paidSession({ ...order, cents: 1000 })
  const events = Array.from({ length: 100 }, (_, at) => (at % 2 ? same : paidSession({ ...order, cents: 1000 })))
  const told = await Promise.all(events.map((event) => tell(event)))
  assert.deepEqual(new Set(told.map(({ status }) => status)), new Set([200]))
  assert.deepEqual(await entriesOf(accountId), ['topup 10'])
})

test('M11: the amount is that of the event; another currency and another checkout are refused', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key, '10')
  assert.equal((await tell(paidSession({ ...order, cents: 1000, currency: 'eur' }))).status, 400)
  assert.equal((await tell(paidSession({ ...order, sessionId: 'cs_foreign', cents: 1000 }))).status, 400)
  assert.equal((await tell(paidSession({ ...order, orderId: 'ord_unknown', cents: 1000 }))).status, 404)
  assert.equal((await tell(paidSession({ ...order, cents: -1000 }))).status, 400)
  assert.deepEqual(await entriesOf(accountId), [])
  assert.equal((await tell(paidSession({ ...order, cents: 700 }))).status, 200)
  assert.deepEqual(await entriesOf(accountId), ['topup 7'])
})

test('M11: an order of another channel, or of another kind, is not paid by this one', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  const db = new DatabaseSync(join(gateway.running.dataDir, 'trivium.db'), { timeout: 5_000 })
  const channel = (name: string): void => {
    db.prepare('update payment_orders set channel = ? where id = ?').run(name, order.orderId)
  }
  try {
    channel('another')
    const { status } = await tell(paidSession({ ...order, cents: 1000 }))
    assert.ok(status >= 400 && status < 500, String(status))
    assert.deepEqual(await entriesOf(accountId), [])
    channel('stripe')
  } finally {
    db.close()
  }
  // A charge without its customer's doing is for an order of its own kind.
  const intent = {
    id: `pi_${order.sessionId}`,
    amount_received: 1000,
    currency: 'usd',
    customer: 'cus_1',
    metadata: { order_id: order.orderId },
  }
  assert.deepEqual((await tell(stripeEvent('payment_intent.succeeded', intent))).json.taken, false)
  assert.deepEqual(await entriesOf(accountId), [])
  assert.equal((await tell(paidSession({ ...order, cents: 1000 }))).status, 200)
  assert.deepEqual(await entriesOf(accountId), ['topup 10'])
})

test('M11: an amount that is none is refused, and credits nobody', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  for (const amount of [1.5, -1, 2 ** 53, 1e300, '1000', null]) {
    const { status } = await tell(paidSession({ ...order, cents: 0, change: { amount_total: amount } }))
    assert.ok(status >= 400 && status < 500, `${amount}: ${status}`)
  }
  assert.deepEqual(await entriesOf(accountId), [])
})

test('M11: what is not paid, not ours or not known is taken note of and credits nobody', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  for (const event of [
    paidSession({ ...order, cents: 1000, change: { payment_status: 'unpaid' } }),
    paidSession({ ...order, orderId: 'shop-4711', cents: 1000 }),
    paidSession({ ...order, orderId: null, cents: 1000 }),
    stripeEvent('payment_intent.succeeded', {
      id: 'pi_x',
      amount_received: 1000,
      currency: 'usd',
      customer: 'cus_1',
      metadata: { order_id: order.orderId },
    }),
    stripeEvent('customer.created', { id: 'cus_1' }),
  ]) {
    const { status, json } = await tell(event)
    assert.deepEqual([status, json.taken], [200, false])
  }
  assert.deepEqual(await entriesOf(accountId), [])
})

test('M11: refunds and disputes are booked once each, in whatever order they come', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  const payment = `pi_${order.sessionId}`
  // The refund of 3 and the dispute come before the payment they belong to.
  assert.equal((await tell(refundedCharge(payment, 300))).status, 200)
  const open = dispute(payment, 500, 'needs_response')
  assert.equal((await tell(open)).status, 200)
  assert.deepEqual(await entriesOf(accountId), [])
  assert.equal((await tell(paidSession({ ...order, cents: 1000 }))).status, 200)
  assert.equal(await balance(accountId), '2')
  assert.equal((await tell(open)).json.taken, false)
  assert.equal((await tell(dispute(payment, 500, 'won', 'closed'))).status, 200)
  assert.equal(await balance(accountId), '7')
  // A late first event does not open it again; the sum of refunds only rises.
  await tell(dispute(payment, 500, 'needs_response'))
  await tell(refundedCharge(payment, 200))
  assert.equal(await balance(accountId), '7')
  await Promise.all(Array.from({ length: 20 }, () => tell(refundedCharge(payment, 1000))))
  assert.equal(await balance(accountId), '0')
  const sum = (await gateway.ledger(accountId)).reduce((total, { amount }) => total + Number(amount), 0)
  assert.equal(sum, 0)
})

test('M11: a refund of money that was spent takes the balance below zero, and every request is 402', async () => {
  const { key, accountId } = await customer()
  const order = await checkout(key)
  await tell(paidSession({ ...order, cents: 1000 }))
  await gateway.admin('POST', `/api/admin/accounts/${accountId}/credits`, { amount: '-4', type: 'adjustment' })
  await tell(refundedCharge(`pi_${order.sessionId}`, 1000))
  assert.equal(await balance(accountId), '-4')
  const body = { model: 'gpt-test', messages: [{ role: 'user', content: 'hi' }] }
  assert.equal((await gateway.ask('/v1/chat/completions', { method: 'POST', key, body })).status, 402)
})

test('M11: without its secret, or with an empty one, there is no route and no checkout', async () => {
  for (const env of [
    {},
    { STRIPE_SECRET_KEY: 'sk_test_key' },
    { STRIPE_SECRET_KEY: 'sk_test_key', STRIPE_WEBHOOK_SECRET: ' ' },
    { STRIPE_WEBHOOK_SECRET: SECRET },
  ]) {
    await using bare = await startTestGateway({ env })
    const event = paidSession({ sessionId: 'cs_1', orderId: 'ord_1', cents: 1000 })
    for (const secret of ['', ' ', SECRET]) {
      const headers = { 'stripe-signature': signEvent(event, secret) }
      const told = await bare.ask(HOOK, { method: 'POST', key: null, headers, body: event })
      assert.equal(told.status, 404)
    }
    const { status } = await bare.ask('/v1/me/checkout', { method: 'POST', body: {} })
    assert.equal(status, 404)
    const ways = await bare.ask('/v1/me/topup')
    assert.equal(ways.json.checkout, null)
    assert.ok(!ways.text.includes('stripe'))
  }
})

test('R95: coinbase is gone', async () => {
  assert.equal((await gateway.ask('/api/v1/credits/coinbase', { method: 'POST', body: {} })).status, 410)
})
