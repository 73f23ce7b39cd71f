import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { nearest } from '#base/nearest.ts'
import type { ModelRule } from '#config/routing-types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { escapePointer, type Loss } from '#ir/extensions.ts'
import { rewriteAlias } from './aliases.ts'
import { isAllowed, modelsNamedIn, notAllowed } from './allow-list.ts'
import { keepSelection, knownSelections } from './known-selections.ts'
import { foreignGroup, LOOKUPS } from './lookups.ts'
import { ruleFor } from './rules.ts'
import { DEFAULT_GROUP, everyGroup, groupOf, type Scope, withinTier } from './scope.ts'
import type { Found, Selection, TraceStep } from './selection.ts'
import { CHAIN_ELEMENTS_MAX, type HybridLegs, readHybrid, splitChain } from './selectors.ts'
import { type Fault, readParameters } from './uri-parameters.ts'

/** Suggestions in a 404 (R45). */
const SUGGESTIONS_MAX = 3

/**
 * Finds what a model string means, in the one order of R43: forced model, rule, alias, chain, parameters, then the lookups. What is left
 * out of the string is logged (R31). Throws 400, 403, 404, 503 as the lookups do.
 */
export function resolve(gateway: Gateway, caller: Caller, parsed: Parsed, exchange: Heading): Selection {
  const rule = ruleFor(gateway, caller, parsed, exchange)
  const wanted = exchange.request.headers['x-gateway-group']
  // Nearly always the string alone decides, and means what it meant a moment ago.
  const isDecisive = rule === null && wanted === undefined && isStringAll(caller, parsed)
  const known = isDecisive ? knownSelections(gateway, caller) : null
  const kept = known?.get(parsed.model)
  const selection = kept ?? resolveRequest(gateway, scopeOf(gateway, caller, wanted), parsed, rule)
  if (known && !kept) keepSelection(known, parsed.model, selection)
  for (const { name, reason, isError } of selection.faults)
    gateway.log[isError ? 'error' : 'warn']({ requestId: exchange.id }, `${name}: ${reason}`)
  return selection
}

/** Whether nothing else of the request is looked at: where a key may use some models only, whatever of it names one is (R18). */
const isStringAll = ({ key }: Caller, { wishes, operation }: Parsed): boolean =>
  wishes === null && operation !== 'embed' && (key?.policy == null || key.policy.models.length === 0)

const NO_MODELS: readonly string[] = []

/** As `resolve`, in a scope that is known. Pure. Throws 403 model_not_allowed for any model of the request that its key may not use (R18). */
export function resolveRequest(gateway: Gateway, scope: Scope, parsed: Parsed, rule: ModelRule | null): Selection {
  if (scope.allowed !== null) for (const name of modelsNamedIn(parsed)) refuseForeign(scope, name)
  return resolveModel(gateway, scope, parsed.model, {
    isEmbedding: parsed.operation === 'embed',
    alternatives: parsed.wishes?.models ?? NO_MODELS,
    rule,
  })
}

/** A name that means nothing here may mean something to an upstream. */
function refuseForeign(scope: Scope, name: string): void {
  if (scope.allowed?.includes(name)) return
  const { id } = readParameters(name)
  if (!findFirst(scope, id, [])) throw notAllowed(name)
}

/** What a lookup looks at of a request besides its model. */
export type Heading = Pick<Exchange, 'id' | 'openRouter'> & {
  readonly request: { readonly headers: IncomingHttpHeaders }
}

/** The catalog as this key sees it. Throws 403 group_not_allowed for a group that it asks for and is not in. */
export function scopeOf(gateway: Gateway, caller: Caller, wanted?: string | string[]): Scope {
  const catalog = gateway.catalog.current
  // Without keys (R16) whoever asks is the operator.
  const groups = caller.key?.groups ?? everyGroup(catalog)
  const group = typeof wanted === 'string' && wanted !== '' ? wanted : (groups[0] ?? DEFAULT_GROUP)
  if (group !== groups[0] && !groups.includes(group)) throw foreignGroup(group)
  const { models = NO_MODELS, fallbacks = NO_MODELS } = caller.key?.policy ?? {}
  const allowed = models.length > 0 ? models : null
  const tier = caller.key === null ? null : caller.account.tier
  return { catalog, routing: gateway.settings.routing, groups, group, allowed, fallbacks, tier }
}

export interface Wanted {
  /** A forced model does not concern embeddings (R41). */
  readonly isEmbedding: boolean
  /** What the request itself names besides its model (`models`, `fallbacks`). */
  readonly alternatives: readonly string[]
  /** The operator's rule that the request falls under (R75); absent or null: none. */
  readonly rule?: ModelRule | null
}

