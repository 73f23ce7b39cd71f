import type { Accounts, Caller, KeyRing, Keys } from '#accounts/types.ts'
import type { Analytics } from '#analytics/analytics.ts'
import type { Receipts } from '#analytics/receipts.ts'
import type { Audit } from '#observe/audit.ts'
import type { RequestHeaders } from '#codecs/dialect.ts'
import type { CatalogSource } from '#catalog/types.ts'
import type { TargetHealth } from '#health/target-health.ts'
import type { FreeDay } from '#limits/rate-limits.ts'
import type { Settings } from '#config/types.ts'
import type { ResponseState } from '#response-state/types.ts'
import type { RequestReads } from './request-reads.ts'

/** Everything the control plane works on; `main.ts` hands it in. */
export interface ControlPlaneDeps {
  readonly accounts: Accounts
  readonly keys: Keys
  readonly keyRing: KeyRing
  readonly catalog: CatalogSource
  readonly health: Pick<TargetHealth, 'describe'>
  readonly requests: RequestReads
  /** Null: accounting is off, nothing is recorded (R108). */
  readonly analytics: Analytics | null
  readonly receipts: Receipts
  readonly audit: Audit
  readonly responses: Pick<ResponseState, 'find' | 'listInput' | 'remove'>
  /** Who calls when client authentication is off (R16); null: everyone needs a key. */
  readonly localCaller: Caller | null
  readonly masterKey: string
  readonly settings: Settings
  readonly version: string
  /** Hears of failures that are ours, with what their clients are not told. */
  readonly log?: FailureLog
  /** Tells what would become of a request; null where there is no data plane to ask (the command line). */
  readonly explainer: RouteExplainer | null
  /** What the reload changes of `settings`. */
  routing(): Settings['routing']
  /** The public root without trailing slash, or null to tell each client the origin it came by (R10). */
  gatewayUrl(): string | null
  /** Where the free tier's day of an account stands (R96). */
  freeDay(accountId: string, tier: string): Promise<FreeDay>
}

/** The data plane's planner as the control plane may ask it; `main.ts` puts the two together. */
export interface RouteExplainer {
  resolve(asker: RouteAsker, model: string): Readonly<Record<string, unknown>>
  explain(asker: RouteAsker, question: Buffer): Promise<Readonly<Record<string, unknown>>>
}

export interface RouteAsker {
  readonly caller: Caller
  /** Only the operator learns where requests go. */
  readonly seesBackends: boolean
  readonly headers: RequestHeaders
}

export interface FailureLog {
  error(facts: { requestId: string; code: string; internal: string | undefined; err: unknown }, text: string): void
}

/** Who calls, after the guard. */
export type Actor = KeyActor | MasterActor | Nobody
export interface KeyActor {
  readonly kind: 'key'
  readonly caller: Caller
}
export interface MasterActor {
  readonly kind: 'master'
}
export interface Nobody {
  readonly kind: 'nobody'
}

/** One request to the control plane as its handlers see it: no fastify, no sockets. */
export interface Call<A extends Actor = Actor> {
  readonly deps: ControlPlaneDeps
  readonly actor: A
  readonly requestId: string
  readonly nowMs: number
  /** Path without the query. */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers: RequestHeaders
  /** Scheme and authority the client used, already validated. */
  readonly origin: string
  /** Parsed JSON; undefined when there is none. */
  readonly body: unknown
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Written as JSON, unless it is text, bytes or a stream, which need a content-type among `headers`. */
  readonly body: unknown
}

export type Handler<A extends Actor> = (call: Call<A>) => Answer | Promise<Answer>
