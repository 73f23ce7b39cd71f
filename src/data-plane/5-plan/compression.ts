import type { Route } from '#catalog/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { isWithinWindow, windowOf } from './window.ts'

/**
 * Whether prompts that are too long are shortened (OpenRouter's context compression): where the client asks for it, where the
 * window is small and it does not refuse, or nowhere.
 */
export type Compression = 'asked' | 'small' | 'off'

/** OpenRouter shortens for windows of this size and below unless it is told not to. */
export const SMALL_WINDOW_TOKENS_MAX = 8192

/** What the client said, or what its surface means where it says nothing. */
export function compressionOf({ wishes, surface, operation }: Parsed, isOpenRouter: boolean): Compression {
  if (surface !== 'openai-chat' || operation !== 'generate') return 'off'
  const said = wishes?.compresses ?? null
  if (said !== null) return said ? 'asked' : 'off'
  return isOpenRouter ? 'small' : 'off'
}

/** Tokens to which the prompt has to be shortened for this route; null: it fits, or is left as it is. */
export function shortenedTo(gateway: Gateway, parsed: Parsed, route: Route, compression: Compression): number | null {
  if (compression === 'off' || isWithinWindow(gateway, parsed, route)) return null
  const window = gateway.settings.routing.forceContextWindow ?? windowOf(route)
  // A larger model loses nothing (R73).
  const { larger, contextFallbacks } = route.model
  const isLarge = window > SMALL_WINDOW_TOKENS_MAX || larger !== null || contextFallbacks.length > 0
  if (compression === 'small' && isLarge) return null
  const left = window - (parsed.facts.outputTokensMax ?? 0)
  return left > 0 ? left : null
}

/** Whether a prompt that is too long for the route is made shorter, here or by an OpenRouter that is told so. */
export function isShortened(
  gateway: Gateway,
  parsed: Parsed,
  route: Route,
  { compression }: { readonly compression: Compression },
  isFollowed: boolean,
): boolean {
  return isFollowed ? compression === 'asked' : shortenedTo(gateway, parsed, route, compression) !== null
}
