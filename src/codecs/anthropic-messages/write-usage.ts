import { sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import type { Members } from './members.ts'

/**
 * `usage` as the API tells it in `message_delta`. The two counts that it always tells are 0 while nobody has told them; a
 * class of the cache that was not reported is null (R87). `details` is absent where nobody told of reasoning.
 */
export function writeDeltaUsage(usage: Usage | null, extra: Members): Members {
  const reasoning = usage?.reasoning ?? null
  return {
    input_tokens: usage?.input ?? 0,
    cache_creation_input_tokens: sumOf(usage?.cacheWrite ?? null, usage?.cacheWrite1h ?? null),
    cache_read_input_tokens: usage?.cacheRead ?? null,
    output_tokens: usage?.output ?? 0,
    ...(reasoning === null ? {} : { output_tokens_details: { thinking_tokens: reasoning } }),
    ...extra,
  }
}

/** The same of a message, which also tells the classes of the cache apart. */
export function writeUsage(usage: Usage | null, extra: Members): Members {
  const oneHour = usage?.cacheWrite1h ?? null
  const creation = { ephemeral_5m_input_tokens: usage?.cacheWrite ?? 0, ephemeral_1h_input_tokens: oneHour }
  return { ...writeDeltaUsage(usage, extra), ...(oneHour === null ? {} : { cache_creation: creation }) }
}
