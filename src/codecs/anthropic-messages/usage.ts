import { costText } from '#base/money.ts'
import { countOf, fieldsOf, isMiscount } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'

/**
 * `input_tokens` excludes the cache. A later report replaces what it names and keeps the rest (message_delta after
 * message_start). One that is no count takes all back: then the meter estimates (fault M6).
 */
export function readMessagesUsage(fields: Readonly<Record<string, unknown>>, before: Usage | null): Usage | null {
  if (isMiscount(fields['input_tokens']) || isMiscount(fields['output_tokens'])) return null
  const creation = fieldsOf(fields['cache_creation'])
  // message_delta repeats the total without the split, which message_start told.
  const oneHour = countOf(creation['ephemeral_1h_input_tokens']) ?? before?.cacheWrite1h ?? null
  const fiveMinutes = countOf(creation['ephemeral_5m_input_tokens'])
  const written = countOf(fields['cache_creation_input_tokens'])
  const input = countOf(fields['input_tokens']) ?? before?.input ?? null
  const output = countOf(fields['output_tokens']) ?? before?.output ?? null
  if (input === null && output === null) return before
  const cost = costText(fields['cost']) ?? before?.costUsd
  return {
    ...(cost === undefined ? {} : { costUsd: cost }),
    input,
    cacheRead: countOf(fields['cache_read_input_tokens']) ?? before?.cacheRead ?? null,
    // The total counts both classes; what the split does not name is of the five-minute class.
    cacheWrite:
      written === null
        ? (fiveMinutes ?? before?.cacheWrite ?? null)
        : Math.max(fiveMinutes ?? 0, written - (oneHour ?? 0)),
    cacheWrite1h: oneHour,
    output,
    reasoning: countOf(fieldsOf(fields['output_tokens_details'])['thinking_tokens']) ?? before?.reasoning ?? null,
    source: 'upstream',
  }
}
