import { sql } from 'kysely'
import { AMOUNT_NANO_MAX, flatten } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import { periodStarts } from './periods.ts'
import type { HoldAsk, HoldResult, Ledger, Settlement, SettleResult } from './types.ts'

/** R94: the reservation of a crashed process ends after 15 minutes. */
export const HOLD_TTL_MS = 15 * 60_000
/** Holds that one recovery command releases; more are released by further commands, so live requests get their turn. */
export const RECOVERY_BATCH_MAX = 200

export interface Verification {
  readonly accounts: number
  readonly entries: number
  readonly openHolds: number
  /** One sentence per broken invariant; empty when the books are right. */
  readonly problems: readonly string[]
}

export interface RecoverableLedger extends Ledger {
  /**
   * Voids the holds of dead processes and gives how many. SQLite belongs to one process, so before its first reserve every
   * hold is a dead one's; PostgreSQL is shared, so only expired holds are.
   */
  recover(): Promise<number>
  /** Checks the invariants of the books (R90): `trivium doctor` and tests. */
  verify(): Promise<Verification>
}

/** The ledger over a store. `now` gives milliseconds since the epoch. */
export function createLedger(
  store: Store,
  options: { holdTtlMs?: number; now?: () => number } = {},
): RecoverableLedger {
  const { holdTtlMs = HOLD_TTL_MS, now = Date.now } = options
  let fresh = store.engine === 'sqlite'

  return {
    reserve(ask: HoldAsk): Promise<HoldResult> {
      checkAsk(ask)
      fresh = false
      const nowMs = now()
      const { requestId, accountId, keyId, wantNano, floorNano } = ask
      const expiresMs = nowMs + holdTtlMs
      const hold = { requestId, accountId, keyId, wantNano, floorNano, nowMs, expiresMs, ...periodStarts(nowMs) }
      return store.execute('reserve', hold)
    },

    settle({ requestId, costNano, row }: Settlement): Promise<SettleResult> {
      if (costNano < 0n) throw new RangeError('A cost is never negative.')
      const nowMs = now()
      return store.execute('settle', {
        requestId,
        accountId: row.account_id,
        keyId: row.key_id,
        costNano: costNano > AMOUNT_NANO_MAX ? AMOUNT_NANO_MAX : costNano,
        nowMs,
        ...periodStarts(nowMs),
        row: flatten(row),
      })
    },

    async void(requestId, row) {
      await store.execute('void', { requestId, accountId: row.account_id, row: flatten(row) })
    },

    async recover() {
      const beforeMs = fresh ? Number.MAX_SAFE_INTEGER : now()
      let released = 0
      for (;;) {
        const holds = await store.read
          .selectFrom('holds')
          .select(['request_id', 'account_id'])
          .where('expires_ms', '<', beforeMs)
          .orderBy('expires_ms')
          .limit(RECOVERY_BATCH_MAX)
          .execute()
        if (holds.length === 0) return released
        released += await store.execute('releaseExpired', {
          requestIds: holds.map((hold) => hold.request_id),
          accountIds: [...new Set(holds.map((hold) => hold.account_id))],
          beforeMs,
        })
      }
    },

    verify: () => verify(store),
  }
}

function checkAsk({ wantNano, floorNano }: HoldAsk): void {
  if (wantNano < 0n || floorNano < 0n || floorNano > wantNano || wantNano > AMOUNT_NANO_MAX) {
    throw new RangeError('A hold asks for 0 <= floor <= want <= a billion USD.')
  }
}

/** Sums may be wider than 64 bits only in a corrupt database; then the cast fails, which is a finding as well. */
const sumOf = (column: string) => sql<bigint>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`

async function verify({ read }: Store): Promise<Verification> {
  const booked = await read
    .selectFrom('accounts as a')
    .leftJoin('ledger_entries as e', 'e.account_id', 'a.id')
    .select(['a.id', 'a.balance_nano', 'a.used_nano', sumOf('e.amount_nano').as('sum_nano')])
    .select(
      sql<bigint>`cast(coalesce(sum(case when e.type = 'usage' then -e.amount_nano end), 0) as bigint)`.as(
        'usage_nano',
      ),
    )
    .select(sql<number>`count(e.seq)`.as('entries'))
    .groupBy(['a.id', 'a.balance_nano', 'a.used_nano'])
    .execute()
  const held = await read
    .selectFrom('accounts as a')
    .leftJoin('holds as h', 'h.account_id', 'a.id')
    .select(['a.id', 'a.held_nano', sumOf('h.amount_nano').as('sum_nano'), sql<number>`count(h.request_id)`.as('open')])
    .groupBy(['a.id', 'a.held_nano'])
    .execute()
  const keys = await read
    .selectFrom('key_usage as u')
    .leftJoin('holds as h', 'h.key_id', 'u.key_id')
    .select(['u.key_id', 'u.held_nano', sumOf('h.amount_nano').as('sum_nano')])
    .groupBy(['u.key_id', 'u.held_nano'])
    .execute()
  const problems: string[] = []
  for (const row of booked) {
    if (row.balance_nano !== row.sum_nano)
      problems.push(`${row.id}: balance ${row.balance_nano}, entries ${row.sum_nano}.`)
    if (row.used_nano !== row.usage_nano) problems.push(`${row.id}: used ${row.used_nano}, entries ${row.usage_nano}.`)
  }
  for (const row of held) {
    if (row.held_nano !== row.sum_nano) problems.push(`${row.id}: held ${row.held_nano}, holds ${row.sum_nano}.`)
  }
  for (const row of keys) {
    if (row.held_nano !== row.sum_nano) problems.push(`${row.key_id}: held ${row.held_nano}, holds ${row.sum_nano}.`)
  }
  problems.push(...(await misplaced(read)))
  return {
    accounts: booked.length,
    entries: booked.reduce((sum, row) => sum + row.entries, 0),
    openHolds: held.reduce((sum, row) => sum + row.open, 0),
    problems,
  }
}

async function misplaced(read: Store['read']): Promise<string[]> {
  const twice = await read
    .selectFrom('ledger_entries')
    .select('request_id')
    .where('type', '=', 'usage')
    .groupBy('request_id')
    .having(sql<number>`count(*)`, '>', 1)
    .execute()
  const orphans = await read
    .selectFrom('holds as h')
    .leftJoin('accounts as a', 'a.id', 'h.account_id')
    .select('h.request_id')
    .where('a.id', 'is', null)
    .execute()
  const settledAndHeld = await read
    .selectFrom('holds as h')
    .innerJoin('ledger_entries as e', 'e.request_id', 'h.request_id')
    .select('h.request_id')
    .where('e.type', '=', 'usage')
    .execute()
  return [
    ...twice.map((row) => `${row.request_id}: booked more than once.`),
    ...orphans.map((row) => `${row.request_id}: its hold belongs to no account.`),
    ...settledAndHeld.map((row) => `${row.request_id}: booked, yet still held.`),
  ]
}
