import { countOf, fieldsOf, isMiscount } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'

export interface UsageReport {
  readonly usage: Usage
  /** `totalTokens`; null when it was not told. */
  readonly total: number | null
}

/**
 * `usage` of an answer. `inputTokens` excludes the cache, and `outputTokens` includes the reasoning, which is not told apart. A
 * report that is no count counts as none (fault M6).
 */
export function readConverseUsage(value: unknown): UsageReport | null {
  const fields = fieldsOf(value)
  if (isMiscount(fields['inputTokens']) || isMiscount(fields['outputTokens'])) return null
  const input = countOf(fields['inputTokens'])
  const output = countOf(fields['outputTokens'])
  if (input === null && output === null) return null
  // The older name is still told beside the newer one.
  const cacheRead = countOf(fields['cacheReadInputTokens'] ?? fields['cacheReadInputTokenCount'])
  const written = countOf(fields['cacheWriteInputTokens'] ?? fields['cacheWriteInputTokenCount'])
  const hour = writtenForAnHour(fields['cacheDetails'])
  return {
    usage: {
      input,
      cacheRead,
      // The total counts both classes.
      cacheWrite: written === null ? null : Math.max(0, written - (hour ?? 0)),
      cacheWrite1h: hour,
      output,
      reasoning: null,
      source: 'upstream',
    },
    total: countOf(fields['totalTokens']),
  }
}

/** Null when no detail tells of the one-hour class. */
function writtenForAnHour(details: unknown): number | null {
  let sum: number | null = null
  for (const detail of Array.isArray(details) ? details : []) {
    const { ttl, inputTokens } = fieldsOf(detail)
    const count = countOf(inputTokens)
    if (ttl === '1h' && count !== null) sum = (sum ?? 0) + count
  }
  return sum
}
