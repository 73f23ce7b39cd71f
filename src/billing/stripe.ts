import type { Stripe } from 'stripe'
import { GatewayError } from '#base/errors.ts'
import { fromMinorUnits, minorUnits } from './minor-units.ts'
import type { CheckoutOrder, PaymentFact, PaymentNotice, PaymentOrder, PaymentProvider } from './types.ts'

export const STRIPE_CHANNEL = 'stripe'
/** An event whose signature is older is refused: whoever recorded one cannot send it again later. */
export const SIGNATURE_AGE_SECONDS_MAX = 300
const CALL_MS_MAX = 15_000
const RETRIES = 1

export interface StripeOptions {
  readonly secretKey: string
  readonly webhookSecret: string
  /** Root of Stripe's API; null: Stripe itself. */
  readonly apiUrl: string | null
  readonly productName: string
}

/** Stripe Checkout (R95). Throws TypeError for an empty secret: without it anybody could sign. The library is loaded at first use. */
export function createStripeProvider(options: StripeOptions): PaymentProvider {
  if (options.secretKey.trim() === '' || options.webhookSecret.trim() === '') {
    throw new TypeError('Stripe needs its secret key and the secret of its webhook.')
  }
  let loading: Promise<Stripe> | undefined
  const client = (): Promise<Stripe> => (loading ??= load(options))
  return {
    channel: STRIPE_CHANNEL,
    async openCheckout(order) {
      const stripe = await client()
      const session = await asking(() =>
        stripe.checkout.sessions.create(checkoutOf(order, options.productName), { idempotencyKey: order.id }),
      )
      if (!session.url) throw refused('it gave no page')
      return { ref: session.id, url: session.url }
    },
    async charge(order, customerRef) {
      const stripe = await client()
      const methods = await asking(() => stripe.customers.listPaymentMethods(customerRef, { limit: 1 }))
      const method = methods.data[0]
      if (!method) throw refused('the customer has no means of payment')
      try {
        const intent = await stripe.paymentIntents.create(chargeOf(order, customerRef, method.id), {
          idempotencyKey: order.id,
        })
        return { ref: intent.id, failed: intent.status === 'requires_payment_method' || intent.status === 'canceled' }
      } catch (thrown) {
        const { type, payment_intent: intent } = thrown as { type?: string; payment_intent?: { id?: string } }
        // The bank said no: that is an answer, not a failure of the call.
        if (type === 'StripeCardError') return { ref: intent?.id ?? order.id, failed: true }
        throw unreachable(thrown)
      }
    },
    async read(text, signature, nowMs) {
      const stripe = await client()
      return noticeOf(verified(stripe, text, signature, options.webhookSecret, nowMs))
    },
  }
}

async function load({ secretKey, apiUrl }: StripeOptions): Promise<Stripe> {
  const { Stripe: Client } = await import('stripe')
  const own = apiUrl === null ? null : new URL(apiUrl)
  return new Client(secretKey, {
    maxNetworkRetries: RETRIES,
    timeout: CALL_MS_MAX,
    telemetry: false,
    ...(own && {
      host: own.hostname,
      protocol: own.protocol === 'http:' ? ('http' as const) : ('https' as const),
      ...(own.port === '' ? {} : { port: own.port }),
    }),
  })
}

function verified(
  stripe: Stripe,
  text: string,
  signature: string | undefined,
  secret: string,
  nowMs: number,
): Stripe.Event {
  try {
    return stripe.webhooks.constructEvent(text, signature ?? '', secret, SIGNATURE_AGE_SECONDS_MAX, undefined, nowMs)
  } catch (cause) {
    throw new GatewayError('invalid_signature', 'The signature of this event is missing, wrong or too old.', { cause })
  }
}

function checkoutOf(order: CheckoutOrder, productName: string): Stripe.Checkout.SessionCreateParams {
  const { id, accountId, currency, email, returnUrl } = order
  const metadata = { order_id: id, account_id: accountId }
  return {
    mode: 'payment',
    client_reference_id: id,
    customer_email: email,
    customer_creation: 'always',
    success_url: `${returnUrl}?order=${id}`,
    cancel_url: returnUrl,
    line_items: [
      {
        quantity: 1,
        price_data: {
          currency: currency.toLowerCase(),
          unit_amount: unitsOf(order),
          product_data: { name: productName },
        },
      },
    ],
    metadata,
    payment_intent_data: {
      metadata,
      ...(order.keepsPaymentMethod ? { setup_future_usage: 'off_session' as const } : {}),
    },
  }
}

