import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHARGE_FAILURES_MAX } from '#billing/auto-topup.ts'
import { createStripeProvider } from '#billing/stripe.ts'
import { startTestbed } from '#control-plane/testbed.ts'
import { browserAt, person } from '#test/e2e/browser.ts'
import { startTestGateway } from '#test/e2e/gateway.ts'
import { signEvent, startStripe, stripeEvent } from '#test/payments/stripe.ts'

test('R95: a voucher made by the operator is redeemed once by a key, and shows who did', async () => {
  await using gateway = await startTestGateway()
  const made = await gateway.admin('POST', '/api/admin/vouchers', { amount: '25', count: 2, note: 'launch' })
  assert.equal(made.data.length, 2)
  const { accountId, key } = await gateway.fund({ credit: '0' })
  const redeem = (code: string) => gateway.ask('/v1/me/vouchers', { method: 'POST', key, body: { code } })
  const { status, json } = await redeem(made.data[0].code)
  assert.deepEqual([status, json.amount, json.balance], [200, '25', '25'])
  assert.equal((await redeem(made.data[0].code)).status, 400)
  assert.equal((await gateway.ask('/v1/me', { key })).json.balance, '25')
  const [entry] = await gateway.ledger(accountId)
  assert.deepEqual([entry.type, entry.payment_ref], ['topup', `voucher:${made.data[0].id}`])
  await gateway.admin('DELETE', `/api/admin/vouchers/${made.data[1].id}`)
  assert.equal((await redeem(made.data[1].code)).status, 400)
  const { data } = await gateway.admin('GET', '/api/admin/vouchers')
  const redeemers = data.map((one: { redeemed_by: string | null }) => one.redeemed_by)
  assert.deepEqual(new Set(redeemers), new Set([null, accountId]))
  assert.ok(!JSON.stringify(data).includes('TV-'))
  const forbidden = await gateway.ask('/api/admin/vouchers', { method: 'POST', key, body: { amount: '5' } })
  assert.equal(forbidden.status, 403)
})

test('R95: SIGNUP_BONUS credits an account that is opened without a credit', async () => {
  await using gateway = await startTestGateway({ env: { SIGNUP_BONUS: '2.50' } })
  const open = (body: object) => gateway.admin('POST', '/api/admin/accounts', { mode: 'prepaid', ...body })
  assert.equal((await open({ email: 'a@example.com' })).balance, '2.5')
  assert.equal((await open({ email: 'b@example.com', credit: '1' })).balance, '1')
  assert.equal((await open({ email: 'c@example.com', mode: 'postpaid' })).balance, '0')
  const browser = browserAt(gateway.url)
  await browser.auth('/sign-up/email', person('ada@example.com'))
  await browser.auth('/sign-in/email', person('ada@example.com'))
  assert.equal((await browser.ask('GET', '/v1/me')).json.balance, '2.5')
  // An organisation is no person: founding many would be a way to many bonuses.
  const founded = await browser.auth('/organization/create', { name: 'Two', slug: 'two' })
  await browser.auth('/organization/set-active', { organizationId: founded.json.id })
  assert.equal((await browser.ask('GET', '/v1/me')).json.balance, '0')
})

test('R95: a low balance is filled up by itself, one charge at a time, under its monthly cap', async () => {
  const stripe = await startStripe()
  const secret = 'whsec_auto'
  const provider = createStripeProvider({
    secretKey: 'sk_test',
    webhookSecret: secret,
    apiUrl: stripe.url,
    productName: 'Credit',
  })
  const bed = await startTestbed({}, { provider })
  try {
    const account = await bed.accounts.create({ email: 'auto@example.com', mode: 'prepaid', actor: 'test' })
    const { plaintext: key } = await bed.keys.create({ name: 'm', accountId: account.id, kind: 'management' })
    const wish = { enabled: true, threshold: '5', amount: '10', month_max: '25' }
    const change = (body: object) => bed.ask('PATCH', '/api/v1/auto-topup', { key, body })
    assert.equal((await change(wish)).status, 400, 'nothing to charge yet')
    const opened = await bed.ask('POST', '/v1/me/checkout', { key, body: { amount: '1', keep_payment_method: true } })
    assert.equal(stripe.calls.at(-1)!.fields['payment_intent_data[setup_future_usage]'], 'off_session')
    const tell = async (event: string) => {
      const headers = { 'stripe-signature': signEvent(event, secret), 'content-type': 'application/json' }
      assert.equal((await bed.ask('POST', '/api/webhooks/stripe', { headers, body: event })).status, 200)
    }
    await tell(
      stripeEvent('checkout.session.completed', {
        id: opened.json.url.split('/').at(-1),
        client_reference_id: opened.json.id,
        payment_status: 'paid',
        amount_total: 100,
        currency: 'usd',
        payment_intent: 'pi_first',
        customer: 'cus_1',
        metadata: {},
      }),
    )
    assert.equal((await change(wish)).json.enabled, true)
    const { autoTopups } = bed.billing
    assert.equal(await autoTopups!.chargeDue(), 1)
    // The charge is credited by its event; until then no second one is made.
    assert.equal(await autoTopups!.chargeDue(), 0)
    assert.equal((await bed.accounts.get(account.id))!.balanceNano, 1_000_000_000n)
    const paid = async () => {
      const { data } = (await bed.ask('GET', '/v1/me/orders', { key })).json
      const order = data.find(
        (one: { kind: string; status: string }) => one.kind === 'auto' && one.status === 'pending',
      )
      const call = stripe.calls.findLast(({ route }) => route === 'POST /v1/payment_intents')!
      assert.equal(call.idempotencyKey, order.id)
      const id = `pi_auto_${stripe.calls.indexOf(call) + 1}`
      const metadata = { order_id: order.id, kind: 'auto' }
      const intent = { id, amount_received: 1000, currency: 'usd', customer: 'cus_1', metadata }
      await tell(stripeEvent('payment_intent.succeeded', intent))
    }
    await paid()
    assert.equal((await bed.accounts.get(account.id))!.balanceNano, 11_000_000_000n)
    const spend = () =>
      bed.accounts.credit(account.id, { amountNano: -10_000_000_000n, type: 'adjustment', actor: 'test' })
    assert.equal(await autoTopups!.chargeDue(), 0, 'above the threshold')
    await spend()
    assert.equal(await autoTopups!.chargeDue(), 1)
    await paid()
    await spend()
    assert.equal(await autoTopups!.chargeDue(), 0, 'a third charge would pass the cap of the month')
    stripe.charges = 'declined'
    await change({ ...wish, month_max: '1000' })
    for (let time = 0; time < CHARGE_FAILURES_MAX; time++) assert.equal(await autoTopups!.chargeDue(), 0)
    const after = await bed.ask('GET', '/v1/me/auto-topup', { key })
    assert.deepEqual([after.json.enabled, after.json.failures], [false, CHARGE_FAILURES_MAX])
  } finally {
    await bed.close()
    await stripe.close()
  }
})

test('R95: a provider without its secrets is not made at all', () => {
  for (const [secretKey, webhookSecret] of [
    ['', 'x'],
    ['x', ''],
    ['x', '  '],
  ] as const) {
    const options = { secretKey, webhookSecret, apiUrl: null, productName: 'Credit' }
    assert.throws(() => createStripeProvider(options), TypeError)
  }
})
