import { GatewayError } from '#base/errors.ts'
import { limitHeaders } from './headers.ts'
import {
  type Grant,
  type Granted,
  Limiter,
  LONG_WINDOWS,
  mergeStandings,
  type Refused,
  type Scope,
  type Standing,
  WINDOW_MS,
} from './limiter.ts'
import { addressScope, freeDayLimit, freeId, type LimitedRequest, scopesOf } from './scopes.ts'
import { DAY_MS, PARTS_MAX } from './sliding-window.ts'
import { type Pasts, type SharedGranted, SharedLimiter } from './shared-limiter.ts'
import type { HistoryFilter, LimitHistory, PastRequests, RateLimitSettings, SharedCounts } from './types.ts'

/** For how long an account that has not bought enough is not looked up again. */
export const PURCHASED_TTL_MS = 10_000
/** Accounts whose purchases are remembered; the one learned longest ago goes first. */
export const PURCHASED_MAX = 10_000

/** Accounts whose refused requests for free models are counted on a day; beyond them nobody new is. */
export const FREE_REFUSERS_MAX = 10_000

/** Tries to put the past in that several nodes share. */
const READINGS_MAX = 3

/** What a request is told about limits, whether it passes or not. */
export interface LimitAnswer {
  readonly headers: Readonly<Record<string, string>>
  /** Null when it passed. */
  readonly error: GatewayError | null
  readonly grant: Grant | null
  readonly standing: Standing
}

export interface RateLimitsOptions {
  readonly settings: () => RateLimitSettings
  readonly history: LimitHistory
  /** Ids of the free models at the moment. */
  readonly freeModelIds: () => readonly string[]
  readonly now?: () => number
  readonly limiter?: Limiter
  /** Where several nodes count together; absent: this one counts alone, in memory. */
  readonly shared?: SharedCounts
}

/** How much of the free tier's day is used. */
export interface FreeDay {
  /** Null: not limited. */
  readonly limit: number | null
  readonly used: number
  readonly resetMs: number
}

/** All time-based limits of one gateway (R78, R96): settings, counts, and the past that long windows begin with. */
export class RateLimits {
  private readonly options: RateLimitsOptions
  private readonly limiter: Limiter
  private readonly shared: SharedLimiter | null
  private readonly loading = new Map<string, Promise<void>>()
  private refusals = { dayStartMs: 0, counts: new Map<string, number>() }
  private readonly purchased = new Map<string, { readonly hasPaid: boolean; readonly readMs: number }>()

  constructor(options: RateLimitsOptions) {
    this.options = options
    this.limiter = options.limiter ?? new Limiter()
    this.shared = options.shared ? new SharedLimiter(options.shared) : null
  }

  nowMs(): number {
    return this.options.now?.() ?? Date.now()
  }

  /** Whether no limit can hold for the request: then nothing else here is worth calling. */
  isOff(request: Pick<LimitedRequest, 'key' | 'isFree'>): boolean {
    const { ip, tiers, models, groups } = this.options.settings()
    if (request.isFree || (request.key !== null && request.key.rateLimits !== null)) return false
    return ip === null && tiers.size === 0 && models.size === 0 && groups.size === 0
  }

  /** The limits of an address, which need no caller. Null where there are none. */
  admitAddress(ip: string | null, anthropic: boolean): LimitAnswer | null | Promise<LimitAnswer> {
    const scope = addressScope(this.options.settings(), ip)
    if (scope === null) return null
    if (this.shared) return this.admitTogether(this.shared, [scope], 0, anthropic, null)
    return this.answer(this.limiter.admit([scope], 0, this.nowMs()), anthropic, null)
  }

