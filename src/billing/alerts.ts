import { createHmac } from 'node:crypto'
import { GatewayError } from '#base/errors.ts'
import { id as newId } from '#base/ids.ts'
import { formatUsd, type NanoUsd } from '#base/money.ts'
import { resetOf, spentOf, startOf } from '#ledger/budgets.ts'
import { periodStarts, spentInPeriod } from '#ledger/periods.ts'
import type { PeriodStarts } from '#ledger/periods.ts'
import type { AlertSettingTable, AlertTable } from '#store/billing-schema.ts'
import { checkLimit } from '#store/reads.ts'
import type { Store } from '#store/store.ts'
import type { AlertDelivery } from './alert-delivery.ts'

/** Shares of a budget in percent, where an account names none. */
export const THRESHOLDS_DEFAULT: readonly number[] = [50, 80, 100]
export const THRESHOLDS_MAX = 10

export interface AlertSettings {
  readonly thresholds: readonly number[]
  readonly balanceBelowNano: NanoUsd | null
  readonly webhookUrl: string | null
  readonly email: string | null
}

export interface Alert {
  readonly id: string
  readonly accountId: string | null
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly createdMs: number
}

export interface Alerts {
  settings(accountId: string): Promise<AlertSettings & { readonly secret: string }>
  /** `rotatesSecret`: from now on another secret signs. Throws GatewayError('invalid_parameter'). */
  change(accountId: string, settings: AlertSettings, rotatesSecret: boolean): Promise<void>
  /** Newest first; those of an account, or of the operator (null). */
  list(
    accountId: string | null,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ data: Alert[]; nextCursor: string | null }>
  /** Raises what has become due; gives how many alerts are new. */
  evaluate(): Promise<number>
  /** Tells the operator, once per mark. */
  raiseForOperator(kind: string, mark: string, facts: Readonly<Record<string, unknown>>): Promise<boolean>
  /** Sends what waits; gives how many were sent. */
  deliver(): Promise<number>
}

export interface AlertOptions {
  readonly pepper: string
  /** Whose settings say where the operator's alerts go. */
  readonly operatorAccountId: string
  readonly now: () => number
  readonly delivery: AlertDelivery
  /** Why an address may not be asked for; null when it may. */
  readonly refusalOf: (url: string) => string | null
  readonly onAlert: (alert: Omit<Alert, 'createdMs'>) => void
}

const NO_SETTINGS: AlertSettings = {
  thresholds: THRESHOLDS_DEFAULT,
  balanceBelowNano: null,
  webhookUrl: null,
  email: null,
}

/** Alerts over a store (R98). Each has a mark that is unique in the database, so it is raised once however many nodes notice. */
export function createAlerts(store: Store, options: AlertOptions): Alerts {
  const { pepper, operatorAccountId, now, delivery, refusalOf, onAlert } = options
  const secretOf = (accountId: string, version: number): string =>
    `whsec_${createHmac('sha256', pepper).update(`webhook:${accountId}:${version}`).digest('hex')}`

  const raise = async (accountId: string | null, kind: string, mark: string, facts: object): Promise<boolean> => {
    const id = newId('alt')
    const nowMs = now()
    const payload = { id, type: kind, created_at: new Date(nowMs).toISOString(), account_id: accountId, ...facts }
    const row = await findSettings(store, accountId ?? operatorAccountId)
    const sinks = [
      { sink: 'webhook', address: row?.webhook_url },
      { sink: 'email', address: row?.email },
    ] as const
    const deliveries = sinks.flatMap(({ sink, address }) => (address ? [{ id: newId('dlv'), sink, address }] : []))
    const alert = { id, mark, accountId, kind, payload: JSON.stringify(payload), deliveries, nowMs }
    if (!(await store.execute('raiseAlert', alert))) return false
    onAlert({ id, accountId, kind, payload })
    return true
  }

  return {
    async settings(accountId) {
      const row = await findSettings(store, accountId)
      return { ...settingsOf(row), secret: secretOf(accountId, row?.secret_version ?? 0) }
    },
    async change(accountId, settings, rotatesSecret) {
      checkSettings(settings, refusalOf)
      const version = (await findSettings(store, accountId))?.secret_version ?? 0
      await store.execute('putAlertSettings', {
        account_id: accountId,
        thresholds: JSON.stringify(settings.thresholds),
        balance_below_nano: settings.balanceBelowNano,
        webhook_url: settings.webhookUrl,
        email: settings.email,
        secret_version: version + (rotatesSecret ? 1 : 0),
        updated_ms: now(),
      })
    },
    list: (accountId, page) => listAlerts(store, accountId, page),
    async evaluate() {
      const due = await dueAlerts(store, now())
      let raised = 0
      for (const { accountId, kind, mark, facts } of due) if (await raise(accountId, kind, mark, facts)) raised++
      return raised
    },
    raiseForOperator: (kind, mark, facts) => raise(null, kind, mark, facts),
    deliver: () =>
      delivery.deliverDue(async (accountId) => {
        const owner = accountId ?? operatorAccountId
        return secretOf(owner, (await findSettings(store, owner))?.secret_version ?? 0)
      }),
  }
}

