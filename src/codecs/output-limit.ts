import type { ChatRequest } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from './translation.ts'

/** The request with an output limit that its model takes: providers refuse more than their maximum. */
export function withinOutputLimit(
  request: ChatRequest,
  { outputTokensMax: most }: TargetTraits,
  losses: Losses,
): ChatRequest {
  const { outputTokensMax, paths } = request
  if (outputTokensMax === null || most === null || outputTokensMax <= most) return request
  losses.narrowed(paths['outputTokensMax'] ?? '', `the model answers with at most ${most} tokens`)
  return { ...request, outputTokensMax: most }
}