  /**
   * Admits a request of about `tokens` tokens, or refuses it. Synchronous unless something of the past has to be read
   * first. Null where no limit holds. `address` is what `admitAddress` said of it. Rejects with store_unavailable.
   */
  admit(
    request: LimitedRequest,
    tokens: number,
    anthropic: boolean,
    address: LimitAnswer | null = null,
  ): LimitAnswer | null | Promise<LimitAnswer | null> {
    const nowMs = this.nowMs()
    const unpaid = request.isFree ? this.learnPurchased(request.accountId, nowMs) : null
    if (unpaid) return unpaid.then(() => this.admit(request, tokens, anthropic, address))
    const scopes = scopesOf(this.options.settings(), request, () => this.hasPaid(request.accountId))
    if (scopes.length === 0) return null
    if (this.shared) return this.admitTogether(this.shared, scopes, tokens, anthropic, address)
    const loading = this.loadPast(scopes, nowMs)
    if (loading) return loading.then(() => this.admit(request, tokens, anthropic, address))
    return this.answer(this.limiter.admit(scopes, tokens, nowMs), anthropic, address)
  }

  /** A request for a free model was refused. */
  noteFreeRefusal(accountId: string): void {
    const nowMs = this.nowMs()
    const dayStartMs = nowMs - (nowMs % DAY_MS)
    if (this.refusals.dayStartMs !== dayStartMs) this.refusals = { dayStartMs, counts: new Map() }
    const { counts } = this.refusals
    const known = counts.get(accountId)
    if (known !== undefined || counts.size < FREE_REFUSERS_MAX) counts.set(accountId, (known ?? 0) + 1)
  }

  /** Of the UTC day in which the last one was, on this node. */
  freeRefusals(): { accountId: string; dayStartMs: number; count: number }[] {
    const { dayStartMs, counts } = this.refusals
    return [...counts].map(([accountId, count]) => ({ accountId, dayStartMs, count }))
  }

  /** Where the free tier's day of an account stands. */
  readonly freeDay = async (accountId: string, tier: string): Promise<FreeDay> => {
    const nowMs = this.nowMs()
    await this.learnPurchased(accountId, nowMs)
    const settings = this.options.settings()
    const hasPaid = () => this.hasPaid(accountId)
    const limit = freeDayLimit(settings, tier, hasPaid)
    const resetMs = nowMs - (nowMs % DAY_MS) + DAY_MS
    if (limit === 0) return { limit: null, used: 0, resetMs }
    const request = { accountId, tier, key: null, modelId: '', group: '', ip: null, isFree: true }
    const scope = scopesOf(settings, request, hasPaid).at(-1)!
    const { shared } = this
    if (shared) return { limit, used: await this.usedTogether(shared, scope, nowMs), resetMs }
    await this.loadPast([scope], nowMs)
    return { limit, used: this.limiter.used(freeId(accountId), 'perUtcDay', nowMs), resetMs }
  }

  private async admitTogether(
    shared: SharedLimiter,
    scopes: readonly Scope[],
    tokens: number,
    anthropic: boolean,
    address: LimitAnswer | null,
  ): Promise<LimitAnswer> {
    const nowMs = this.nowMs()
    let decision = await shared.admit(scopes, tokens, nowMs, null)
    for (let reading = 1; decision === null; reading++) {
      // What was read is put in by the next try, unless another node forgot the scope in between.
      if (reading > READINGS_MAX) throw new GatewayError('store_unavailable', 'The past of limits cannot be read.')
      decision = await shared.admit(scopes, tokens, nowMs, await this.readPasts(scopes, nowMs))
    }
    return this.answer(decision, anthropic, address)
  }

  private async usedTogether(shared: SharedLimiter, scope: Scope, nowMs: number): Promise<number> {
    const known = await shared.used(scope, 'perUtcDay', nowMs, null)
    if (known !== null) return known
    return (await shared.used(scope, 'perUtcDay', nowMs, await this.readPasts([scope], nowMs))) ?? 0
  }

  private async readPasts(scopes: readonly Scope[], nowMs: number): Promise<Pasts> {
    const wanted = scopes.flatMap((scope) =>
      scope.history === null
        ? []
        : LONG_WINDOWS.filter((name) => scope.limits[name] > 0).map((name) => ({ scope, name })),
    )
    const read = wanted.map(
      async ({ scope, name }) => [`${scope.id} ${name}`, await this.pastOf(scope, name, nowMs)] as const,
    )
    return new Map(await Promise.all(read))
  }

