import type { Logger } from 'pino'
import { type Billing, createBilling } from '#billing/billing.ts'
import { createStripeProvider } from '#billing/stripe.ts'
import type { PaymentProvider } from '#billing/types.ts'
import { signupBonusOf } from '#config/features.ts'
import type { Settings } from '#config/types.ts'
import type { Store } from '#store/store.ts'

/** Top-ups and what belongs to them, as the settings say: part of the composition root. */
export function openBilling(
  store: Store,
  pepper: string,
  settings: Settings,
  log: Logger,
  now: (() => number) | undefined,
): Billing {
  return createBilling(store, {
    pepper,
    currency: settings.currency,
    signupBonusNano: signupBonusOf(settings.portal),
    provider: providerOf(settings, log),
    log,
    ...(now && { now }),
  })
}

/** Stripe, where both of its secrets are set; without either no route of it exists (M11). */
function providerOf({ portal }: Settings, log: Logger): PaymentProvider | null {
  const { stripeSecretKey: secretKey, stripeWebhookSecret: webhookSecret, stripeApiUrl: apiUrl } = portal
  const isGiven = (text: string | null): text is string => text !== null && text.trim() !== ''
  if (isGiven(secretKey) && isGiven(webhookSecret)) {
    return createStripeProvider({ secretKey, webhookSecret, apiUrl, productName: 'Credit' })
  }
  if (isGiven(secretKey) || isGiven(webhookSecret)) {
    log.warn({}, 'Stripe stays off: it needs both STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET')
  }
  return null
}

/** How often balances are looked at that fill up by themselves. */
const CHARGE_INTERVAL_MS = 30_000

/** Starts what billing does beside the requests, and gives its end. */
export function billRegularly(billing: Billing, log: Logger): () => void {
  const { autoTopups } = billing
  if (!autoTopups) return () => {}
  const timer = setInterval(() => {
    autoTopups.chargeDue().catch((err: unknown) => log.error({ err }, 'balances could not be filled up'))
  }, CHARGE_INTERVAL_MS)
  timer.unref()
  return () => clearInterval(timer)
}
