import type { Accounts, Caller, KeyRing, Keys } from '#accounts/types.ts'
import type { Billing } from '#billing/billing.ts'
import type { Analytics } from '#analytics/analytics.ts'
import type { Receipts } from '#analytics/receipts.ts'
import type { Audit } from '#observe/audit.ts'
import type { CrossOrigins } from '#base/cross-origin.ts'
import type { ContentLog } from '#observe/content-log.ts'
import type { RequestHeaders } from '#codecs/dialect.ts'
import type { CatalogSource } from '#catalog/types.ts'
import type { TargetHealth } from '#health/target-health.ts'
import type { AgentSessions } from '#ledger/agent-sessions.ts'
import type { FreeDay } from '#limits/rate-limits.ts'
import type { ManagedRoute } from '#config/managed-routes.ts'
import type { Settings } from '#config/types.ts'
import type { Session, Sessions } from '#sessions/types.ts'
import type { ResponseState } from '#response-state/types.ts'
import type { RequestReads } from './request-reads.ts'

/** Everything the control plane works on; `main.ts` hands it in. */
export interface ControlPlaneDeps {
  readonly accounts: Accounts
  readonly keys: Keys
  readonly keyRing: KeyRing
  readonly billing: Billing
  readonly agentSessions: AgentSessions
  readonly catalog: CatalogSource
  readonly health: Pick<TargetHealth, 'describe'>
  readonly requests: RequestReads
  /** Null: accounting is off, nothing is recorded (R108). */
  readonly analytics: Analytics | null
  readonly receipts: Receipts
  readonly audit: Audit
  /** What was asked and answered, of keys that want it kept. */
  readonly contents: Pick<ContentLog, 'find' | 'remove'>
  readonly responses: Pick<ResponseState, 'find' | 'listInput' | 'remove'>
  /** Who calls when client authentication is off (R16); null: everyone needs a key. */
  readonly localCaller: Caller | null
  readonly masterKey: string
  /** Who signs in; null in single-user mode, where nobody has to (C40). */
  readonly sessions: Sessions | null
  readonly settings: Settings
  /** Pages of other origins; absent where no browser asks (the command line, tests). */
  readonly origins?: CrossOrigins
  readonly version: string
  /** Requests under way, and those of them that are read on for clients that left. */
  readonly traffic: () => { readonly active: number; readonly readOn: number }
  /** Hears of failures that are ours, with what their clients are not told. */
  readonly log?: FailureLog
  /** Tells what would become of a request; null where there is no data plane to ask (the command line). */
  readonly explainer: RouteExplainer | null
  /** Routes that can be changed while the gateway runs; null where none runs (the command line). */
  readonly managedRoutes: ManagedRoutes | null
  /** What the reload changes of `settings`. */
  routing(): Settings['routing']
  /** The public root without trailing slash, or null to tell each client the origin it came by (R10). */
  gatewayUrl(): string | null
  /** Milliseconds since 1970; default: the machine's clock. */
  readonly now?: () => number
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

/** Routes of the database; `main.ts` puts them into the configuration. */
export interface ManagedRoutes {
  readonly current: readonly ManagedRoute[]
  /**
   * Replaces the list and takes it over. Throws GatewayError 400 when the route of this id is faulty, 409 when somebody
   * else changed the list meanwhile; then nothing has changed.
   */
  replace(next: readonly ManagedRoute[], changedId: string | null): Promise<void>
}

export interface FailureLog {
  error(facts: { requestId: string; code: string; internal: string | undefined; err: unknown }, text: string): void
}

/** Who calls, after the guard. */
export type Actor = KeyActor | MasterActor | Nobody
export interface KeyActor {
  readonly kind: 'key'
  readonly caller: Caller
  /** Signed in instead of presenting a key: the caller has none. */
  readonly session?: Session
}
export interface MasterActor {
  readonly kind: 'master'
  /** The administrator who is signed in; absent: whoever has the master key. */
  readonly session?: Session
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
  readonly method: string
  /** Of the peer, as the socket says. */
  readonly ip: string
  /** Path and query as they were sent. */
  readonly url: string
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
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Written as JSON, unless it is text, bytes or a stream, which need a content-type among `headers`. */
  readonly body: unknown
}

export type Handler<A extends Actor> = (call: Call<A>) => Answer | Promise<Answer>
