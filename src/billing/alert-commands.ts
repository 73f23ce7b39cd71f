/** The writes of alerts, as they run inside the store's transactions. */
import { sql } from 'kysely'
import type { AlertDeliveryTable, AlertSettingTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'

type SettingColumn = 'account' | 'thresholds' | 'below' | 'share' | 'times' | 'url' | 'email' | 'version' | 'now'

const putSettings = statement<SettingColumn>()((db, param) => {
  const wish = {
    thresholds: param('thresholds'),
    balance_below_nano: param('below'),
    key_share_percent: param('share'),
    spike_times: param('times'),
    webhook_url: param('url'),
    email: param('email'),
    secret_version: param('version'),
    updated_ms: param('now'),
  }
  return db
    .insertInto('alert_settings')
    .values({ account_id: param('account'), ...wish })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet(wish))
})

const insertAlert = statement<'id' | 'mark' | 'account' | 'kind' | 'payload' | 'now'>()((db, param) =>
  db
    .insertInto('alerts')
    .values({
      id: param('id'),
      mark: param('mark'),
      account_id: param('account'),
      kind: param('kind'),
      payload: param('payload'),
      created_ms: param('now'),
      read_ms: null,
    })
    .onConflict((conflict) => conflict.doNothing()),
)

const insertDelivery = statement<'id' | 'alert' | 'sink' | 'address' | 'signer' | 'now'>()((db, param) =>
  db.insertInto('alert_deliveries').values({
    id: param('id'),
    alert_id: param('alert'),
    sink: param('sink'),
    address: param('address'),
    state: 'waiting',
    attempts: 0,
    next_ms: param('now'),
    error: null,
    updated_ms: param('now'),
    signer_id: param('signer'),
  }),
)

const claim = statement<'id' | 'seen' | 'until' | 'now'>()((db, param) =>
  db
    .updateTable('alert_deliveries')
    .set({ next_ms: param('until'), updated_ms: param('now') })
    .where('id', '=', param('id'))
    .where('state', '=', 'waiting')
    .where('next_ms', '=', param('seen')),
)

const finish = statement<'id' | 'state' | 'attempts' | 'next' | 'error' | 'now'>()((db, param) =>
  db
    .updateTable('alert_deliveries')
    .set({
      state: param('state'),
      attempts: param('attempts'),
      next_ms: param('next'),
      error: param('error'),
      updated_ms: param('now'),
    })
    .where('id', '=', param('id')),
)

/** Of one alert or, with the empty text, of all; of the operator with the empty text as owner. */
const readAlert = statement<'owner' | 'id' | 'now'>()((db, param) =>
  db
    .updateTable('alerts')
    .set({ read_ms: param('now') })
    .where(sql<string>`coalesce(account_id, '')`, '=', param('owner'))
    .where((where) =>
      where.or([where('id', '=', param('id')), where(sql<string>`cast(${param('id')} as text)`, '=', '')]),
    )
    .where('read_ms', 'is', null),
)

/** Acknowledges one alert of an owner, or all of them (null); gives how many were unread. */
export const readAlerts: Command<{ owner: string | null; id: string | null; nowMs: number }, number> = {
  *work({ owner, id, nowMs: now }) {
    const { changes } = yield* run(readAlert, { owner: owner ?? '', id: id ?? '', now })
    return changes
  },
  accounts: () => [],
  repeatable: false,
}

export const putAlertSettings: Command<AlertSettingTable, void> = {
  *work(row) {
    const { account_id: account, thresholds, balance_below_nano: below, webhook_url: url, email } = row
    const { key_share_percent: share, spike_times: times, secret_version: version, updated_ms: now } = row
    yield* run(putSettings, { account, thresholds, below, share, times, url, email, version, now })
  },
  accounts: () => [],
  repeatable: true,
}

export interface NewAlert {
  readonly id: string
  readonly mark: string
  readonly accountId: string | null
  readonly kind: string
  readonly payload: string
  readonly deliveries: readonly (Pick<AlertDeliveryTable, 'id' | 'sink' | 'address'> & { readonly signer: string })[]
  readonly nowMs: number
}

/** False when the same was raised before, by whichever node. */
export const raiseAlert: Command<NewAlert, boolean> = {
  *work({ id: alert, mark, accountId: account, kind, payload, deliveries, nowMs: now }) {
    const { changes } = yield* run(insertAlert, { id: alert, mark, account, kind, payload, now })
    if (changes === 0) return false
    for (const { id, sink, address, signer } of deliveries) {
      yield* run(insertDelivery, { id, alert, sink, address, signer, now })
    }
    return true
  },
  accounts: () => [],
  repeatable: false,
}

/** Takes a delivery for this node until `untilMs`; false when another one has it. */
export const claimDelivery: Command<{ id: string; seenMs: number; untilMs: number; nowMs: number }, boolean> = {
  *work({ id, seenMs: seen, untilMs: until, nowMs: now }) {
    const { changes } = yield* run(claim, { id, seen, until, now })
    return changes > 0
  },
  accounts: () => [],
  repeatable: false,
}

export const finishDelivery: Command<Omit<AlertDeliveryTable, 'alert_id' | 'sink' | 'address' | 'signer_id'>, void> = {
  *work({ id, state, attempts, next_ms: next, error, updated_ms: now }) {
    yield* run(finish, { id, state, attempts, next, error, now })
  },
  accounts: () => [],
  repeatable: true,
}
