import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import { adapterOf } from '#base/protocols.ts'
import { parseBody, type Parsed } from '#data-plane/3-parse/parse.ts'
import { type Heading, resolveModel, resolveRequest, scopeOf } from '#data-plane/4-resolve/resolve.ts'
import { ruleFor } from '#data-plane/4-resolve/rules.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'
import { planLegs } from '#data-plane/5-plan/legs.ts'
import type { Excluded, Plan, Target } from '#data-plane/5-plan/plan.ts'
import { wantedOf } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { boundOf, costOf } from '#ledger/cost.ts'
import { NO_USAGE } from '#ir/usage.ts'
import { addressOf, readQuestion } from './address.ts'
import { countOf, type PromptCount } from './count.ts'
import { lossesOf } from './losses.ts'

/** Who asks, and whether backends may be named to him. */
export interface Asker {
  readonly caller: Caller
  readonly seesBackends: boolean
  /** The request's own headers: `x-gateway-group` and `x-gateway-no-fallback` count. */
  readonly headers: Heading['request']['headers']
}

/** What would become of a request; it calls no upstream, books nothing and takes no turn (R43, B7). */
export interface Explainer {
  /** What a model string means. Throws as step 4 does. */
  resolve(asker: Asker, model: string): Readonly<Record<string, unknown>>
  /**
   * What would become of a request: JSON `{"protocol", "path"?, "body"}`. Throws what steps 3 and 4 throw; what step 5 refuses is told in
   * `error`.
   */
  explain(asker: Asker, question: Buffer): Promise<Readonly<Record<string, unknown>>>
}

const EXPLAINED = 'explain'

/** What an explanation needs of a gateway: all but what calls and books. */
export type Idle = Pick<Gateway, 'settings' | 'catalog' | 'health' | 'speeds' | 'promptCaches' | 'random'>

/** The steps are those that serve requests. */
export function createExplainer(idle: Idle): Explainer {
  // The steps that are taken look at nothing else of it.
  const gateway = idle as Gateway
  return {
    resolve({ caller, seesBackends, headers }, model) {
      const scope = scopeOf(gateway, caller, headers['x-gateway-group'])
      return told(resolveModel(gateway, scope, model, { isEmbedding: false, alternatives: [] }), seesBackends)
    },
    explain: (asker, question) => explain(looking(gateway), asker, question),
  }
}

/** The gateway as one looks at it: whose turn it is stays as it is. */
function looking(gateway: Gateway): Gateway {
  const { speeds } = gateway
  const still = {
    speedOf: (target: string) => speeds.speedOf(target),
    recentSpeedOf: (target: string) => speeds.recentSpeedOf(target),
    lastUsed: (target: string) => speeds.lastUsed(target),
    turn: (name: string) => speeds.nextTurn(name),
  }
  return { ...gateway, settings: gateway.settings, speeds: still as Gateway['speeds'] }
}

function told(selection: Selection, seesBackends: boolean): Readonly<Record<string, unknown>> {
  const { model, routes } = selection
  return {
    requested: selection.requested,
    resolved: selection.resolved,
    model: model.id,
    group: selection.group,
    thinking: selection.thinking,
    parameters: selection.parameters,
    alias_rule: selection.aliasRule,
    rule: selection.rule ?? null,
    pinned: selection.isPinned,
    sort: selection.sort,
    ...(seesBackends && {
      backends: routes.map(({ backend }) => backend.id),
      upstream_models: routes.map(({ upstreamModel }) => upstreamModel),
    }),
    fallbacks: selection.fallbacks.map((each) => each.model.id),
    warnings: selection.warnings.map(({ path, action, reason }) => ({ path, action, reason })),
    trace: selection.trace,
  }
}

async function explain(gateway: Gateway, asker: Asker, asked: Buffer): Promise<Readonly<Record<string, unknown>>> {
  const { caller, seesBackends, headers } = asker
  const { jsonDepthMax } = gateway.settings.limits
  const question = readQuestion(asked, jsonDepthMax)
  const addressed = addressOf(question)
  const openRouter = question.path?.startsWith('/api/') ?? false
  const heading: Heading = { id: EXPLAINED, openRouter, request: { headers } }
  const parsed = parseBody(addressed, question.body, jsonDepthMax, { reportsLosses: false, timeoutMs: null })
  const scope = scopeOf(gateway, caller, headers['x-gateway-group'])
  const selection = resolveRequest(gateway, scope, parsed, ruleFor(gateway, caller, parsed, heading))
  const excluded: Excluded[] = []
  const plan = planOrError(() => planLegs(gateway, caller, parsed, selection, heading, excluded))
  const base = {
    object: 'route.explanation',
    ...told(selection, seesBackends),
    strategy: selection.model.strategy ?? gateway.settings.routing.strategy,
  }
  const left = [...excluded.map(({ route, reasons }) => outsideOf(route, reasons)), ...foreign(gateway, selection)]
  const shown = (each: Endpoint) => (seesBackends ? each : withoutBackend(each))
  if (plan instanceof GatewayError) {
    const { code, message, status } = plan
    return { ...base, error: { code, message, status }, endpoints: [], excluded: left.map(shown) }
  }
  const { endpoints, paused } = endpointsOf(gateway, parsed, plan)
  const count = await countOf(parsed, plan.targets[0])
  const wanted = caller.billing === 'off' ? null : wantedOf(plan, gateway.settings.reservation.minOutputTokens)
  return {
    ...base,
    token_count: count.tokens,
    token_count_method: count.method,
    token_count_error_bound_percent: count.errorBoundPercent,
    context_rerouted_from: plan.reroutedFrom,
    endpoints: endpoints.map(shown),
    excluded: [...left, ...paused].map(shown),
    cost: costsOf(plan, count),
    currency: gateway.settings.currency,
    would_reserve: wanted && formatUsd(wanted.wantNano),
    would_reserve_at_least: wanted && formatUsd(wanted.floorNano),
    attempts_max: plan.attemptsMax,
  }
}

