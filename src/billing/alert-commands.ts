/** The writes of alerts, as they run inside the store's transactions. */
import type { AlertDeliveryTable, AlertSettingTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'

type SettingColumn = 'account' | 'thresholds' | 'below' | 'url' | 'email' | 'version' | 'now'

const putSettings = statement<SettingColumn>()((db, param) => {
  const wish = {
    thresholds: param('thresholds'),
    balance_below_nano: param('below'),
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
    })
    .onConflict((conflict) => conflict.doNothing()),
)

const insertDelivery = statement<'id' | 'alert' | 'sink' | 'address' | 'now'>()((db, param) =>
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

export const putAlertSettings: Command<AlertSettingTable, void> = {
  *work(row) {
    const { account_id: account, thresholds, balance_below_nano: below, webhook_url: url, email } = row
    const { secret_version: version, updated_ms: now } = row
    yield* run(putSettings, { account, thresholds, below, url, email, version, now })
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
  readonly deliveries: readonly Pick<AlertDeliveryTable, 'id' | 'sink' | 'address'>[]
  readonly nowMs: number
}

/** False when the same was raised before, by whichever node. */
export const raiseAlert: Command<NewAlert, boolean> = {
  *work({ id: alert, mark, accountId: account, kind, payload, deliveries, nowMs: now }) {
    const { changes } = yield* run(insertAlert, { id: alert, mark, account, kind, payload, now })
    if (changes === 0) return false
    for (const { id, sink, address } of deliveries) yield* run(insertDelivery, { id, alert, sink, address, now })
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

export const finishDelivery: Command<Omit<AlertDeliveryTable, 'alert_id' | 'sink' | 'address'>, void> = {
  *work({ id, state, attempts, next_ms: next, error, updated_ms: now }) {
    yield* run(finish, { id, state, attempts, next, error, now })
  },
  accounts: () => [],
  repeatable: true,
}
