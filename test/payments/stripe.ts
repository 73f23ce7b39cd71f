import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A small payment provider that speaks the shapes of Stripe's API, and signs its events as Stripe does. */
export interface TestStripe {
  readonly url: string
  /** Calls so far: method and path, the form fields, the idempotency key. */
  readonly calls: readonly StripeCall[]
  /** How the next charges without a customer end. */
  charges: 'succeeded' | 'declined'
  close(): Promise<void>
}

export interface StripeCall {
  readonly route: string
  readonly fields: Readonly<Record<string, string>>
  readonly idempotencyKey: string | undefined
  readonly authorization: string | undefined
}

export async function startStripe(): Promise<TestStripe> {
  const calls: StripeCall[] = []
  const sessions = new Map<string, object>()
  const stripe = { charges: 'succeeded' as TestStripe['charges'] }
  const answer = (call: StripeCall, count: number): { status: number; body: object } => {
    const { fields, idempotencyKey = '' } = call
    if (call.route === 'POST /v1/checkout/sessions') {
      const id = `cs_test_${count}`
      const session = { id, object: 'checkout.session', url: `https://pay.example/${id}`, ...fields }
      if (!sessions.has(idempotencyKey)) sessions.set(idempotencyKey, session)
      return { status: 200, body: sessions.get(idempotencyKey)! }
    }
    if (/^GET \/v1\/customers\/[^/]+\/payment_methods/.test(call.route)) {
      return {
        status: 200,
        body: { object: 'list', data: [{ id: 'pm_1', object: 'payment_method' }], has_more: false },
      }
    }
    if (call.route === 'POST /v1/payment_intents') {
      const intent = { id: `pi_auto_${count}`, object: 'payment_intent', status: 'succeeded' }
      if (stripe.charges === 'succeeded') return { status: 200, body: intent }
      const error = { type: 'card_error', code: 'card_declined', message: 'declined', payment_intent: intent }
      return { status: 402, body: { error } }
    }
    return { status: 404, body: { error: { type: 'invalid_request_error', message: 'no such path' } } }
  }
  const server = createServer(async (request, response) => {
    const call = await readCall(request)
    calls.push(call)
    const { status, body } = answer(call, calls.length)
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': `req_${calls.length}` })
    response.end(JSON.stringify(body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return Object.assign(stripe, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  })
}

async function readCall(request: IncomingMessage): Promise<StripeCall> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const path = (request.url ?? '').split('?')[0]!
  return {
    route: `${request.method} ${path}`,
    fields: Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())),
    idempotencyKey: request.headers['idempotency-key'] as string | undefined,
    authorization: request.headers.authorization,
  }
}

/** The header `stripe-signature`: time and HMAC-SHA256 of time, point and body. */
export function signEvent(body: string, secret: string, atMs: number = Date.now()): string {
  const seconds = Math.floor(atMs / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

let events = 0

/** An event about `object`; each has an id of its own. */
export function stripeEvent(type: string, object: object, change: object = {}): string {
  const created = Math.floor(Date.now() / 1000)
  return JSON.stringify({ id: `evt_${++events}`, object: 'event', type, created, data: { object }, ...change })
}

export interface PaidSession {
  readonly sessionId: string
  readonly orderId: string | null
  readonly cents: number
  readonly payment?: string
  readonly currency?: string
  readonly change?: object
}

/** A checkout that its customer has paid. */
export const paidSession = ({ sessionId, orderId, cents, payment, currency = 'usd', change }: PaidSession): string =>
  stripeEvent('checkout.session.completed', {
    id: sessionId,
    object: 'checkout.session',
    client_reference_id: orderId,
    metadata: {},
    payment_status: 'paid',
    amount_total: cents,
    currency,
    payment_intent: payment ?? `pi_${sessionId}`,
    customer: 'cus_1',
    ...change,
  })

export const refundedCharge = (payment: string, cents: number): string =>
  stripeEvent('charge.refunded', {
    id: 'ch_1',
    object: 'charge',
    amount_refunded: cents,
    currency: 'usd',
    payment_intent: payment,
    metadata: {},
  })

export const dispute = (payment: string, cents: number, status: string, type = 'created'): string =>
  stripeEvent(`charge.dispute.${type}`, {
    id: 'dp_1',
    object: 'dispute',
    amount: cents,
    currency: 'usd',
    payment_intent: payment,
    metadata: {},
    status,
  })
