import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'

/** Headers that every answer of the data plane carries (R12, attack S33). */
export function baseHeaders(exchange: Exchange): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': exchange.id,
    'cache-control': 'private, no-store',
    vary: 'Authorization',
  }
  // Each SDK reads the id from its own vendor's header.
  if (exchange.dialect === 'anthropic') headers['request-id'] = exchange.id
  if (exchange.openRouter) headers['x-generation-id'] = exchange.id
  if (exchange.limitHeaders) Object.assign(headers, exchange.limitHeaders)
  return headers
}

/** What was dropped or changed, one value per warning (R81). */
export function addWarnings(headers: Record<string, string>, plan: Plan, ofAnswer: readonly string[]): void {
  const warnings = plan.warnings ? [...plan.warnings, ...ofAnswer] : ofAnswer
  if (warnings.length > 0) headers['x-gateway-warnings'] = warnings.join(', ')
}