/** As `resolve`, for a model string by itself. Pure. */
export function resolveModel(gateway: Gateway, scope: Scope, requested: string, wanted: Wanted): Selection {
  const { routing } = gateway.settings
  const forced = wanted.isEmbedding ? null : (routing.staticRoute ?? routing.forceModel)
  const { rule } = wanted
  if (!rule || forced !== null) return resolveText(gateway, scope, requested, forced, wanted)
  const trace: TraceStep[] = []
  try {
    const text = stepped(trace, `rule ${rule.name}`, requested, withQueryOf(requested, rule.model))
    const found = resolveSelector(gateway, scope, text, wanted, { requested, aliasRule: null, trace })
    return { ...found, rule: rule.name }
  } catch (error) {
    // A model that this key may not call, or that is not there, is no cheaper one.
    if (error instanceof GatewayError) return resolveText(gateway, scope, requested, null, wanted)
    throw error
  }
}

/** What the client says of its parameters it says of the other model too, where that is a plain one without its own. */
function withQueryOf(requested: string, model: string): string {
  const query = requested.indexOf('?')
  return query < 0 || /[?|]|^hybrid:/.test(model) ? model : model + requested.slice(query)
}

type About = Pick<Selection, 'requested' | 'aliasRule' | 'trace'>

function resolveText(
  gateway: Gateway,
  scope: Scope,
  requested: string,
  forced: string | null,
  wanted: Wanted,
): Selection {
  const { routing } = gateway.settings
  const trace: TraceStep[] = []
  let text = requested
  if (text === '' && forced === null) text = stepped(trace, 'no model', text, modelForNone(scope, wanted))
  if (forced !== null)
    text = stepped(trace, routing.staticRoute === null ? 'forced model' : 'static route', text, forced)
  // A forced model beats aliases (R39).
  const alias = forced === null ? rewriteAlias(routing.modelAliases, text) : null
  if (alias) text = stepped(trace, `alias ${alias.rule}`, text, alias.text)
  return resolveSelector(gateway, scope, text, wanted, { requested, aliasRule: alias?.rule ?? null, trace })
}

/** Two legs, a chain, or one model. */
function resolveSelector(gateway: Gateway, scope: Scope, text: string, wanted: Wanted, about: About): Selection {
  const { failoverRoutes } = gateway.settings
  const { requested } = about
  const trace = about.trace as TraceStep[]
  const hybrid = readHybrid(text)
  if (hybrid === 'malformed') throw malformed()
  if (hybrid !== null) return resolveLegs(gateway, scope, hybrid, about)
  const named = Object.hasOwn(failoverRoutes, text) ? failoverRoutes[text]! : null
  const [first, ...others] = named ? named.elements : splitChain(text)
  if (others.length > 0 || named) stepped(trace, 'chain', text, [first, ...others].join(' | '))
  const primary = lookUp(scope, first ?? text, trace)
  const fallbacks = [...others, ...wanted.alternatives, ...configured(scope, primary)]
  return {
    ...primary,
    ...about,
    fallbacks: resolveAll(scope, fallbacks, requested),
    larger: resolveAll(scope, largerOf(primary), requested),
    rotation: named?.policy === 'round-robin' ? text : null,
  }
}

/** What a request means that names no model (R42): the group's own word, else the model of the default backend. Throws 400 missing_model. */
function modelForNone(scope: Scope, { isEmbedding }: Wanted): string {
  const { defaultModel, defaultBackend, allowDefaultBackend } = groupOf(scope)
  const named = allowDefaultBackend ? (defaultBackend ?? scope.routing.defaultBackend) : null
  const model = defaultModel ?? (named?.includes(':') ? named : null)
  if (model !== null && !isEmbedding) return model
  throw new GatewayError('missing_model', 'The request names no model.', { param: 'model' })
}

type Looked = Omit<Selection, 'requested' | 'aliasRule' | 'fallbacks' | 'larger' | 'rotation' | 'trace'>

function lookUp(scope: Scope, text: string, trace: TraceStep[]): Looked {
  const { id, parameters, faults } = readParameters(text)
  if (id !== text) stepped(trace, 'parameters', text, id)
  if (faults.length > 0 && scope.routing.strictUriParameters) {
    const { name, reason } = faults[0]!
    throw new GatewayError('invalid_parameter', `The model string's parameters are invalid: ${name}: ${reason}.`, {
      param: 'model',
    })
  }
  const found = findFirst(scope, id, trace)
  if (!found) throw unknown(scope, id)
  return {
    model: found.model,
    routes: found.routes,
    group: found.group,
    // Who is asked is no part of the model's name (R39).
    resolved: found.isPinned ? id.slice(id.indexOf(':') + 1) : id,
    parameters,
    thinking: found.thinking ?? false,
    sort: found.sort ?? null,
    isPinned: found.isPinned ?? false,
    isRestricted: scope.allowed !== null,
    fault: found.fault ?? null,
    faults,
    warnings:
      faults.length === 0 ? (found.warnings ?? NO_WARNINGS) : [...faults.map(warningOf), ...(found.warnings ?? [])],
  }
}

