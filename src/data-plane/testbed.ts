import type { Caller } from '#accounts/types.ts'
import type { Settings } from '#config/types.ts'
import { PromptCaches } from '#health/prompt-caches.ts'
import { TargetSpeeds } from '#health/target-speed.ts'
import type { Exchange } from './1-receive/exchange.ts'
import type { Operation, Surface } from '#base/protocols.ts'
import type { Backend, Catalog, Group, Model, Price, Route, Timeouts } from '#catalog/types.ts'
import type { RequestFacts } from '#codecs/codec.ts'
import type { Parsed } from './3-parse/parse.ts'
import type { RoutingWishes } from './3-parse/routing-wishes.ts'
import type { Selection } from './4-resolve/selection.ts'
import type { Gateway } from './gateway.ts'

/** The values that the pure steps work on, for their tests. */

export const TIMEOUTS: Timeouts = { connectMs: 1000, ttftMs: 5000, streamIdleMs: 5000, totalMs: 0, requestMs: 5000 }

export const PRICE: Price = {
  input: 3_000_000n,
  output: 15_000_000n,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  reasoning: null,
  image: null,
  request: null,
  tiers: [],
  source: 'config',
  version: 'v1',
  updatedAt: null,
}

export function backendOf(id: string, rest: Partial<Backend> = {}): Backend {
  return {
    id,
    type: 'openai-compatible',
    apiUrl: 'http://upstream.example/v1',
    auth: 'bearer',
    credentials: ['credential'],
    credentialSource: null,
    aws: null,
    protocols: ['openai-chat'],
    headers: {},
    timeouts: TIMEOUTS,
    enabled: true,
    region: null,
    dataPolicy: [],
    ...rest,
  }
}

export function modelOf(id: string, rest: Partial<Model> = {}): Model {
  return {
    id,
    displayName: id,
    vendor: 'vendor',
    kind: 'chat',
    description: '',
    contextWindow: null,
    maxOutput: null,
    capabilities: new Set(),
    inputModalities: ['text'],
    outputModalities: ['text'],
    tags: [],
    releasedAt: null,
    free: false,
    price: PRICE,
    fallbacks: [],
    contextFallbacks: [],
    larger: null,
    strategy: null,
    thinking: null,
    ...rest,
  }
}

export function routeOf(model: Model, backend: Backend, rest: Partial<Route> = {}): Route {
  return {
    model,
    backend,
    group: 'default',
    upstreamModel: model.id,
    protocols: backend.protocols,
    priority: 0,
    weight: 1,
    active: true,
    price: model.price,
    defaultParams: {},
    maxContext: null,
    ...rest,
  }
}

export function groupOf(id: string, rest: Partial<Group> = {}): Group {
  return {
    id,
    public: true,
    allowDefaultBackend: false,
    defaultBackend: null,
    strategy: null,
    vendorPrefixPolicy: null,
    backends: null,
    fallbacks: [],
    regions: [],
    dataPolicy: [],
    ...rest,
  }
}

export function catalogOf(routes: readonly Route[], rest: Partial<Catalog> = {}): Catalog {
  const byModel = Map.groupBy(routes, (route) => route.model.id)
  return {
    generatedMs: 0,
    models: new Map(routes.map(({ model }) => [model.id, model])),
    backends: new Map(routes.map(({ backend }) => [backend.id, backend])),
    groups: new Map([['default', groupOf('default')]]),
    routes: byModel,
    ...rest,
  }
}

export const ROUTING: Settings['routing'] = {
  defaultBackend: null,
  forceModel: null,
  staticRoute: null,
  modelAliases: [],
  listExactAliases: false,
  vendorPrefixPolicy: 'strip',
  strictUriParameters: false,
  disableBackendIds: false,
  disableBackendNames: false,
  disableModelNames: false,
  forceContextWindow: null,
  strategy: 'weighted_random',
  allUnhealthy: 'try',
  upstreamErrorPassthrough: false,
  drainOnDisconnectMs: 0,
  latencyValuePico: 0n,
}

export interface Told {
  readonly routing?: Partial<Settings['routing']>
  readonly failoverRoutes?: Settings['failoverRoutes']
  readonly hybrid?: Partial<Settings['hybrid']>
  readonly random?: () => number
}

const SILENT = { error() {}, warn() {} }

/** As much of a gateway as the steps without I/O look at. */
export function gatewayOf(catalog: Catalog, told: Told = {}): Gateway {
  const settings = {
    reservation: { minOutputTokens: 256, defaultMaxOutput: 4096 },
    failureHandling: { enabled: true, maxFailoverHops: 5 },
    routing: { ...ROUTING, ...told.routing },
    modelRules: [],
    failoverRoutes: told.failoverRoutes ?? {},
    hybrid: { enabled: true, ...told.hybrid },
  }
  const random = told.random ?? (() => 0)
  const speeds = new TargetSpeeds()
  const promptCaches = new PromptCaches(() => 0)
  return {
    catalog: { current: catalog },
    settings,
    speeds,
    promptCaches,
    random,
    log: SILENT,
  } as unknown as Gateway
}

/** An exchange of which only the headers are looked at. */
export const exchangeOf = (headers: Readonly<Record<string, string>> = {}): Exchange =>
  ({ id: 'req_1', request: { headers } }) as unknown as Exchange

export function callerOf(billing: Caller['billing'] = 'prepaid'): Caller {
  return {
    account: { id: 'acc', email: 'a@b.example', mode: 'prepaid', status: 'active', tier: 'x' },
    key: null,
    billing,
  }
}

export const FACTS: RequestFacts = {
  model: 'm',
  stream: false,
  outputTokensMax: null,
  candidates: 1,
  showsUsage: null,
  unseen: { mediaCount: 0, unbounded: false },
  namesRouting: false,
  spans: {},
}

export interface Asked {
  readonly model?: string
  readonly surface?: Surface
  readonly operation?: Operation
  readonly body?: string
  readonly facts?: Partial<RequestFacts>
  readonly wishes?: RoutingWishes
}

export function parsedOf(asked: Asked = {}): Parsed {
  return {
    surface: asked.surface ?? 'openai-chat',
    operation: asked.operation ?? 'generate',
    model: asked.model ?? 'm',
    stream: false,
    asJsonArray: false,
    reportsLosses: false,
    timeoutMs: null,
    body: Buffer.from(asked.body ?? 'x'.repeat(100)),
    facts: { ...FACTS, ...asked.facts },
    wishes: asked.wishes ?? null,
  }
}

export function selectionOf(routes: readonly Route[], rest: Partial<Selection> = {}): Selection {
  const { model } = routes[0]!
  return {
    model,
    routes,
    group: 'default',
    requested: model.id,
    resolved: model.id,
    aliasRule: null,
    parameters: {},
    thinking: false,
    sort: null,
    isPinned: false,
    fault: null,
    fallbacks: [],
    larger: [],
    rotation: null,
    faults: [],
    warnings: [],
    trace: [],
    ...rest,
  }
}
