import type { Command } from '#store/command.ts'
import type { IdempotencyKeyTable } from '#store/schema.ts'
import { run, statement } from '#store/statement.ts'
import type { Store } from '#store/store.ts'

/** How long a key means the same request. */
export const IDEMPOTENCY_TTL_MS = 24 * 3_600_000
/**
 * Between its claim and its hold nothing in a shared database shows that a request lives: for so long it is taken to. A free
 * request has no hold, so that it may run again at another node after this time.
 */
export const CLAIM_GRACE_MS = 10_000
/** Expired keys that a claim clears away. */
export const EXPIRED_KEYS_PER_CLAIM_MAX = 20

export interface ClaimArgs {
  readonly accountId: string
  /** Digest of the client's key: the key itself is not kept. */
  readonly keyDigest: string
  /** Digest of what is asked; another one under the same key is another request. */
  readonly bodyDigest: string
  readonly requestId: string
}

export type Claim =
  /** The request runs, now or again: what ran before was never charged. */
  | { readonly kind: 'claimed' }
  | { readonly kind: 'mismatch' }
  /** Answered and charged before. */
  | { readonly kind: 'answered'; readonly requestId: string }
  /** Under way at another node. */
  | { readonly kind: 'running'; readonly requestId: string }

/** Keeps what clients call one request, so that it is charged once (M5); one command before the upstream is called. */
export interface Idempotency {
  /** Throws store_unavailable. */
  claim(args: ClaimArgs): Promise<Claim>
  /** The request has failed: whoever comes next runs at once. */
  release(args: Omit<ClaimArgs, 'bodyDigest'>): Promise<void>
}

export function createIdempotency(store: Store, now: () => number = store.clock?.now ?? Date.now): Idempotency {
  // What this process runs it knows without the database, and on one node there is no other process.
  const isShared = store.book === null
  return {
    claim(args) {
      const nowMs = now()
      const aliveSinceMs = isShared ? nowMs - CLAIM_GRACE_MS : nowMs
      const expiresMs = nowMs + IDEMPOTENCY_TTL_MS
      return store.execute('claimIdempotencyKey', { ...args, nowMs, aliveSinceMs, expiresMs })
    },
    async release(args) {
      if (isShared) await store.execute('releaseIdempotencyKey', args)
    },
  }
}

const findKey = statement<'account' | 'key' | 'now'>()((db, param) =>
  db
    .selectFrom('idempotency_keys')
    .select(['body_digest', 'request_id', 'claimed_ms'])
    .where('account_id', '=', param('account'))
    .where('key_digest', '=', param('key'))
    .where('expires_ms', '>', param('now')),
)

/** What became of a request: its charge, its row, its hold. */
const findOutcome = statement<'request'>()((db, param) =>
  db.selectNoFrom((select) => [
    select
      .selectFrom('ledger_entries')
      .select('seq')
      .where('request_id', '=', param('request'))
      .where('type', '=', 'usage')
      .as('seq'),
    select.selectFrom('requests').select('status').where('request_id', '=', param('request')).as('status'),
    select.selectFrom('holds').select('expires_ms').where('request_id', '=', param('request')).as('held_until_ms'),
  ]),
)

const putKey = statement<keyof IdempotencyKeyTable>()((db, param) =>
  db
    .insertInto('idempotency_keys')
    .values({
      account_id: param('account_id'),
      key_digest: param('key_digest'),
      body_digest: param('body_digest'),
      request_id: param('request_id'),
      expires_ms: param('expires_ms'),
      claimed_ms: param('claimed_ms'),
    })
    .onConflict((conflict) =>
      conflict.columns(['account_id', 'key_digest']).doUpdateSet({
        body_digest: param('body_digest'),
        request_id: param('request_id'),
        expires_ms: param('expires_ms'),
        claimed_ms: param('claimed_ms'),
      }),
    ),
)

const clearClaim = statement<'account' | 'key' | 'request'>()((db, param) =>
  db
    .updateTable('idempotency_keys')
    .set({ claimed_ms: 0 })
    .where('account_id', '=', param('account'))
    .where('key_digest', '=', param('key'))
    .where('request_id', '=', param('request')),
)

const deleteExpired = statement<'account' | 'now'>()((db, param) =>
  db
    .deleteFrom('idempotency_keys')
    .where('account_id', '=', param('account'))
    .where('key_digest', 'in', (where) =>
      where
        .selectFrom('idempotency_keys as old')
        .select('old.key_digest')
        .where('old.account_id', '=', param('account'))
        .where('old.expires_ms', '<=', param('now'))
        .limit(EXPIRED_KEYS_PER_CLAIM_MAX),
    ),
)

/** Takes a key for a request, or tells what the request that has it has come to. */
export const claimIdempotencyKey: Command<
  ClaimArgs & { nowMs: number; aliveSinceMs: number; expiresMs: number },
  Claim
> = {
  *work({ accountId: account, keyDigest, bodyDigest, requestId, nowMs: now, aliveSinceMs, expiresMs }) {
    yield* run(deleteExpired, { account, now })
    const { rows } = yield* run(findKey, { account, key: keyDigest, now })
    const known = rows[0]
    if (known && known.body_digest !== bodyDigest) return { kind: 'mismatch' }
    if (known) {
      const { rows: outcomes } = yield* run(findOutcome, { request: known.request_id })
      const { seq, status, held_until_ms: heldUntilMs } = outcomes[0]!
      if (seq !== null || status === 'ok') return { kind: 'answered', requestId: known.request_id }
      const isHeld = heldUntilMs !== null && heldUntilMs > now
      const isBeginning = status === null && known.claimed_ms > aliveSinceMs
      // A second run of this very command after a lost connection finds its own claim.
      if ((isHeld || isBeginning) && known.request_id !== requestId)
        return { kind: 'running', requestId: known.request_id }
    }
    yield* run(putKey, {
      account_id: account,
      key_digest: keyDigest,
      body_digest: bodyDigest,
      request_id: requestId,
      expires_ms: expiresMs,
      claimed_ms: now,
    })
    return { kind: 'claimed' }
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

export const releaseIdempotencyKey: Command<Omit<ClaimArgs, 'bodyDigest'>, void> = {
  *work({ accountId: account, keyDigest: key, requestId: request }) {
    yield* run(clearClaim, { account, key, request })
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}
