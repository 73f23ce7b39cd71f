import type { Store } from '#store/store.ts'

/** Turns of a conversation that can be continued. */
export const CHAIN_LENGTH_MAX = 200

/** The walk along `previous_id` ends one further: a response that continues the longest conversation can still be read. */
const WALK_LENGTH_MAX = CHAIN_LENGTH_MAX + 1

/** What one read carries at most, unless a single response is larger: what arrives is copied on the event loop. */
const READ_BYTES_MAX = 4 * 1024 * 1024

/** A response of a chain without its texts. */
export interface Link {
  readonly id: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly previousId: string | null
  readonly model: string
  readonly backendId: string | null
  /** Of both texts. */
  readonly bytes: number
}

export interface Turn {
  readonly id: string
  /** As `encodeItems` wrote it. */
  readonly input: string
  readonly response: string
}

/** The response and those it builds on, newest first, expired ones too. Empty when the account has no such response. */
export async function readChain(store: Store, accountId: string, id: string): Promise<readonly Link[]> {
  const rows = await chainOf(store, accountId, id).selectFrom('chain').selectAll().orderBy('place').execute()
  return rows.map((row) => ({
    id: row.id,
    createdAtMs: row.created_ms,
    expiresAtMs: row.expires_ms,
    previousId: row.previous_id,
    model: row.model,
    backendId: row.backend_id,
    bytes: row.bytes,
  }))
}

/** The turns of a chain, oldest first. Fewer than `chain` has links when some were deleted meanwhile. */
export async function* readTurns(store: Store, accountId: string, chain: readonly Link[]): AsyncGenerator<Turn> {
  let rest = chain.length
  while (rest > 0) {
    const to = rest
    let bytes = chain[--rest]!.bytes
    while (rest > 0 && bytes + chain[rest - 1]!.bytes <= READ_BYTES_MAX) bytes += chain[--rest]!.bytes
    yield* await chainOf(store, accountId, chain[0]!.id)
      .selectFrom('chain')
      // SQLite keeps the order of a cross join; it would otherwise read everything that the account has.
      .crossJoin('responses')
      .select(['responses.id', 'responses.input', 'responses.response'])
      .where('responses.account_id', '=', accountId)
      .whereRef('responses.id', '=', 'chain.id')
      .where('chain.place', '>', rest)
      .where('chain.place', '<=', to)
      .orderBy('chain.place', 'desc')
      .execute()
  }
}

const LINK_COLUMNS = ['id', 'created_ms', 'expires_ms', 'previous_id', 'model', 'backend_id', 'bytes'] as const

/**
 * The walk itself; `place` is 1 for the response that was asked for. It stays within the account, so that nobody
 * continues what is another's.
 */
const chainOf = (store: Store, accountId: string, id: string) =>
  store.read.withRecursive('chain', (db) =>
    db
      .selectFrom('responses')
      .select(LINK_COLUMNS)
      .select((select) => select.lit(1 as number).as('place'))
      .where('account_id', '=', accountId)
      .where('id', '=', id)
      .unionAll(
        db
          .selectFrom('chain')
          .innerJoin('responses', (join) =>
            join.onRef('responses.id', '=', 'chain.previous_id').on('responses.account_id', '=', accountId),
          )
          .select(LINK_COLUMNS.map((column) => `responses.${column}` as const))
          .select((select) => select('chain.place', '+', select.lit(1)).as('place'))
          .where('chain.place', '<', WALK_LENGTH_MAX),
      ),
  )
