/**
 * Where the prompts of conversations are cached, in memory of this process, and whether a conversation is worth moving (B5).
 * Knows no catalog: routes are names, prices are per token in any one unit.
 */

/** Of one token in each of the classes that a turn has. */
export interface TurnPrices {
  /** Read by the upstream for the first time: as input, or as a write of the cache. */
  readonly fresh: bigint
  /** Read from the cache. */
  readonly read: bigint
  readonly output: bigint
}

/** A route that may serve the next turn. */
export interface CacheCandidate {
  readonly route: string
  /** Null: nobody knows them, and the route is never moved to for its price. */
  readonly prices: TurnPrices | null
  readonly ttftMs: number | null
  /** Lower comes first; a conversation never moves to a route behind its own. */
  readonly rank: number
}

export interface NextTurn {
  /** Tokens of the whole prompt, estimated. */
  readonly promptTokens: number
  /** What a second of waiting is worth, in the unit of the prices. */
  readonly secondValue: bigint
}

export interface CacheDecision {
  readonly decision: 'kept' | 'switched'
  readonly reason: 'cache_is_cheaper' | 'saving_is_larger' | 'route_not_eligible'
  /** The route to begin with; null: none of those that have a cache. */
  readonly route: string | null
  /** Tokens that are cached for this conversation where it was. */
  readonly prefixTokens: number
  /** What it costs to leave that cache for the route that was chosen or would have been, in the unit of the prices. */
  readonly breakCost: bigint | null
}

/** What a turn has left in a cache. */
export interface CachedTurn {
  readonly route: string
  readonly prefixTokens: number
  readonly outputTokens: number
  /** How long the cache lives without use; null: as before, else the shortest of the classes. */
  readonly ttlMs: number | null
}

const MINUTE_MS = 60_000
/** Lifetimes that providers give a cached prefix. */
export const TTL_MS = { '5m': 5 * MINUTE_MS, '30m': 30 * MINUTE_MS, '1h': 60 * MINUTE_MS } as const

/** Conversations that are remembered; the one that was quiet for longest goes first. */
export const CONVERSATIONS_MAX = 10_000
/** Routes of one conversation that are remembered. */
export const CACHED_ROUTES_MAX = 8
/** No conversation is expected to go on for more turns than this. */
export const TURNS_LEFT_MAX = 50

interface Prefix {
  tokens: number
  ttlMs: number
  expiresAt: number
}

interface Conversation {
  turns: number
  meanOutput: number
  /** By route, the one that was used last at the end. */
  readonly prefixes: Map<string, Prefix>
}

export class PromptCaches {
  private readonly conversations = new Map<string, Conversation>()
  private readonly now: () => number

  /** @param now milliseconds of any clock that does not jump. */
  constructor(now: () => number) {
    this.now = now
  }

  get size(): number {
    return this.conversations.size
  }

  /** A turn was answered. One that left nothing in a cache ends what was known of its route. */
  answered(conversation: string, turn: CachedTurn): void {
    const known = this.conversations.get(conversation)
    if (turn.prefixTokens <= 0) {
      if (known?.prefixes.delete(turn.route) && known.prefixes.size === 0) this.conversations.delete(conversation)
      return
    }
    const kept: Conversation = known ?? { turns: 0, meanOutput: turn.outputTokens, prefixes: new Map() }
    const ttlMs = turn.ttlMs ?? kept.prefixes.get(turn.route)?.ttlMs ?? TTL_MS['5m']
    kept.meanOutput = (kept.meanOutput * kept.turns + turn.outputTokens) / (kept.turns + 1)
    kept.turns++
    putLast(
      kept.prefixes,
      turn.route,
      { tokens: turn.prefixTokens, ttlMs, expiresAt: this.now() + ttlMs },
      CACHED_ROUTES_MAX,
    )
    putLast(this.conversations, conversation, kept, CONVERSATIONS_MAX)
  }

  /** What to do with the next turn; null where nothing is cached for it. `candidates` are in the order that else holds. */
  decide(conversation: string, candidates: readonly CacheCandidate[], next: NextTurn): CacheDecision | null {
    const known = this.conversations.get(conversation)
    const last = known && this.lastAlive(known)
    if (!known || !last) return null
    const [route, { tokens: prefixTokens }] = last
    const own = candidates.find((each) => each.route === route)
    const others = candidates.filter((each) => each.route !== route)
    if (!own) {
      const breakCost = others[0] ? this.breakCost(known, prefixTokens, others[0]) : null
      return { decision: 'switched', reason: 'route_not_eligible', route: null, prefixTokens, breakCost }
    }
    const gains = others.map((other) => ({ other, gain: this.gain(known, prefixTokens, own, other, next) }))
    const best = gains.reduce<(typeof gains)[number] | null>(
      (found, each) => (each.gain !== null && each.gain > (found?.gain ?? 0n) ? each : found),
      null,
    )
    const considered = best?.other ?? others[0]
    const breakCost = considered ? this.switchCost(known, prefixTokens, own, considered, next) : null
    return best
      ? { decision: 'switched', reason: 'saving_is_larger', route: best.other.route, prefixTokens, breakCost }
      : { decision: 'kept', reason: 'cache_is_cheaper', route, prefixTokens, breakCost }
  }

  /** What is saved by moving, less what moving costs; null where that cannot be told or may not be. */
  private gain(
    known: Conversation,
    prefixTokens: number,
    own: CacheCandidate,
    other: CacheCandidate,
    next: NextTurn,
  ): bigint | null {
    if (own.prices === null || other.prices === null || other.rank > own.rank) return null
    const freshTokens = Math.max(0, next.promptTokens - prefixTokens)
    const turn = (prices: TurnPrices): bigint =>
      times(prefixTokens, prices.read) + times(freshTokens, prices.fresh) + times(known.meanOutput, prices.output)
    // A conversation is expected to go on for as long as it has lasted.
    const turnsLeft = Math.min(known.turns, TURNS_LEFT_MAX)
    const saving = BigInt(turnsLeft) * (turn(own.prices) - turn(other.prices))
    return saving - this.switchCost(known, prefixTokens, own, other, next)!
  }

  private switchCost(
    known: Conversation,
    prefixTokens: number,
    own: CacheCandidate,
    other: CacheCandidate,
    { secondValue }: NextTurn,
  ): bigint | null {
    const breakCost = this.breakCost(known, prefixTokens, other)
    if (breakCost === null) return null
    const extraMs = own.ttftMs === null || other.ttftMs === null ? 0 : Math.max(0, other.ttftMs - own.ttftMs)
    return breakCost + times(extraMs, secondValue) / 1000n
  }

  /** The prefix is written anew, as far as the other route has not cached it too. */
  private breakCost(known: Conversation, prefixTokens: number, { route, prices }: CacheCandidate): bigint | null {
    if (prices === null) return null
    const there = known.prefixes.get(route)
    const cachedThere = there && there.expiresAt > this.now() ? there.tokens : 0
    return times(Math.max(0, prefixTokens - cachedThere), prices.fresh - prices.read)
  }

  private lastAlive({ prefixes }: Conversation): readonly [string, Prefix] | undefined {
    const now = this.now()
    return [...prefixes].findLast(([, { expiresAt }]) => expiresAt > now)
  }
}

const times = (count: number, price: bigint): bigint => BigInt(Math.round(count)) * price

function putLast<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > max) map.delete(map.keys().next().value!)
}
