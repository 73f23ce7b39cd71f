import type { Logger } from 'pino'
import type { Caller, KeyRing } from '#accounts/types.ts'
import type { Backend, CatalogSource } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import type { PromptCaches } from '#health/prompt-caches.ts'
import type { RetryBudget } from '#health/retry-budget.ts'
import type { TargetSpeeds } from '#health/target-speed.ts'
import type { TargetHealth } from '#health/target-health.ts'
import type { AgentSessions } from '#ledger/agent-sessions.ts'
import type { Idempotency } from '#ledger/idempotency.ts'
import type { Ledger } from '#ledger/types.ts'
import type { BreakGlass } from '#limits/break-glass.ts'
import type { RateLimits } from '#limits/rate-limits.ts'
import type { RequestFinder, RequestLog } from '#observe/request-row.ts'
import type { Outbound } from '#outbound/outbound.ts'
import type { ResponseState } from '#response-state/types.ts'
import type { Drains } from './drains.ts'
import type { ContentTaker } from './content-copy.ts'
import type { UpstreamPools } from './7-call/pools.ts'
import type { SealStash } from './7-call/seal-stash.ts'
import type { Replays } from './replays.ts'

/** What the data plane stands on. Built once by the composition root; nothing here belongs to one request. */
export interface Gateway {
  readonly settings: Settings
  readonly catalog: CatalogSource
  readonly keyRing: KeyRing
  readonly ledger: Ledger
  /** Bears what no customer is charged for. */
  readonly operatorAccountId: string
  /** Sessions of agents (B14). */
  readonly agentSessions: Pick<AgentSessions, 'count'>
  /** Which requests are one and the same for their clients (M5). */
  readonly idempotency: Idempotency
  readonly replays: Replays
  readonly requestLog: RequestLog
  readonly limits: RateLimits
  /** Raises an alert of the operator's, once per mark, while the request goes on (R98). */
  tellOperator(kind: string, mark: string, facts: Readonly<Record<string, unknown>>): void
  /** What emergencies have cost (B11). */
  readonly breakGlass: BreakGlass
  /** Requests that were answered. */
  readonly requests: RequestFinder
  /** Hears of every request that ended (R109); absent: nobody does. */
  readonly capture?: Pick<RequestLog, 'append'> | undefined
  /** Takes what was asked and answered, of keys that want it kept (R101); absent: nothing is kept of anybody. */
  readonly contents?: ContentTaker | undefined
  /** What clients of the Responses API continue. */
  readonly responses: ResponseState
  readonly sealStash: SealStash
  readonly pools: UpstreamPools
  readonly drains: Drains
  /** Which backends and credentials work at the moment. */
  readonly health: TargetHealth
  readonly retryBudget: RetryBudget
  readonly speeds: TargetSpeeds
  /** Where the prompts of conversations are cached. */
  readonly promptCaches: PromptCaches
  /** From 0 to below 1; tests give their own. */
  readonly random: () => number
  /** Loads what clients name by its address. */
  readonly outbound: Outbound
  readonly log: Logger
  /** The simulator as a backend, started when it is first asked for; only in single-user mode and for test keys (B12). */
  simulated(): Promise<Backend>
  /** Who calls when client authentication is off (R16); null: everyone needs a key. */
  readonly localCaller: Caller | null
}
