import { GatewayError } from '#base/errors.ts'
import type { Settings } from '#config/types.ts'
import type { Loss } from '#ir/extensions.ts'

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
