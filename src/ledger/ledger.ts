import { AMOUNT_NANO_MAX, flatten } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import { createPeriodClock, type PeriodClock } from './periods.ts'
import type { HoldAsk, HoldResult, Ledger, Settlement, SettleResult } from './types.ts'
import { createLeases } from './leases.ts'
import { verify } from './verify.ts'
import type { Verification } from './verify.ts'

/** R94: the reservation of a crashed process ends after 15 minutes. */
export const HOLD_TTL_MS = 15 * 60_000
/** How often a ledger on a shared database is to `recover`: leases of living requests are renewed then, and ended ones released. */
export const RECOVERY_INTERVAL_MS = 25_000
/** Holds that one recovery command releases; more are released by further commands, so live requests get their turn. */
export const RECOVERY_BATCH_MAX = 200

export interface RecoverableLedger extends Ledger {
  /**
   * Voids the holds of dead processes and gives how many. SQLite belongs to one process, so before its first reserve every
   * hold is a dead one's; PostgreSQL is shared, so only expired holds are, by the database's clock and no node's own, and
   * those of this process are renewed first.
   */
  recover(): Promise<number>
  /** Checks the invariants of the books (R90): `trivium doctor` and tests. */
  verify(): Promise<Verification>
  /** What is held in memory and not in the database: to be added to what is read there. */
  heldOf(accountId: string): bigint
  heldOfKey(keyId: string): bigint
  /** Brings everything that was answered to the database. Call before the store is closed. */
  close(): Promise<void>
}

export interface LedgerOptions {
  readonly holdTtlMs?: number
  /** Milliseconds since the epoch; default: the time of a shared database, else of this machine. */
  readonly now?: () => number
  /** The days of budgets and limits; default: UTC. */
  readonly periods?: PeriodClock
  /** Hears why a hold that nobody uses stays until its lease ends. */
  readonly onHoldLeft?: (cause: unknown) => void
}

/** The ledger over a store. */
export function createLedger(store: Store, options: LedgerOptions = {}): RecoverableLedger {
  const { holdTtlMs = HOLD_TTL_MS, now = store.clock?.now ?? Date.now, periods = createPeriodClock() } = options
  let fresh = store.engine === 'sqlite'
  const leases = createLeases(store, holdTtlMs, options.onHoldLeft ?? (() => {}))

  const argsOf = ({ system, groupId, modelId, session, ...ask }: HoldAsk) => {
    const nowMs = now()
    const expiresMs = nowMs + holdTtlMs
    const scopes = { system: system ?? null, groupId: groupId ?? null, modelId: modelId ?? null }
    return { ...ask, nowMs, expiresMs, ...scopes, session: session ?? null, ...periods(nowMs) }
  }

  return {
    reserve(ask: HoldAsk): Promise<HoldResult> {
      checkAsk(ask)
      fresh = false
      return leases.keep(ask, store.execute('reserve', argsOf(ask)), now())
    },

    extend(ask: HoldAsk): Promise<HoldResult> {
      checkAsk(ask)
      return leases.grow(ask, store.execute('extendHold', argsOf(ask)), now())
    },

    settle({ requestId, costNano, row }: Settlement): Promise<SettleResult> {
      if (costNano < 0n) throw new RangeError('A cost is never negative.')
      leases.drop(requestId)
      const nowMs = now()
      return store.execute('settle', {
        requestId,
        accountId: row.account_id,
        keyId: row.key_id,
        costNano: costNano > AMOUNT_NANO_MAX ? AMOUNT_NANO_MAX : costNano,
        nowMs,
        ...periods(nowMs),
        row: flatten(row),
        scopes: { system: row.system, groupId: row.group_id, modelId: row.model_id },
      })
    },

    async void(requestId, row) {
      leases.drop(requestId)
      await store.execute('void', { requestId, accountId: row.account_id, row: flatten(row) })
    },

    async recover() {
      await store.clock?.sync()
      await leases.renew(now())
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

    verify: () => verify(store, now()),
    heldOf: () => 0n,
    heldOfKey: () => 0n,
    close: async () => {},
  }
}

/** Throws a RangeError for an ask that no caller of ours may make. */
export function checkAsk({ wantNano, floorNano }: HoldAsk): void {
  if (wantNano < 0n || floorNano < 0n || floorNano > wantNano || wantNano > AMOUNT_NANO_MAX) {
    throw new RangeError('A hold asks for 0 <= floor <= want <= a billion USD.')
  }
}
