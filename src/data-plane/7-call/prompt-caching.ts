import { type CacheForm, MARKED_BYTES_MIN, markPrompt, prefixTokensMin } from '#codecs/prompt-cache.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Loss } from '#ir/extensions.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { isClaude } from '#providers/cloud-paths.ts'
import type { Sending } from './dispatch.ts'

/** What is told of a prompt that the gateway marked (C26). */
export const MARKED: Loss = {
  path: '/cache_control',
  action: 'rewritten',
  reason: 'the prompt was marked for the cache',
  isSevere: false,
}

/**
 * The request with its prompt marked for Claude's cache, or as it is (R89): short prompts, those the client marked itself,
 * other models, other hosts, and whoever said no are left alone.
 */
export function withCaching(gateway: Gateway, exchange: Exchange, target: Target, sending: Sending): Sending {
  if (sending.body.length < MARKED_BYTES_MIN || sending.operation !== 'generate') return sending
  const form = formOf(target)
  if (form === null || !isWanted(gateway, exchange, target)) return sending
  const { upstreamModel } = target.route
  const body = markPrompt(sending.body, target.protocol, form, prefixTokensMin(upstreamModel))
  return body === null ? sending : { ...sending, body }
}

/** Null: this host is not known to take marks in this protocol. */
function formOf({ route, protocol }: Target): CacheForm | null {
  switch (route.backend.type) {
    case 'openrouter':
      return 'top'
    case 'anthropic':
      return protocol === 'anthropic-messages' ? 'top' : null
    case 'bedrock':
    case 'vertex':
      return protocol === 'anthropic-messages' ? 'blocks' : null
    default:
      return null
  }
}

function isWanted(gateway: Gateway, exchange: Exchange, { route }: Target): boolean {
  if (!gateway.settings.automaticCaching) return false
  const { cache, vendor } = route.model
  const isExplicit = cache === undefined ? isClaude(route.upstreamModel, vendor) : cache === 'explicit'
  return isExplicit && exchange.request.headers['x-gateway-cache'] !== 'off'
}