  private answer(
    decision: SharedGranted | Granted | Refused,
    anthropic: boolean,
    address: LimitAnswer | null,
  ): LimitAnswer {
    const standing = address ? mergeStandings(address.standing, decision.standing) : decision.standing
    const headers = limitHeaders(standing, anthropic, this.nowMs())
    if (decision.granted) return { headers, error: null, grant: decision.grant, standing }
    return { headers, error: refusal(decision), grant: null, standing }
  }

  private hasPaid(accountId: string): boolean {
    return this.purchased.get(accountId)?.hasPaid ?? false
  }

  /** What was bought only grows: who has paid is never asked for again. */
  private learnPurchased(accountId: string, nowMs: number): Promise<void> | null {
    const { thresholdNano } = this.options.settings().freeTier
    const known = this.purchased.get(accountId)
    if (known && (known.hasPaid || Math.abs(nowMs - known.readMs) < PURCHASED_TTL_MS)) return null
    return this.once(`purchased ${accountId}`, async () => {
      const hasPaid = (await this.options.history.purchased(accountId)) >= thresholdNano
      this.purchased.delete(accountId)
      if (this.purchased.size >= PURCHASED_MAX) this.purchased.delete(this.purchased.keys().next().value!)
      this.purchased.set(accountId, { hasPaid, readMs: nowMs })
    })
  }

  private loadPast(scopes: readonly Scope[], nowMs: number): Promise<void> | null {
    const missing = scopes.filter((scope) => this.limiter.unloaded(scope).length > 0)
    if (missing.length === 0) return null
    return Promise.all(missing.map((scope) => this.once(scope.id, () => this.loadScope(scope, nowMs)))).then(
      () => undefined,
    )
  }

  private async loadScope(scope: Scope, nowMs: number): Promise<void> {
    for (const name of LONG_WINDOWS) {
      if (!this.limiter.unloaded(scope).includes(name)) continue
      this.limiter.load(scope, name, await this.pastOf(scope, name, nowMs))
    }
  }

  private pastOf(scope: Scope, name: (typeof LONG_WINDOWS)[number], nowMs: number): Promise<readonly PastRequests[]> {
    const isDay = name === 'perUtcDay'
    const sinceMs = isDay ? nowMs - (nowMs % DAY_MS) : nowMs - WINDOW_MS[name]
    const stepMs = (isDay ? DAY_MS : WINDOW_MS[name]) / PARTS_MAX
    return this.options.history.requests(this.filterOf(scope), sinceMs, stepMs)
  }

  private filterOf({ history }: Scope): HistoryFilter {
    return history!.freeModelIds ? { ...history!, freeModelIds: this.options.freeModelIds() } : history!
  }

  /** However many wait for it, it is read once. */
  private once(name: string, read: () => Promise<void>): Promise<void> {
    const known = this.loading.get(name)
    if (known) return known
    const reading = read().finally(() => this.loading.delete(name))
    this.loading.set(name, reading)
    return reading
  }
}

const TEXTS = {
  rpm: 'requests per minute',
  tpm: 'tokens per minute',
  rp5h: 'requests per 5 hours',
  rpd: 'requests per day',
  rp7d: 'requests per 7 days',
  perUtcDay: 'requests per UTC day',
  concurrency: 'requests at the same time',
} as const

function refusal({ scope, limit, waitMs }: Refused): GatewayError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  const message = `The limit of ${scope.limits[limit]} ${TEXTS[limit]} for ${scope.what} is reached. Try again in ${seconds} s.`
  const code = limit === 'perUtcDay' ? 'free_tier_daily_limit' : 'rate_limit_exceeded'
  return new GatewayError(code, message, { retryAfterSeconds: seconds })
}
