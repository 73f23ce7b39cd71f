import { createHmac } from 'node:crypto'
import { id as newId } from '#base/ids.ts'
import { createPeriodClock, type PeriodClock } from '#ledger/periods.ts'
import type { AlertTable } from '#store/billing-schema.ts'
import { checkLimit } from '#store/reads.ts'
import type { Store } from '#store/store.ts'
import { dueAlerts } from './account-alerts.ts'
import type { AlertDelivery } from './alert-delivery.ts'
import {
  ALERT_DEFAULTS,
  type AlertDefaults,
  type AlertSettings,
  checkSettings,
  findSettings,
  type OwnAlertSettings,
  ownSettingsOf,
  rowOf,
  settingsOf,
} from './alert-settings.ts'

export interface Alert {
  readonly id: string
  readonly accountId: string | null
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly createdMs: number
  /** When it was acknowledged; null: not yet. */
  readonly readMs: number | null
}

/** Of an account, or of the operator (null). */
export type AlertOwner = string | null

export interface AlertPage {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly unreadOnly?: boolean
}

export interface Alerts {
  /** What holds for an account, and what of it the account set itself. */
  settings(accountId: string): Promise<AlertSettings & { readonly own: OwnAlertSettings; readonly secret: string }>
  /** `rotatesSecret`: from now on another secret signs. Throws GatewayError('invalid_parameter'). */
  change(accountId: string, own: OwnAlertSettings, rotatesSecret: boolean): Promise<void>
  /** Newest first. */
  list(owner: AlertOwner, page: AlertPage): Promise<{ data: Alert[]; nextCursor: string | null }>
  countUnread(owner: AlertOwner): Promise<number>
  /** Of one alert, or of all that there are; gives how many were unread. Null: the owner has no such alert. */
  acknowledge(owner: AlertOwner, id: string | null): Promise<number | null>
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
  readonly periods?: PeriodClock | undefined
  /** What the configuration says at the moment. */
  readonly defaults?: (() => AlertDefaults) | undefined
  readonly delivery: AlertDelivery
  /** Why an address may not be asked for; null when it may. */
  readonly refusalOf: (url: string) => string | null
  readonly onAlert: (alert: Pick<Alert, 'id' | 'accountId' | 'kind' | 'payload'>) => void
}

/** Alerts over a store (R98). Each has a mark that is unique in the database, so it is raised once however many nodes notice. */
export function createAlerts(store: Store, options: AlertOptions): Alerts {
  const { pepper, operatorAccountId, now, delivery, refusalOf, onAlert, periods = createPeriodClock() } = options
  const defaults = options.defaults ?? (() => ALERT_DEFAULTS)
  const secretOf = (accountId: string, version: number): string =>
    `whsec_${createHmac('sha256', pepper).update(`webhook:${accountId}:${version}`).digest('hex')}`

  const raise = async (accountId: AlertOwner, kind: string, mark: string, facts: object): Promise<boolean> => {
    const id = newId('alt')
    const nowMs = now()
    const payload = { id, type: kind, created_at: new Date(nowMs).toISOString(), account_id: accountId, ...facts }
    const owner = accountId ?? operatorAccountId
    const own = ownSettingsOf(await findSettings(store, owner))
    const usual = defaults()
    // A sink of the file is the operator's, whosever alert it is; it is signed as such.
    const sinks = [
      { sink: 'webhook', own: own.webhookUrl, usual: usual.webhookUrl },
      { sink: 'email', own: own.email, usual: usual.email },
    ] as const
    const deliveries = sinks.flatMap(({ sink, own: address, usual: other }) => {
      if (address) return [{ id: newId('dlv'), sink, address, signer: owner }]
      return other ? [{ id: newId('dlv'), sink, address: other, signer: operatorAccountId }] : []
    })
    const alert = { id, mark, accountId, kind, payload: JSON.stringify(payload), deliveries, nowMs }
    if (!(await store.execute('raiseAlert', alert))) return false
    onAlert({ id, accountId, kind, payload })
    return true
  }

  return {
    async settings(accountId) {
      const row = await findSettings(store, accountId)
      const secret = secretOf(accountId, row?.secret_version ?? 0)
      return { ...settingsOf(row, defaults()), own: ownSettingsOf(row), secret }
    },
    async change(accountId, own, rotatesSecret) {
      checkSettings(own, refusalOf)
      const version = (await findSettings(store, accountId))?.secret_version ?? 0
      await store.execute('putAlertSettings', rowOf(accountId, own, version + (rotatesSecret ? 1 : 0), now()))
    },
    list: (owner, page) => listAlerts(store, owner, page),
    countUnread: (owner) => countUnread(store, owner),
    async acknowledge(owner, id) {
      if (id !== null && !(await hasAlert(store, owner, id))) return null
      return store.execute('readAlerts', { owner, id, nowMs: now() })
    },
    async evaluate() {
      const nowMs = now()
      let raised = 0
      for (const { accountId, kind, mark, facts } of await dueAlerts(store, nowMs, periods(nowMs), defaults())) {
        if (await raise(accountId, kind, mark, facts)) raised++
      }
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

const ofOwner = ({ read }: Store, owner: AlertOwner) =>
  owner === null
    ? read.selectFrom('alerts').where('account_id', 'is', null)
    : read.selectFrom('alerts').where('account_id', '=', owner)

async function listAlerts(
  store: Store,
  owner: AlertOwner,
  { limit, cursor, unreadOnly = false }: AlertPage,
): Promise<{ data: Alert[]; nextCursor: string | null }> {
  let rows = ofOwner(store, owner).selectAll()
  if (unreadOnly) rows = rows.where('read_ms', 'is', null)
  if (cursor !== undefined) rows = rows.where('id', '<', cursor)
  const found = await rows
    .orderBy('id', 'desc')
    .limit(checkLimit(limit) + 1)
    .execute()
  const data = found.slice(0, limit).map(alertOf)
  return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
}

async function countUnread(store: Store, owner: AlertOwner): Promise<number> {
  const { count } = await ofOwner(store, owner)
    .where('read_ms', 'is', null)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

const hasAlert = async (store: Store, owner: AlertOwner, id: string): Promise<boolean> =>
  (await ofOwner(store, owner).where('id', '=', id).select('id').executeTakeFirst()) !== undefined

const alertOf = (row: AlertTable): Alert => ({
  id: row.id,
  accountId: row.account_id,
  kind: row.kind,
  payload: JSON.parse(row.payload) as Record<string, unknown>,
  createdMs: row.created_ms,
  readMs: row.read_ms,
})