function findFirst(scope: Scope, id: string, trace: TraceStep[]): Found | null {
  for (const [step, lookup] of LOOKUPS) {
    const found = lookup(scope, id)
    if (!found) continue
    if (!isAllowed(scope.allowed, found, id)) throw notAllowed(id)
    stepped(trace, step, id, found.model.id)
    return withinTier(scope, found)
  }
  return null
}

/** Fallbacks that the operator gave to the model, else those of the key, else those of its group (R68). */
const configured = (scope: Scope, { model }: Looked): readonly string[] =>
  [model.fallbacks, scope.fallbacks].find(({ length }) => length > 0) ?? groupOf(scope).fallbacks

const largerOf = ({ model }: Looked): readonly string[] =>
  model.larger === null ? model.contextFallbacks : [...model.contextFallbacks, model.larger]

/** An element that cannot be found, or not be used by this key, is left out: it is a second choice. */
function resolveAll(scope: Scope, selectors: readonly string[], requested: string): readonly Selection[] {
  return selectors.slice(0, CHAIN_ELEMENTS_MAX).flatMap((selector) => {
    const trace: TraceStep[] = []
    try {
      const found = lookUp(scope, selector, trace)
      return [{ ...found, requested, aliasRule: null, fallbacks: [], larger: [], rotation: null, trace }]
    } catch (error) {
      if (error instanceof GatewayError) return []
      throw error
    }
  })
}

function stepped(trace: TraceStep[], step: string, input: string, output: string): string {
  trace.push({ step, input, output })
  return output
}

const NO_WARNINGS: readonly Loss[] = []

const warningOf = ({ name, reason }: Fault): Loss => ({
  path: `/model/${escapePointer(name)}`,
  action: 'dropped',
  reason,
  isSevere: false,
})

const malformed = (): GatewayError =>
  new GatewayError('invalid_parameter', 'Expected hybrid:[<reasoning model>,<execution model>].', { param: 'model' })

/** The execution leg with the reasoning leg beside it (R40). Throws 400 hybrid_disabled. */
function resolveLegs(gateway: Gateway, scope: Scope, { reasoning, execution }: HybridLegs, about: About): Selection {
  if (!gateway.settings.hybrid.enabled)
    throw new GatewayError('hybrid_disabled', 'Models of two legs are switched off.', { param: 'model' })
  const rest = { ...about, fallbacks: [], larger: [], rotation: null }
  const trace = about.trace as TraceStep[]
  stepped(trace, 'hybrid', `hybrid:[${reasoning},${execution}]`, `${reasoning} | ${execution}`)
  const first = { ...lookUp(scope, reasoning, trace), ...rest }
  const second = lookUp(scope, execution, trace)
  const faults = [...first.faults, ...second.faults]
  const warnings = [...first.warnings, ...second.warnings]
  return { ...second, ...rest, faults, warnings, reasoning: first }
}

/** Which case it is (R45): written wrongly, a display name, or nothing that is known. Suggests what this key may call. */
function unknown(scope: Scope, requested: string): GatewayError {
  const shown = requested.slice(0, 100)
  const callable = callableIds(scope)
  const { models } = scope.catalog
  const byName = callable.find((id) => models.get(id)!.displayName === requested)
  const suggestions = byName === undefined ? nearest(requested, callable, SUGGESTIONS_MAX) : [byName]
  const hint = suggestions.length > 0 ? ` Did you mean ${suggestions.map((id) => `"${id}"`).join(', ')}?` : ''
  const paid = requested.replace(/:free$/, '')
  if (paid !== requested && callable.includes(paid)) {
    const details = { param: 'model', suggestions: [paid], requestedModels: [shown] }
    const availability = { code: 'free_variant_ended' } as const
    const message = `The model "${shown}" does not exist. Did you mean "${paid}"?`
    return new GatewayError('model_not_found', message, { ...details, availability })
  }
  const isMalformed = byName === undefined && MALFORMED.test(requested)
  const reason = isMalformed
    ? `"${shown}" is no model name: write model, vendor/model or backend:model.`
    : byName === undefined
      ? `The model "${shown}" does not exist.`
      : `"${shown}" is the name that people read.`
  const details = { param: 'model', suggestions, requestedModels: [shown] }
  return new GatewayError('model_not_found', reason + hint, details)
}

/** What no id has: nothing before or behind a separator, or spaces. */
const MALFORMED = /\s|^[:/]|[:/]$|^$|\/\//

/** Ids with an active route in one of the key's groups. */
function callableIds({ catalog, groups, allowed }: Scope): readonly string[] {
  const ids: string[] = []
  for (const [id, routes] of catalog.routes)
    if (routes.some(({ group }) => groups.includes(group)) && (allowed?.includes(id) ?? true)) ids.push(id)
  return ids
}
