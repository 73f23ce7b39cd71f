import { GatewayError } from '#base/errors.ts'
import type { Counts, CountsWrite, SharedCounts } from '#limits/types.ts'
import type { Command } from './command.ts'
import { run, statement, step, type Step } from './statement.ts'
import type { Store } from './store.ts'

/** Rows that one sweep deletes. */
export const SWEPT_COUNTS_MAX = 20

const insertCounts = statement<'id' | 'expires'>()((db, param) =>
  db
    .insertInto('limit_counts')
    .values({ id: param('id'), version: 0, state: '', expires_ms: param('expires') })
    .onConflict((conflict) => conflict.column('id').doNothing()),
)

/** A read that keeps the row for this transaction on both engines. */
const takeCounts = statement<'id'>()((db, param) =>
  db
    .updateTable('limit_counts')
    .set(({ ref }) => ({ version: ref('version') }))
    .where('id', '=', param('id'))
    .returning(['id', 'version', 'state']),
)

const writeCounts = statement<'id' | 'version' | 'state' | 'expires'>()((db, param) =>
  db
    .updateTable('limit_counts')
    .set({ version: param('version'), state: param('state'), expires_ms: param('expires') })
    .where('id', '=', param('id')),
)

const deleteExpired = statement<'now'>()((db, param) =>
  db
    .deleteFrom('limit_counts')
    .where('id', 'in', (of) =>
      of
        .selectFrom('limit_counts')
        .select('id')
        .where('expires_ms', '<=', param('now'))
        .orderBy('expires_ms')
        .limit(SWEPT_COUNTS_MAX),
    ),
)

/** Compares all and then writes all, or gives what there is. Rows are taken in the order of their ids, so that nodes do not deadlock. */
export const swapCounts: Command<readonly CountsWrite[], readonly Counts[] | null> = {
  *work(all) {
    const writes = all.toSorted((left, right) => (left.id < right.id ? -1 : 1))
    const takes: Step[] = []
    for (const { id, version, expiresMs } of writes) {
      if (version === 0) takes.push(step(insertCounts, { id, expires: expiresMs }))
      takes.push(step(takeCounts, { id }))
    }
    const outcomes = yield takes
    const current = new Map(outcomes.flatMap(({ rows }) => rows as readonly Counts[]).map((row) => [row.id, row]))
    const isCurrent = ({ id, version }: CountsWrite): boolean => current.get(id)?.version === version
    if (!writes.every(isCurrent)) return writes.map(({ id }) => current.get(id) ?? { id, version: 0, state: '' })
    const changed = writes.filter(({ state }) => state !== null)
    yield changed.map(({ id, next, state, expiresMs }) =>
      step(writeCounts, { id, version: next, state: state!, expires: expiresMs }),
    )
    return null
  },
  accounts: () => [],
  // A second run finds another version than it expects.
  repeatable: true,
}

export const sweepCounts: Command<{ readonly nowMs: number }, number> = {
  *work({ nowMs }) {
    return (yield* run(deleteExpired, { now: nowMs })).changes
  },
  accounts: () => [],
  repeatable: true,
}

/** Counts of limits that the nodes of one database share. */
export function createSharedCounts(store: Store, now: () => number = Date.now): SharedCounts {
  return {
    swap: (writes) => store.execute('swapCounts', writes),
    async sweep(nowMs) {
      await store.execute('sweepCounts', { nowMs })
    },
    now,
    busy: () => new GatewayError('store_unavailable', 'Too many requests are counted at once. Try again.'),
  }
}
