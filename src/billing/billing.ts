import type { NanoUsd } from '#base/money.ts'
import type { PeriodClock } from '#ledger/periods.ts'
import type { SendMail } from '#outbound/mail.ts'
import type { Outbound } from '#outbound/outbound.ts'
import type { Store } from '#store/store.ts'
import { type AccountStatements, createAccountStatements } from './account-statements.ts'
import { createAlertDelivery } from './alert-delivery.ts'
import { type Alerts, createAlerts } from './alerts.ts'
import { type AutoTopups, createAutoTopups } from './auto-topup.ts'
import type { AlertDefaults } from './alert-settings.ts'
import { type Budgets, createBudgets } from './budgets.ts'
import { createFileBudgets, type FileBudgets } from './file-budgets.ts'
import { createOrders, createPayments, type Orders, type Payments } from './payments.ts'
import type { PaymentProvider } from './types.ts'
import { createVouchers, type Vouchers } from './vouchers.ts'

/** Everything around the balance of an account that is no request. */
export interface Billing {
  readonly vouchers: Vouchers
  readonly orders: Orders
  /** Null without a payment provider: there is no way to pay but vouchers and the operator. */
  readonly payments: Payments | null
  readonly autoTopups: AutoTopups | null
  readonly budgets: Budgets
  readonly fileBudgets: FileBudgets
  readonly alerts: Alerts
  /** Raises an alert of the operator's, once per mark, while the caller goes on; that it could not be raised is logged. */
  readonly tellOperator: TellOperator
  readonly statements: AccountStatements
  /** Credits a new account with the bonus of its sign-up, once. False when there is none, or it has it. */
  grantSignupBonus(accountId: string): Promise<boolean>
}

export type TellOperator = (kind: string, mark: string, facts: Readonly<Record<string, unknown>>) => void

export interface BillingOptions {
  readonly pepper: string
  readonly currency: string
  readonly signupBonusNano: NanoUsd
  readonly provider: PaymentProvider | null
  /** Whose alert settings are the operator's. */
  readonly operatorAccountId: string
  readonly outbound: Pick<Outbound, 'post' | 'refusalOf'>
  readonly sendMail: SendMail
  readonly now?: () => number
  /** Hears whose purchases have changed, once that is durable. */
  readonly onPurchase?: (accountId: string) => void
  /** The days of budgets; default: UTC. */
  readonly periods?: PeriodClock
  /** What the configuration says of alerts at the moment. */
  readonly alertDefaults?: () => AlertDefaults
  /** Hears of what an operator should look at. */
  readonly log?: { warn(facts: object, text: string): void; error(facts: object, text: string): void }
}

const DAY_MS = 86_400_000

/** Billing over a store. */
export function createBilling(store: Store, options: BillingOptions): Billing {
  const { pepper, currency, signupBonusNano, provider, now = Date.now, periods, log, onPurchase = () => {} } = options
  const alerts = createAlerts(store, {
    pepper,
    operatorAccountId: options.operatorAccountId,
    now,
    periods,
    defaults: options.alertDefaults,
    delivery: createAlertDelivery(store, options.outbound, options.sendMail, now),
    refusalOf: (url) => options.outbound.refusalOf(url),
    onAlert: ({ id, accountId, kind }) => log?.warn({ alert: id, account: accountId, kind }, 'alert'),
  })
  const tell: TellOperator = (kind, mark, facts) => {
    const failed = (err: unknown): void => log?.error({ err }, 'an alert could not be raised')
    alerts.raiseForOperator(kind, mark, facts).catch(failed)
  }
  const onOddity = (what: string, facts: object): void => {
    log?.warn(facts, what)
    tell('payment_odd', `payment:${what}:${JSON.stringify(facts)}`, { what, ...facts })
  }
  const onFailure = (err: unknown, account: string): void => {
    log?.error({ err, account }, 'a charge failed')
    tell('charge_failed', `charge:${account}:${Math.floor(now() / DAY_MS)}`, { account })
  }
  return {
    vouchers: createVouchers(store, pepper, now, onPurchase),
    orders: createOrders(store),
    budgets: createBudgets(store, now, periods),
    fileBudgets: createFileBudgets(store, now, ({ account, scope, target }) =>
      log?.warn({ account, scope, target }, 'a budget of the file names nobody'),
    ),
    alerts,
    tellOperator: tell,
    statements: createAccountStatements(store, currency, now),
    payments: provider && createPayments(store, provider, currency, now, { onOddity, onPurchase }),
    autoTopups: provider && createAutoTopups(store, provider, currency, now, onFailure),
    async grantSignupBonus(accountId) {
      if (signupBonusNano <= 0n) return false
      const grant = { accountId, amountNano: signupBonusNano, reason: 'sign-up bonus', actor: 'gateway' }
      return store.execute('grantOnce', { ...grant, nowMs: now() })
    },
  }
}