function planOrError(make: () => Plan): Plan | GatewayError {
  try {
    return make()
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}

type Endpoint = { readonly model: string; readonly backend: string; readonly upstream_model: string } & Readonly<
  Record<string, unknown>
>

const endpointOf = ({ model, backend, upstreamModel }: Target['route']): Endpoint => ({
  model: model.id,
  backend: backend.id,
  upstream_model: upstreamModel,
})

const outsideOf = (route: Target['route'], reasons: readonly string[]): Endpoint => ({
  ...endpointOf(route),
  excluded_by: reasons,
})

/** Where a backend is and what it is called is the operator's to know. */
const withoutBackend = (endpoint: Endpoint): object =>
  Object.fromEntries(Object.entries(endpoint).filter(([name]) => name !== 'backend' && name !== 'upstream_model'))

/** Routes of the model that are in groups the request is not in. */
function foreign(gateway: Gateway, { model, group, isPinned }: Selection): readonly Endpoint[] {
  const routes = isPinned ? [] : (gateway.catalog.current.routes.get(model.id) ?? [])
  return routes.filter((route) => route.group !== group).map((route) => outsideOf(route, ['group']))
}

interface Endpoints {
  readonly endpoints: readonly Endpoint[]
  readonly paused: readonly Endpoint[]
}

/** The plan's targets as step 7 would go through them: without those that are paused, unless all are. */
function endpointsOf(gateway: Gateway, parsed: Parsed, plan: Plan): Endpoints {
  const isReady = plan.targets.map(({ route }) => gateway.health.admits(route))
  const isHeld = (index: number): boolean => !isReady[index] && isReady.includes(true)
  const endpoints: Endpoint[] = []
  const paused: Endpoint[] = []
  for (const [index, target] of plan.targets.entries()) {
    if (isHeld(index)) {
      paused.push(outsideOf(target.route, ['cooldown']))
      continue
    }
    const { losses, refusal } = lossesOf(gateway, parsed, plan, target)
    // What cannot take the request is passed over when its turn comes.
    if (refusal) {
      paused.push({ ...outsideOf(target.route, ['capability']), reason: refusal.message })
      continue
    }
    endpoints.push({
      ...endpointOf(target.route),
      protocol: target.protocol,
      mode: target.protocol === parsed.surface ? 'passthrough' : 'translate',
      adapter: adapterOf(parsed.surface, target.protocol),
      losses: losses.map(({ path, action, reason }) => ({ path, action, reason })),
      max_cost: maxCostOf(plan, target),
    })
  }
  return { endpoints, paused }
}

function maxCostOf({ bound }: Plan, { route: { price } }: Target): string | null {
  if (bound === null) return '0'
  if (price === null) return null
  const { inputTokensMax, outputTokensMax, candidates: n } = bound
  return formatUsd(boundOf({ inputTokensMax, outputTokensMax, n, price }))
}

/** The least and the most that an answer costs; null: some endpoint has no price. */
function costsOf(plan: Plan, count: PromptCount): { readonly min: string | null; readonly max: string | null } {
  if (plan.bound === null) return { min: '0', max: '0' }
  const prices = plan.targets.map(({ route }) => route.price)
  const { bound } = plan
  if (bound.price === null || prices.includes(null)) return { min: null, max: null }
  const tokens = Math.max(0, Math.floor(count.tokens * (1 - count.errorBoundPercent / 100)))
  const least = prices.map((price) => {
    const isCheaperCached = price!.cacheRead !== null && price!.cacheRead < price!.input
    const usage = { ...NO_USAGE, [isCheaperCached ? 'cacheRead' : 'input']: tokens }
    return costOf(usage, price!).nano
  })
  const min = least.reduce((one, other) => (other < one ? other : one))
  const { inputTokensMax, outputTokensMax, candidates: n } = bound
  return { min: formatUsd(min), max: formatUsd(boundOf({ inputTokensMax, outputTokensMax, n, price: bound.price })) }
}
