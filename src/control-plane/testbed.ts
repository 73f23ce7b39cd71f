import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { createAccounts, ensureBuiltInAccounts } from '#accounts/accounts.ts'
import { createKeyRing } from '#accounts/key-ring.ts'
import { createKeys } from '#accounts/keys.ts'
import { createReceipts } from '#analytics/receipts.ts'
import { createAudit } from '#observe/audit.ts'
import { createContentLog } from '#observe/content-log.ts'
import { ensurePepper } from '#accounts/secrets.ts'
import type { Accounts, Keys } from '#accounts/types.ts'
import { type Billing, type BillingOptions, createBilling } from '#billing/billing.ts'
import { createAnalytics } from '#analytics/analytics.ts'
import { createRollups } from '#analytics/rollups.ts'
import { buildCatalog, createCatalogSource } from '#catalog/catalog.ts'
import { TargetHealth } from '#health/target-health.ts'
import { loadConfig } from '#config/load.ts'
import { createAgentSessions } from '#ledger/agent-sessions.ts'
import { createLedger } from '#ledger/ledger.ts'
import type { Ledger } from '#ledger/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { Outbound } from '#outbound/outbound.ts'
import { createResponseState } from '#response-state/response-state.ts'
import { openStore, type Store } from '#store/store.ts'
import type { ControlPlaneDeps } from './call.ts'
import { sendError } from './mount.ts'
import { createRequestReads } from './request-reads.ts'
import { registerControlPlane } from './routes.ts'

/** The control plane as `main.ts` builds it, over a database of its own; for tests of this folder. */
export interface Testbed {
  readonly app: FastifyInstance
  readonly store: Store
  readonly accounts: Accounts
  readonly keys: Keys
  readonly billing: Billing
  readonly ledger: Ledger
  readonly masterKey: string
  /** Sends one request; `key` goes into the Authorization header, `body` is JSON or raw text. */
  ask(method: string, path: string, options?: Ask): Promise<Told>
  close(): Promise<void>
}

export interface Ask {
  readonly key?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
}

