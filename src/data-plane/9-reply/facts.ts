import type { Deprecation } from '#catalog/types.ts'
import { adapterOf } from '#base/protocols.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import { cacheDecisionOf, cacheDecisionText } from '#data-plane/cache-decision.ts'
import type { Answer } from '#data-plane/7-call/answer.ts'

/** How the answer came about: which model gave it, in how many attempts, and what was changed on the way (R12, R26, R67, R68, R81). */
export function addFacts(headers: Record<string, string>, parsed: Parsed, plan: Plan, answer: Answer): void {
  const { protocol, route } = answer.target
  headers['x-gateway-model'] = route.model.id
  headers['x-gateway-adapter'] = adapterOf(parsed.surface, protocol)
  headers['x-gateway-attempts'] = String(Math.max(1, answer.attempts.length))
  if (route.model.id !== plan.model.id) headers['x-gateway-fallback-from'] = plan.model.id
  const { decision, isTold } = plan.caching?.get(route.model.id) ?? {}
  const cacheDecision = decision && isTold ? cacheDecisionOf(plan, answer) : null
  if (cacheDecision) headers['x-gateway-cache-decision'] = cacheDecisionText(cacheDecision)
  const isLarger = plan.larger?.some((target) => target.route.model.id === route.model.id) ?? false
  if (plan.reroutedFrom !== null || isLarger) headers['x-gateway-context-rerouted'] = plan.reroutedFrom ?? plan.model.id
  if (route.model.deprecation) addDeprecation(headers, route.model.deprecation)
  const warnings = answer.report.headerTexts(answer.kind === 'whole')
  if (warnings.length > 0) headers['x-gateway-warnings'] = warnings.join(', ')
}

/** RFC 9745 and RFC 8594: since when an id is outdated, and until when it works (R44). */
function addDeprecation(headers: Record<string, string>, { sinceMs, sunsetMs }: Deprecation): void {
  headers['deprecation'] = sinceMs === null ? '@0' : `@${Math.floor(sinceMs / 1000)}`
  if (sunsetMs !== null) headers['sunset'] = new Date(sunsetMs).toUTCString()
}
