import type { Caller } from '#accounts/types.ts'
import type { Operation, Surface } from '#base/protocols.ts'
import type { Backend, Catalog, Model, Price, Route, Timeouts } from '#catalog/types.ts'
import type { RequestFacts } from '#codecs/codec.ts'
import type { Parsed } from './3-parse/parse.ts'
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
    ...rest,
  }
}

export function catalogOf(routes: readonly Route[], rest: Partial<Catalog> = {}): Catalog {
  const byModel = Map.groupBy(routes, (route) => route.model.id)
  return {
    generatedMs: 0,
    models: new Map(routes.map(({ model }) => [model.id, model])),
    backends: new Map(routes.map(({ backend }) => [backend.id, backend])),
    groups: new Map([['default', { id: 'default', public: true }]]),
    routes: byModel,
    ...rest,
  }
}

/** As much of a gateway as the pure steps look at. */
export function gatewayOf(catalog: Catalog): Gateway {
  const settings = { reservation: { minOutputTokens: 256, defaultMaxOutput: 4096 } }
  return { catalog: { current: catalog }, settings } as unknown as Gateway
}

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
  spans: {},
}

export interface Asked {
  readonly model?: string
  readonly surface?: Surface
  readonly operation?: Operation
  readonly body?: string
  readonly facts?: Partial<RequestFacts>
}

export function parsedOf(asked: Asked = {}): Parsed {
  return {
    surface: asked.surface ?? 'openai-chat',
    operation: asked.operation ?? 'generate',
    model: asked.model ?? 'm',
    stream: false,
    asJsonArray: false,
    reportsLosses: false,
    body: Buffer.from(asked.body ?? 'x'.repeat(100)),
    facts: { ...FACTS, ...asked.facts },
  }
}
