import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '#base/errors.ts'
import type { BillingMode } from '#ledger/types.ts'
import type { Store } from '#store/store.ts'
import { NO_TIERS, tierOf, type Tiers } from './account-tier.ts'
import { keyChecksumHolds, keyDigest } from './key-text.ts'
import { contentOf, effectiveContent } from './key-record.ts'
import { keyOf } from './keys.ts'
import type { ApiKey, Caller, KeyRing } from './types.ts'

/** How long a node may answer from what it knows: by then it sees what another node changed (R19). */
export const KEY_TTL_MS = 5_000
/** From this age on a warm key is read again in the background, so that a busy key never waits for the store. */
const REFRESH_AFTER_MS = 2_500
/** Keys kept warm; the one read longest ago goes first. About a kilobyte each. */
export const KEYS_WARM_MAX = 10_000

/**
 * How long it takes to learn that a key is unknown, revoked or replaced: longer than the store takes to look, so that nobody
 * learns by the clock which of them it is (S12).
 */
const REFUSAL_MS = 2
/** Longer texts are no keys of ours and not worth a digest. */
const KEY_CHARACTERS_MAX = 256

interface Warm {
  readonly caller: Caller & { readonly key: ApiKey }
  readonly loadedMs: number
  /** When a secret that was replaced stops to work; null: this is the current one. */
  readonly untilMs: number | null
}

/**
 * The keys that are in use, by digest: a hit answers at once, a miss reads the store once however many wait for it.
 * `billing: 'off'` overrides the accounts' own mode. An outage of the store is `store_unavailable`, never a 401.
 */
export function createKeyRing(
  store: Store,
  pepper: string,
  options: { billing?: BillingMode; keysWarmMax?: number; tiers?: Tiers } = {},
): KeyRing {
  const { billing, keysWarmMax = KEYS_WARM_MAX, tiers = NO_TIERS } = options
  const warm = new Map<string, Warm>()
  const loading = new Map<string, Promise<Warm | undefined>>()
  const digestOf = createDigests(pepper)
  /** Counts forgotten keys: what was read before the last change is answered, but not kept. */
  let changes = 0

  const load = (digest: string, nowMs: number): Promise<Warm | undefined> => {
    const current = loading.get(digest)
    if (current) return current
    const startedAt = changes
    const reading = readKey(store, digest, nowMs, billing, tiers).then((found) => {
      if (startedAt !== changes) return found
      warm.delete(digest)
      if (found) {
        if (warm.size >= keysWarmMax) warm.delete(warm.keys().next().value!)
        warm.set(digest, found)
      }
      return found
    })
    const tracked = reading.finally(() => {
      if (loading.get(digest) === tracked) loading.delete(digest)
    })
    loading.set(digest, tracked)
    return tracked
  }

  const read = async (digest: string, nowMs: number): Promise<Caller> => {
    const even = wait(REFUSAL_MS)
    const found = await load(digest, nowMs)
    if (found) return judge(found, nowMs)
    await even
    throw unknownKey()
  }

  return {
    find(presented, nowMs, connection) {
      if (presented.length > KEY_CHARACTERS_MAX) throw unknownKey()
      const digest = digestOf(presented, connection)
      const known = warmOf(warm, digest, nowMs)
      // A warm key was checked when it was read; only strangers pay for their checksum.
      if (!known && !keyChecksumHolds(presented)) throw unknownKey()
      const ageMs = known ? nowMs - known.loadedMs : Infinity
      if (known && ageMs < KEY_TTL_MS) {
        // A failed refresh changes nothing: the key stays warm to its end, then the outage shows.
        if (ageMs >= REFRESH_AFTER_MS) load(digest, nowMs).catch(() => {})
        return judge(known, nowMs)
      }
      return read(digest, nowMs)
    },
    findFresh(presented, nowMs) {
      const digest = keyDigest(pepper, presented)
      // A read that is under way may have begun before the change.
      loading.delete(digest)
      return read(digest, nowMs)
    },
    forget(keyId) {
      changes++
      loading.clear()
      if (keyId === undefined) return warm.clear()
      for (const [digest, entry] of warm) if (entry.caller.key.id === keyId) warm.delete(digest)
    },
    forgetAccount(accountId) {
      changes++
      loading.clear()
      for (const [digest, entry] of warm) if (entry.caller.account.id === accountId) warm.delete(digest)
    },
  }
}

/** Digests of keys. A connection says the same key with each of its requests; what is kept of it goes with it. */
function createDigests(pepper: string): (text: string, connection: object | undefined) => string {
  const known = new WeakMap<object, { readonly text: string; readonly digest: string }>()
  return (text, connection) => {
    const last = connection && known.get(connection)
    if (last?.text === text) return last.digest
    const digest = keyDigest(pepper, text)
    if (connection) known.set(connection, { text, digest })
    return digest
  }
}

/** A secret that was replaced is a stranger from then on, also by the time that its refusal takes (S12). */
function warmOf(warm: Map<string, Warm>, digest: string, nowMs: number): Warm | undefined {
  const known = warm.get(digest)
  if (!known || known.untilMs === null || known.untilMs > nowMs) return known
  warm.delete(digest)
  return undefined
}

const unknownKey = (): GatewayError => new GatewayError('invalid_api_key', 'The API key is not valid.')

function judge({ caller }: Warm, nowMs: number): Caller {
  const { key, account } = caller
  if (key.disabled) throw new GatewayError('key_disabled', 'This API key is disabled.')
  if (key.expiresMs !== null && key.expiresMs <= nowMs) {
    throw new GatewayError('key_expired', 'This API key has expired.')
  }
  if (account.status === 'suspended') throw new GatewayError('account_suspended', 'This account is suspended.')
  return caller
}

async function readKey(
  store: Store,
  digest: string,
  nowMs: number,
  billing: BillingMode | undefined,
  tiers: Tiers,
): Promise<Warm | undefined> {
  const row = await store.read
    .selectFrom('api_keys as k')
    .innerJoin('accounts as a', 'a.id', 'k.account_id')
    .selectAll('k')
    .select(['a.email', 'a.mode', 'a.status', 'a.tier', 'a.tier_assigned', 'a.purchased_nano', 'a.charge_ppm'])
    .select('a.content_log')
    .where(({ eb, or, and }) =>
      or([eb('k.hash', '=', digest), and([eb('k.previous_hash', '=', digest), eb('k.previous_until_ms', '>', nowMs)])]),
    )
    .where('k.removed_ms', 'is', null)
    .executeTakeFirst()
  if (!row) return undefined
  const { email, mode, status } = row
  const chargeFactor = BigInt(row.charge_ppm)
  const account = { id: row.account_id, email, mode, status, tier: tierOf(row, tiers), chargeFactor }
  const untilMs = row.hash === digest ? null : row.previous_until_ms
  const key = keyOf(row)
  const contentLog = effectiveContent(key.record?.content ?? null, contentOf(row.content_log))
  return { caller: { account, key, billing: billing === 'off' ? 'off' : mode, contentLog }, loadedMs: nowMs, untilMs }
}