function chargeOf(order: PaymentOrder, customer: string, method: string): Stripe.PaymentIntentCreateParams {
  return {
    amount: unitsOf(order),
    currency: order.currency.toLowerCase(),
    customer,
    payment_method: method,
    off_session: true,
    confirm: true,
    metadata: { order_id: order.id, account_id: order.accountId, kind: order.kind },
  }
}

function unitsOf({ askedNano, currency }: PaymentOrder): number {
  const units = minorUnits(askedNano, currency)
  if (units !== undefined) return units
  throw new GatewayError('invalid_parameter', `An amount in ${currency} has no such fraction.`, { param: 'amount' })
}

async function asking<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    throw unreachable(thrown)
  }
}

/** Stripe's own text may name the operator's account: it is for the log. */
const unreachable = (cause: unknown): GatewayError =>
  new GatewayError('payment_failed', 'The payment provider did not accept this. Try again later.', {
    cause,
    internal: cause instanceof Error ? cause.message : String(cause),
  })

const refused = (why: string): GatewayError =>
  new GatewayError('payment_failed', `The payment provider did not accept this: ${why}.`)

/** What an event means for an order; null for the many that mean nothing. */
function noticeOf(event: Stripe.Event): PaymentNotice | null {
  switch (event.type) {
    case 'checkout.session.completed':
    case 'checkout.session.async_payment_succeeded':
      return event.data.object.payment_status === 'paid' ? paidSession(event, event.data.object) : null
    case 'checkout.session.async_payment_failed':
      return endedSession(event, event.data.object, 'failed')
    case 'checkout.session.expired':
      return endedSession(event, event.data.object, 'expired')
    case 'payment_intent.succeeded':
      return paidIntent(event, event.data.object)
    case 'charge.refunded': {
      const { amount_refunded: total, currency, payment_intent: payment, metadata } = event.data.object
      const totalNano = amountOf(total, currency)
      return notice(event, metadata, idOf(payment), currency, { kind: 'refunded', totalNano })
    }
    case 'charge.dispute.created':
    case 'charge.dispute.closed': {
      const { amount, currency, payment_intent: payment, metadata, status } = event.data.object
      const fact = { kind: 'disputed', amountNano: amountOf(amount, currency), status: disputeStatus(status) } as const
      return notice(event, metadata, idOf(payment), currency, fact)
    }
    default:
      return null
  }
}

const disputeStatus = (status: string): 'open' | 'won' | 'lost' =>
  status === 'won' || status === 'warning_closed' || status === 'prevented'
    ? 'won'
    : status === 'lost'
      ? 'lost'
      : 'open'

function paidSession(event: Stripe.Event, session: Stripe.Checkout.Session): PaymentNotice {
  const { id, amount_total: total, currency, payment_intent: payment, customer } = session
  return notice(event, sessionOrder(session), idOf(payment), currency, {
    kind: 'paid',
    amountNano: amountOf(total, currency),
    channelRef: id,
    paymentRef: idOf(payment),
    customerRef: idOf(customer),
  })
}

function endedSession(event: Stripe.Event, session: Stripe.Checkout.Session, status: 'failed' | 'expired') {
  return notice(event, sessionOrder(session), null, session.currency, { kind: 'ended', status })
}

const sessionOrder = ({ client_reference_id: order, metadata }: Stripe.Checkout.Session): Stripe.Metadata | null =>
  order === null ? metadata : { order_id: order }

/** Only charges without the customer are credited by their intent; a checkout's own is told by its session. */
function paidIntent(event: Stripe.Event, intent: Stripe.PaymentIntent): PaymentNotice | null {
  const { id, amount_received: amount, currency, customer, metadata } = intent
  if (metadata['kind'] !== 'auto') return null
  const amountNano = amountOf(amount, currency)
  const fact = { kind: 'paid', amountNano, channelRef: id, paymentRef: id, customerRef: idOf(customer) } as const
  return notice(event, metadata, id, currency, fact)
}

function notice(
  event: Stripe.Event,
  metadata: Stripe.Metadata | null,
  paymentRef: string | null,
  currency: string | null,
  fact: PaymentFact,
): PaymentNotice {
  const orderId = metadata?.['order_id'] ?? null
  return { eventId: event.id, type: event.type, orderId, paymentRef, currency: currency?.toUpperCase() ?? null, fact }
}

const idOf = (value: string | { readonly id: string } | null): string | null =>
  typeof value === 'object' ? (value?.id ?? null) : value

function amountOf(units: unknown, currency: string | null): bigint {
  const amount = fromMinorUnits(units, (currency ?? '').toUpperCase())
  if (amount !== undefined) return amount
  throw new GatewayError('invalid_request', 'The event has no amount.')
}