export interface Told {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
  // The tests look into bodies of every route.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

const MASTER_KEY = 'tmk-test-master-key'

const CONFIG_ENV = {
  OPENAI_API_KEY: 'sk-upstream-openai-secret',
  ANTHROPIC_API_KEY: 'sk-upstream-anthropic-secret',
  GEMINI_API_KEY: 'upstream-gemini-secret',
}

/** `databaseUrl`: a PostgreSQL that stands in for the database of its own. */
export async function startTestbed(
  change: Partial<ControlPlaneDeps> = {},
  billingChange: Partial<BillingOptions> = {},
  databaseUrl?: string,
): Promise<Testbed> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trivium-control-'))
  const { settings } = loadConfig({ flags: {}, env: { ...CONFIG_ENV, DATA_DIR: dataDir }, cwd: dataDir })
  const store = await openStore(
    databaseUrl === undefined
      ? { kind: 'sqlite', file: join(dataDir, 'test.db') }
      : { kind: 'postgres', url: databaseUrl },
  )
  await ensureBuiltInAccounts(store)
  const pepper = await ensurePepper(store, dataDir)
  const keyRing = createKeyRing(store, pepper)
  const accounts = createAccounts(store, { keyRing })
  const keys = createKeys(store, pepper, keyRing)
  const billing = testBilling(store, pepper, change.now, billingChange)
  const app = Fastify({ logger: false, frameworkErrors: (error, request, reply) => sendError(request, reply, error) })
  registerControlPlane(app, {
    accounts,
    keys,
    billing,
    agentSessions: createAgentSessions(store, change.now),
    keyRing,
    health: new TargetHealth(),
    catalog: createCatalogSource(buildCatalog(settings, { simulatorUrl: null, nowMs: Date.now() })),
    requests: createRequestReads(store),
    analytics: createAnalytics(store, createRollups(store)),
    receipts: createReceipts(store),
    audit: createAudit(store),
    contents: createContentLog(store, pepper),
    responses: createResponseState(store),
    localCaller: null,
    masterKey: MASTER_KEY,
    sessions: null,
    settings,
    version: '0.0.0-test',
    traffic: () => ({ active: 0, readOn: 0 }),
    gatewayUrl: () => settings.gatewayUrl,
    freeDay: async () => ({ limit: 50, used: 0, resetMs: Date.now() }),
    explainer: null,
    managedRoutes: null,
    routing: () => settings.routing,
    ...change,
  })
  app.route({
    method: ['POST', 'PUT', 'DELETE'],
    url: '/v1/own-refusal',
    config: { allow: ['POST'] } as object,
    handler: (_request, reply) => reply.callNotFound(),
  })
  await app.ready()
  return {
    app,
    store,
    accounts,
    keys,
    billing,
    ledger: createLedger(store),
    masterKey: MASTER_KEY,
    ask: (method, path, options) => ask(app, method, path, options),
    async close() {
      await app.close()
      await store.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Billing without a payment provider and without mail, unless the test brings them. */
function testBilling(
  store: Store,
  pepper: string,
  now: (() => number) | undefined,
  change: Partial<BillingOptions>,
): Billing {
  return createBilling(store, {
    pepper,
    currency: 'USD',
    signupBonusNano: 0n,
    provider: null,
    operatorAccountId: OPERATOR_ACCOUNT_ID,
    outbound: new Outbound({ allowPrivate: () => [] }),
    sendMail: async () => {},
    ...(now && { now }),
    ...change,
  })
}

async function ask(
  app: FastifyInstance,
  method: string,
  path: string,
  { key, headers, body }: Ask = {},
): Promise<Told> {
  const answer = await app.inject({
    method: method as 'GET',
    url: path,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = answer.body
  const isJson = String(answer.headers['content-type'] ?? '').startsWith('application/json') && text !== ''
  return {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string>,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  }
}

/** A finished request of an account, as the data plane would have written it. */
export function requestRow(change: Partial<RequestRow> & Pick<RequestRow, 'request_id'>): RequestRow {
  return {
    client_request_id: null,
    upstream_request_id: 'up_1',
    response_id: `chatcmpl-${change.request_id}`,
    ts_start_ms: 1_760_000_000_000,
    ts_end_ms: 1_760_000_001_000,
    account_id: null,
    key_id: null,
    key_name: null,
    system: null,
    app_title: null,
    app_referer: null,
    app_categories: null,
    user_agent: 'test',
    ip: null,
    protocol: 'openai',
    method: 'POST',
    path: '/v1/chat/completions',
    stream: false,
    requested_model: 'gpt-4o',
    alias_rule: null,
    rule: null,
    resolved_model: 'gpt-4o',
    model_id: 'gpt-4o',
    upstream_model: 'gpt-4o-2024',
    vendor: 'openai',
    backend_id: 'openai',
    group_id: 'default',
    adapter: 'passthrough',
    thinking: false,
    status: 'ok',
    status_code: 200,
    error_code: null,
    error_message: null,
    finish_reason: 'stop',
    latency_ms: 1000,
    ttft_ms: 200,
    gen_ms: 800,
    tokens_input: 10,
    tokens_cache_read: 5,
    tokens_cache_write: null,
    tokens_cache_write_1h: null,
    tokens_output: 20,
    tokens_reasoning: 3,
    usage_source: 'upstream',
    list_cost_nano: 300_000_001n,
    metered_cost_nano: 300_000_001n,
    charged_cost_nano: 300_000_001n,
    absorbed_cost_nano: 0n,
    price_version: 'p1',
    attempts: [{ backend: 'openai', status: 200, error_code: null, latency_ms: 990, retry_after: null }],
    warnings: [],
    warnings_more: 0,
    tool_calls_count: 0,
    cache_decision: null,
    environment: null,
    fault: null,
    session_id: null,
    ...change,
  }
}
