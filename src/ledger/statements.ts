/** The ledger's statements: compiled once, bound by name. PostgreSQL callers hold the account's row lock (see Command.accounts). */
import { sql } from 'kysely'
import type { AccountTable, ApiKeyTable, KeyUsageTable } from '#store/schema.ts'
import { statement } from '#store/statement.ts'

type OrNull<T> = { [K in keyof T]: T[K] | null }

export type Funds = Pick<AccountTable, 'status' | 'mode' | 'balance_nano' | 'held_nano' | 'credit_limit_nano'> &
  OrNull<Pick<ApiKeyTable, 'disabled' | 'limit_nano'>> &
  Pick<ApiKeyTable, 'removed_ms' | 'limit_reset'> &
  OrNull<Omit<KeyUsageTable, 'key_id' | 'held_nano'>> & { key_id: string | null; key_held_nano: bigint | null }

/** Everything that decides on a reservation, in one read. */
export const findFunds = statement<'account' | 'key'>()<Funds>((db, param) =>
  db
    .selectFrom('accounts as a')
    .leftJoin('api_keys as k', (join) => join.on('k.id', '=', param('key')).onRef('k.account_id', '=', 'a.id'))
    .leftJoin('key_usage as u', 'u.key_id', 'k.id')
    .select(['a.status', 'a.mode', 'a.balance_nano', 'a.held_nano', 'a.credit_limit_nano'])
    .select(['k.id as key_id', 'k.disabled', 'k.removed_ms', 'k.limit_nano', 'k.limit_reset'])
    .select(['u.held_nano as key_held_nano', 'u.total_nano', 'u.day_start_ms', 'u.day_nano'])
    .select(['u.week_start_ms', 'u.week_nano', 'u.month_start_ms', 'u.month_nano'])
    .where('a.id', '=', param('account')),
)

export const holdOnAccount = statement<'account' | 'amount'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ held_nano: sql<bigint>`held_nano + ${param('amount')}` })
    .where('id', '=', param('account'))
    .where('status', '=', 'active')
    .where((where) =>
      where.or([where('mode', '=', 'postpaid'), where(sql<bigint>`balance_nano - held_nano`, '>=', param('amount'))]),
    ),
)

export const holdOnKey = statement<'key' | 'amount'>()((db, param) =>
  db
    .updateTable('key_usage')
    .set({ held_nano: sql<bigint>`held_nano + ${param('amount')}` })
    .where('key_id', '=', param('key')),
)

export const insertHold = statement<'request' | 'account' | 'key' | 'amount' | 'now' | 'expires' | 'budgets'>()(
  (db, param) =>
    db.insertInto('holds').values({
      request_id: param('request'),
      account_id: param('account'),
      key_id: param('key'),
      amount_nano: param('amount'),
      created_ms: param('now'),
      expires_ms: param('expires'),
      budget_ids: param('budgets'),
    }),
)

export const growHold = statement<'request' | 'amount' | 'expires'>()((db, param) =>
  db
    .updateTable('holds')
    .set({ amount_nano: sql<bigint>`amount_nano + ${param('amount')}`, expires_ms: param('expires') })
    .where('request_id', '=', param('request')),
)

export const renewHold = statement<'request' | 'expires'>()((db, param) =>
  db
    .updateTable('holds')
    .set({ expires_ms: param('expires') })
    .where('request_id', '=', param('request'))
    .where('expires_ms', '<', param('expires')),
)

export const findHold = statement<'request'>()((db, param) =>
  db.selectFrom('holds').select(['budget_ids']).where('request_id', '=', param('request')),
)

export const takeHold = statement<'request'>()((db, param) =>
  db
    .deleteFrom('holds')
    .where('request_id', '=', param('request'))
    .returning(['account_id', 'key_id', 'amount_nano', 'budget_ids']),
)

export const takeExpiredHold = statement<'request' | 'before'>()((db, param) =>
  db
    .deleteFrom('holds')
    .where('request_id', '=', param('request'))
    .where('expires_ms', '<', param('before'))
    .returning(['account_id', 'key_id', 'amount_nano', 'budget_ids']),
)

export const releaseOnAccount = statement<'account' | 'held'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ held_nano: sql<bigint>`held_nano - ${param('held')}` })
    .where('id', '=', param('account')),
)

export const releaseOnKey = statement<'key' | 'held'>()((db, param) =>
  db
    .updateTable('key_usage')
    .set({ held_nano: sql<bigint>`held_nano - ${param('held')}` })
    .where('key_id', '=', param('key')),
)

/** The usual settlement, within its hold. Matches nothing when an adjustment left less than is held; then debitAny decides. */
export const debitHeld = statement<'account' | 'cost' | 'held'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({
      balance_nano: sql<bigint>`balance_nano - ${param('cost')}`,
      used_nano: sql<bigint>`used_nano + ${param('cost')}`,
      held_nano: sql<bigint>`held_nano - ${param('held')}`,
    })
    .where('id', '=', param('account'))
    .where(
      sql<boolean>`((mode = 'postpaid' and credit_limit_nano is null) or balance_nano +
        (case when mode = 'postpaid' then credit_limit_nano else 0 end) >= held_nano)`,
    )
    .returning('balance_nano'),
)

