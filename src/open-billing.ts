import type { Logger } from 'pino'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { type Billing, type BillingOptions, createBilling } from '#billing/billing.ts'
import {
  type BackendTrouble,
  type FreeRefusals,
  raiseBackendAlerts,
  raiseCreditAlerts,
  raiseFreeTierAlerts,
} from '#billing/backend-alerts.ts'
import { createStripeProvider } from '#billing/stripe.ts'
import type { PaymentProvider } from '#billing/types.ts'
import type { Backend, CatalogSource } from '#catalog/types.ts'
import { signupBonusOf } from '#config/features.ts'
import type { Settings } from '#config/types.ts'
import type { TargetHealth } from '#health/target-health.ts'
import type { PeriodClock } from '#ledger/periods.ts'
import type { RateLimits } from '#limits/rate-limits.ts'
import { createMailer, type SendMail } from '#outbound/mail.ts'
import { Outbound } from '#outbound/outbound.ts'
import { fetchCredits } from '#providers/fetch-credits.ts'
import type { Store } from '#store/store.ts'

/** Top-ups and what belongs to them, as the settings say: part of the composition root. */
export function openBilling(
  store: Store,
  pepper: string,
  current: () => Settings,
  periods: PeriodClock,
  log: Logger,
  hooks: Pick<BillingOptions, 'now' | 'onPurchase'>,
): Billing {
  const settings = current()
  const { smtpUrl, mailFrom } = settings.portal
  // Only to whom: what it says is between the gateway and them.
  const unsent: SendMail = async ({ to, subject }) => log.warn({ to, subject }, 'a mail, and no mail server (SMTP_URL)')
  return createBilling(store, {
    pepper,
    currency: settings.currency,
    signupBonusNano: signupBonusOf(settings.portal),
    provider: providerOf(settings, log),
    operatorAccountId: OPERATOR_ACCOUNT_ID,
    outbound: new Outbound({ allowPrivate: () => current().outboundAllowPrivate }),
    periods,
    alertDefaults: () => current().alerts,
    sendMail: createMailer(smtpUrl, mailFrom) ?? unsent,
    log,
    ...hooks,
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

/** Puts the budgets of the file into force before the first request, and again with every reload (R97). */
export async function followBudgets(
  { fileBudgets }: Billing,
  { budgets }: Settings,
  onReload: (listener: (settings: Settings) => void) => void,
  log: Logger,
): Promise<void> {
  onReload((next) => {
    fileBudgets
      .apply(next.budgets)
      .catch((err: unknown) => log.error({ err }, 'the budgets of the file are not in force; they are tried again'))
  })
  await fileBudgets.apply(budgets)
}

/** How often balances are looked at that fill up by themselves. */
const CHARGE_INTERVAL_MS = 30_000

/** Alerts come within a minute of the settlement they are about (R98). */
const ALERT_INTERVAL_MS = 15_000

/** How often upstreams are asked what is left of the operator's credit. */
const CREDITS_INTERVAL_MS = 60_000

/** What the operator is told of. */
export interface Watched {
  settings(): Settings
  backends(): readonly BackendTrouble[]
  /** Those that sell in advance and tell what is left. */
  prepaidBackends(): readonly Backend[]
  freeRefusals(): readonly FreeRefusals[]
}

/** What the operator's alerts look at. */
export const watchedBy = (
  settings: () => Settings,
  catalog: CatalogSource,
  health: TargetHealth,
  limits: RateLimits,
): Watched => ({
  settings,
  backends: () =>
    [...catalog.current.backends.values()].map((backend) => ({
      id: backend.id,
      openings: health.openingsOf(backend),
      ...health.describe(backend),
    })),
  prepaidBackends: () =>
    [...catalog.current.backends.values()].filter(
      ({ type, enabled, part }) => type === 'openrouter' && enabled && !part,
    ),
  freeRefusals: () => limits.freeRefusals(),
})

/** Starts what billing does beside the requests, and gives its end. */
export function billRegularly(
  billing: Billing,
  log: Logger,
  watched: Watched,
  alertIntervalMs = ALERT_INTERVAL_MS,
): () => void {
  const { autoTopups, alerts, fileBudgets } = billing
  const every = (ms: number, what: string, work: () => Promise<unknown>): NodeJS.Timeout =>
    setInterval(() => work().catch((err: unknown) => log.error({ err }, what)), ms).unref()
  const openings = new Map<string, number>()
  const timers = [
    every(alertIntervalMs, 'alerts could not be raised', async () => {
      await fileBudgets.retry()
      await alerts.evaluate()
      await raiseBackendAlerts(alerts, watched.backends(), Date.now(), openings)
      await raiseFreeTierAlerts(alerts, watched.freeRefusals(), watched.settings().alerts.freeTierRefusals)
      await alerts.deliver()
    }),
    every(CREDITS_INTERVAL_MS, 'the credit at an upstream could not be looked at', () =>
      lookAtCredits(alerts, watched, log),
    ),
  ]
  if (autoTopups) {
    timers.push(every(CHARGE_INTERVAL_MS, 'balances could not be filled up', () => autoTopups.chargeDue()))
  }
  return () => {
    for (const timer of timers) clearInterval(timer)
  }
}

/** Only where the operator names an amount. A backend that does not tell is a line of the log, and no alert. */
async function lookAtCredits(alerts: Billing['alerts'], { settings, prepaidBackends }: Watched, log: Logger) {
  const below = settings().alerts.upstreamCreditsBelowNano
  if (below === null) return
  for (const backend of prepaidBackends()) {
    try {
      const credits = await fetchCredits(backend)
      await raiseCreditAlerts(
        alerts,
        credits.map((credit) => ({ ...credit, backend: backend.id })),
        below,
      )
    } catch (thrown) {
      log.warn({ backend: backend.id, reason: (thrown as Error).message }, 'its credit is not known')
    }
  }
}