interface Due {
  readonly accountId: string
  readonly kind: string
  readonly mark: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** What has become due and was not raised yet. */
async function dueAlerts(store: Store, nowMs: number): Promise<Due[]> {
  const settings = new Map(
    (await store.read.selectFrom('alert_settings').selectAll().execute()).map((row) => [row.account_id, row]),
  )
  const starts = periodStarts(nowMs)
  const due = [
    ...(await dueBudgets(store, starts, settings)),
    ...(await dueKeys(store, starts, settings)),
    ...(await dueBalances(store, settings)),
  ]
  if (due.length === 0) return due
  const marks = due.map(({ mark }) => mark)
  const known = new Set<string>()
  for (let at = 0; at < marks.length; at += MARKS_AT_ONCE) {
    const some = marks.slice(at, at + MARKS_AT_ONCE)
    const rows = await store.read.selectFrom('alerts').select('mark').where('mark', 'in', some).execute()
    for (const { mark } of rows) known.add(mark)
  }
  return due.filter(({ mark }) => !known.has(mark))
}

const MARKS_AT_ONCE = 500

type SettingsByAccount = ReadonlyMap<string, AlertSettingTable>

async function dueBudgets(store: Store, starts: PeriodStarts, settings: SettingsByAccount): Promise<Due[]> {
  const rows = await store.read.selectFrom('budgets').selectAll().where('spent_nano', '>', 0n).execute()
  return rows.flatMap((row) => {
    const { id, account_id: accountId, scope, target, period, max_nano: maxNano, raises } = row
    const funds = { period, spentNano: row.spent_nano, periodStartMs: row.period_start_ms }
    const share = { scope, target, period, maxNano, spentNano: spentOf(funds, starts), starts }
    return crossed(accountId, `budget:${id}:${raises}`, share, settingsOf(settings.get(accountId)))
  })
}

/** A key's limit is a budget of the key. */
async function dueKeys(store: Store, starts: PeriodStarts, settings: SettingsByAccount): Promise<Due[]> {
  const rows = await store.read
    .selectFrom('api_keys as k')
    .innerJoin('key_usage as u', 'u.key_id', 'k.id')
    .selectAll('u')
    .select(['k.account_id', 'k.limit_nano', 'k.limit_reset'])
    .where('k.limit_nano', 'is not', null)
    .where('k.removed_ms', 'is', null)
    .where('u.total_nano', '>', 0n)
    .execute()
  return rows.flatMap((row) => {
    const { key_id: target, account_id: accountId, limit_reset: period } = row
    const maxNano = row.limit_nano!
    const share = { scope: 'key', target, period, maxNano, spentNano: spentInPeriod(row, period, starts), starts }
    return crossed(accountId, `key:${target}:${maxNano}`, share, settingsOf(settings.get(accountId)))
  })
}

interface Share {
  readonly scope: string
  readonly target: string
  readonly period: 'daily' | 'weekly' | 'monthly' | null
  readonly maxNano: NanoUsd
  readonly spentNano: NanoUsd
  readonly starts: PeriodStarts
}

function crossed(accountId: string, what: string, share: Share, { thresholds }: AlertSettings): Due[] {
  const { scope, target, period, maxNano, spentNano, starts } = share
  const resetMs = resetOf(period, starts)
  return thresholds
    .filter((threshold) => spentNano > 0n && spentNano * 100n >= maxNano * BigInt(threshold))
    .map((threshold) => ({
      accountId,
      kind: 'budget_threshold',
      mark: `${what}:${startOf(period, starts)}:${threshold}`,
      facts: {
        scope,
        target: target === '' ? null : target,
        threshold,
        spent: formatUsd(spentNano),
        max: formatUsd(maxNano),
        period: period ?? 'none',
        reset_at: resetMs === null ? null : new Date(resetMs).toISOString(),
      },
    }))
}

/** Once until the account is credited again. */
async function dueBalances(store: Store, settings: SettingsByAccount): Promise<Due[]> {
  if (settings.size === 0) return []
  const rows = await store.read
    .selectFrom('accounts as a')
    .innerJoin('alert_settings as s', 's.account_id', 'a.id')
    .select(['a.id', 'a.balance_nano', 'a.credited_nano', 's.balance_below_nano'])
    .where('s.balance_below_nano', 'is not', null)
    .whereRef('a.balance_nano', '<', 's.balance_below_nano')
    .execute()
  return rows.map(({ id, balance_nano: balance, credited_nano: credited, balance_below_nano: below }) => ({
    accountId: id,
    kind: 'balance_low',
    mark: `balance:${id}:${below}:${credited}`,
    facts: { balance: formatUsd(balance), below: formatUsd(below!) },
  }))
}

const findSettings = (store: Store, accountId: string): Promise<AlertSettingTable | undefined> =>
  store.read.selectFrom('alert_settings').selectAll().where('account_id', '=', accountId).executeTakeFirst()

function settingsOf(row: AlertSettingTable | undefined): AlertSettings {
  if (!row) return NO_SETTINGS
  return {
    thresholds: JSON.parse(row.thresholds) as number[],
    balanceBelowNano: row.balance_below_nano,
    webhookUrl: row.webhook_url,
    email: row.email,
  }
}

function checkSettings(settings: AlertSettings, refusalOf: (url: string) => string | null): void {
  const { thresholds, webhookUrl } = settings
  const fits = thresholds.every((one) => Number.isSafeInteger(one) && one >= 1 && one <= 1000)
  if (!fits || thresholds.length > THRESHOLDS_MAX || new Set(thresholds).size < thresholds.length) {
    throw invalid('thresholds', `Name at most ${THRESHOLDS_MAX} different whole percentages from 1 to 1000.`)
  }
  const refusal = webhookUrl === null ? null : refusalOf(webhookUrl)
  if (refusal !== null) throw invalid('webhook_url', `This address cannot be used: ${refusal}.`)
}

async function listAlerts(
  { read }: Store,
  accountId: string | null,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): Promise<{ data: Alert[]; nextCursor: string | null }> {
  let rows = read.selectFrom('alerts').selectAll()
  rows = accountId === null ? rows.where('account_id', 'is', null) : rows.where('account_id', '=', accountId)
  if (cursor !== undefined) rows = rows.where('id', '<', cursor)
  const found = await rows
    .orderBy('id', 'desc')
    .limit(checkLimit(limit) + 1)
    .execute()
  const data = found.slice(0, limit).map(alertOf)
  return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
}

const alertOf = (row: AlertTable): Alert => ({
  id: row.id,
  accountId: row.account_id,
  kind: row.kind,
  payload: JSON.parse(row.payload) as Record<string, unknown>,
  createdMs: row.created_ms,
})

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
