/** Time-based limits of one scope; 0 is off. */
export interface LimitSet {
  /** Requests in any minute. */
  readonly rpm: number
  /** Tokens in any minute, prompt and answer together. */
  readonly tpm: number
  /** Requests in any 5 hours, 24 hours and 7 days. */
  readonly rp5h: number
  readonly rpd: number
  readonly rp7d: number
  /** Requests at the same time. */
  readonly concurrency: number
}

export const NO_LIMITS: LimitSet = { rpm: 0, tpm: 0, rp5h: 0, rpd: 0, rp7d: 0, concurrency: 0 }

/** Whether nothing is limited. */
export const isUnlimited = (limits: LimitSet): boolean => Object.values(limits).every((limit) => limit === 0)

export interface TierLimits {
  /** For each account of the tier. */
  readonly limits: LimitSet
  /** For each account of the tier and this model, beside `limits`. */
  readonly models: ReadonlyMap<string, LimitSet>
  /** Requests to free models per UTC day, in place of those of the free tier (R96); null: those. */
  readonly freeRpd: number | null
  /** Bought so much, an account belongs to the tier (R22); null: only those that were given it. */
  readonly minLifetimeNano: bigint | null
}

/** The free tier (R96): requests to all free models of an account together. 0 is off. */
export interface FreeTier {
  readonly rpm: number
  /** Requests per UTC day of an account that has not bought `thresholdNano` of credit. */
  readonly rpd: number
  readonly rpdPaid: number
  readonly thresholdNano: bigint
}

/** What the file says about limits (R78). */
export interface RateLimitSettings {
  /** Null where nothing is limited. Each IP address has its own count. */
  readonly ip: LimitSet | null
  readonly tiers: ReadonlyMap<string, TierLimits>
  /** For each account and model. */
  readonly models: ReadonlyMap<string, LimitSet>
  /** For each account and group. */
  readonly groups: ReadonlyMap<string, LimitSet>
  readonly freeTier: FreeTier
  /** For each account and this model alone, beside `freeTier`; its `thresholdNano` is the one of `freeTier`. */
  readonly freeModels: ReadonlyMap<string, FreeTier>
}

/** Requests that happened close together. */
export interface PastRequests {
  readonly count: number
  readonly lastMs: number
}

/** Whose requests are looked up: those that match every member given. */
export interface HistoryFilter {
  readonly accountId: string
  readonly keyId?: string
  readonly modelId?: string
  /** Requests to any of these, as far as they were charged, be it nothing. */
  readonly freeModelIds?: readonly string[]
}

/** What happened before this process began, so that long windows outlive a restart. Rejects with store_unavailable. */
export interface LimitHistory {
  /** Requests since `sinceMs` that an upstream was asked for, gathered in steps of `stepMs`, oldest first. */
  requests(filter: HistoryFilter, sinceMs: number, stepMs: number): Promise<readonly PastRequests[]>
  /** All that an account ever bought, in nano-USD. */
  purchased(accountId: string): Promise<bigint>
}

/** The counts of one scope where several nodes find them. */
export interface Counts {
  readonly id: string
  /** Grows with each change; 0: there are none. */
  readonly version: number
  readonly state: string
}

export interface CountsWrite {
  readonly id: string
  /** What the new state was made of. */
  readonly version: number
  /** Of the new state; above every version that the scope ever had. */
  readonly next: number
  /** Null: it stays, and is only to be the current one. */
  readonly state: string | null
  /** From then on it may be forgotten. */
  readonly expiresMs: number
}

/** Where nodes count together (R78). Both reject with store_unavailable. */
export interface SharedCounts {
  /** Writes all or, when some version is no longer the current one, none; then it gives what is current of each. Null: written. */
  swap(writes: readonly CountsWrite[]): Promise<readonly Counts[] | null>
  /** Forgets some of what has expired. */
  sweep(nowMs: number): Promise<void>
  /** The clock of limits. */
  now(): number
  /** For a request that could not be counted because others always were faster. */
  busy(): Error
}