export const debitAny = statement<'account' | 'charged' | 'held'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({
      balance_nano: sql<bigint>`balance_nano - ${param('charged')}`,
      used_nano: sql<bigint>`used_nano + ${param('charged')}`,
      held_nano: sql<bigint>`held_nano - ${param('held')}`,
    })
    .where('id', '=', param('account'))
    .returning('balance_nano'),
)

export const findBalance = statement<'account'>()((db, param) =>
  db
    .selectFrom('accounts')
    .select(['status', 'mode', 'balance_nano', 'held_nano', 'credit_limit_nano'])
    .where('id', '=', param('account')),
)

export const findKeyOwner = statement<'key'>()((db, param) =>
  db.selectFrom('api_keys').select(['account_id', 'hash']).where('id', '=', param('key')),
)

/** Whether a request was booked (its entry) or voided (its row) before. */
export const findBooking = statement<'request'>()((db, param) =>
  db.selectNoFrom((select) => [
    select
      .selectFrom('ledger_entries')
      .select('amount_nano')
      .where('request_id', '=', param('request'))
      .where('type', '=', 'usage')
      .as('entry_nano'),
    select.selectFrom('requests').select('request_id').where('request_id', '=', param('request')).as('row_id'),
    select
      .selectFrom('requests')
      .select('absorbed_cost_nano')
      .where('request_id', '=', param('request'))
      .as('absorbed_nano'),
  ]),
)

export const creditAccount = statement<'account' | 'amount' | 'credited' | 'purchased'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({
      balance_nano: sql<bigint>`balance_nano + ${param('amount')}`,
      credited_nano: sql<bigint>`credited_nano + ${param('credited')}`,
      purchased_nano: sql<bigint>`purchased_nano + ${param('purchased')}`,
    })
    .where('id', '=', param('account'))
    .returning('balance_nano'),
)

type EntryColumn = 'account' | 'type' | 'amount' | 'balance' | 'request' | 'note' | 'actor' | 'now'

export const insertEntry = statement<EntryColumn>()((db, param) =>
  db.insertInto('ledger_entries').values({
    account_id: param('account'),
    type: param('type'),
    amount_nano: param('amount'),
    balance_after_nano: param('balance'),
    request_id: param('request'),
    note: param('note'),
    actor: param('actor'),
    created_ms: param('now'),
  }),
)

export const insertEntryForSeq = statement<EntryColumn | 'payment'>()((db, param) =>
  db
    .insertInto('ledger_entries')
    .values({
      account_id: param('account'),
      type: param('type'),
      amount_nano: param('amount'),
      balance_after_nano: param('balance'),
      request_id: param('request'),
      note: param('note'),
      actor: param('actor'),
      created_ms: param('now'),
      payment_ref: param('payment'),
    })
    .returning('seq'),
)

/** The next three are bound by position, in the order in which their parameters stand here (see bookings.ts). */
export const findNano = statement<'account'>()((db, param) =>
  db.selectFrom('accounts').select('balance_nano').where('id', '=', param('account')),
)

export const insertUsage = statement<'account' | 'amount' | 'balance' | 'request' | 'now'>()((db, param) =>
  db
    .insertInto('ledger_entries')
    .values({
      account_id: param('account'),
      type: sql<'usage'>`'usage'`,
      amount_nano: param('amount'),
      balance_after_nano: param('balance'),
      request_id: param('request'),
      note: sql<null>`null`,
      actor: sql<string>`'gateway'`,
      created_ms: param('now'),
    })
    .onConflict((conflict) =>
      conflict
        .column('request_id')
        .where('type', '=', sql<'usage'>`'usage'`)
        .doNothing(),
    ),
)

export const writeBalance = statement<'balance' | 'charged' | 'account'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ balance_nano: param('balance'), used_nano: sql<bigint>`used_nano + ${param('charged')}` })
    .where('id', '=', param('account')),
)

/** Adds a charge to the key's periods. A later period than ours, written by a node whose clock runs ahead, is kept. */
export const spendOnKey = statement<'key' | 'held' | 'charged' | 'day' | 'week' | 'month'>()((db, param) => {
  const sum = (period: 'day' | 'week' | 'month') =>
    sql<bigint>`(case when ${sql.ref(`${period}_start_ms`)} >= ${param(period)}
      then ${sql.ref(`${period}_nano`)} else 0 end) + ${param('charged')}`
  const start = (period: 'day' | 'week' | 'month') =>
    sql<number>`case when ${sql.ref(`${period}_start_ms`)} > ${param(period)}
      then ${sql.ref(`${period}_start_ms`)} else ${param(period)} end`
  return db
    .updateTable('key_usage')
    .set({
      held_nano: sql<bigint>`held_nano - ${param('held')}`,
      total_nano: sql<bigint>`total_nano + ${param('charged')}`,
      day_nano: sum('day'),
      day_start_ms: start('day'),
      week_nano: sum('week'),
      week_start_ms: start('week'),
      month_nano: sum('month'),
      month_start_ms: start('month'),
    })
    .where('key_id', '=', param('key'))
})
