import { GatewayError } from '#base/errors.ts'
import type { Settings } from '#config/types.ts'
import type { Loss } from '#ir/extensions.ts'

/** More warnings than these are counted and not written: a header is no log. */
export const WARNINGS_MAX = 16
const REASON_CHARACTERS_MAX = 120

const ACTIONS: Readonly<Record<Loss['action'], string>> = {
  dropped: 'drop',
  rewritten: 'rewrite',
  emulated: 'emulate',
  narrowed: 'narrow',
}

/**
 * Refuses a request that the target can only answer in part (R81): always for what changes the meaning of the answer, and
 * in strict mode for everything that was dropped. Throws GatewayError `unsupported_parameter` with `param`.
 */
export function refuseLosses(settings: Settings, losses: readonly Loss[]): void {
  const isStrict = settings.unsupportedParams === 'strict'
  const severe = losses.find((loss) => loss.isSevere || (isStrict && loss.action === 'dropped'))
  if (!severe) return
  const param = severe.path.slice(1).replaceAll('/', '.')
  const code = TOOL_PATH.test(severe.path) ? 'unsupported_tool' : 'unsupported_parameter'
  throw new GatewayError(code, `${param || 'The request'} cannot be served: ${severe.reason}.`, {
    param,
  })
}

/** One entry of the client's list of tools (R3). */
const TOOL_PATH = /^\/(?:tools\/\d+(?:\/[^/]+)*|web_search_options)$/

/** `param=temperature;action=drop;reason=...`, one per loss (R81). */
export function lossWarnings(losses: readonly Loss[]): string[] {
  const told = losses.slice(0, WARNINGS_MAX).map((loss) => {
    const param = headerText(loss.path.slice(1).replaceAll('/', '.'))
    return `param=${param};action=${ACTIONS[loss.action]};reason=${headerText(loss.reason)}`
  })
  return losses.length > WARNINGS_MAX ? [...told, `more=${losses.length - WARNINGS_MAX}`] : told
}

/** Visible ASCII without the list's own separators; anything else could end the header or start another warning. */
function headerText(text: string): string {
  return text.slice(0, REASON_CHARACTERS_MAX).replace(/[^\x20-\x7e]|[,;]/g, '_')
}
