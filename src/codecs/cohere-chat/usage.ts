import { countOf, fieldsOf, isMiscount } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'

/**
 * `usage` of an answer. `tokens` is what the model read and wrote, with Cohere's own words around the prompt, the cached
 * ones among them; `billed_units` is what Cohere charges for: the client's words and its images. A report that is no count
 * counts as none (fault M6).
 */
export function readCohereUsage(value: unknown): Usage | null {
  const fields = fieldsOf(value)
  const billed = fieldsOf(fields['billed_units'])
  const tokens = fieldsOf(fields['tokens'])
  const told = [tokens['input_tokens'], tokens['output_tokens'], billed['input_tokens'], billed['output_tokens']]
  if (told.some(isMiscount)) return null
  const [input, output, billedInput, billedOutput] = told.map(countOf) as [Count, Count, Count, Count]
  const prompt = input ?? billedInput
  const answer = output ?? billedOutput
  if (prompt === null && answer === null) return null
  const cacheRead = countOf(fields['cached_tokens'])
  const isBilled = billedInput !== null && billedOutput !== null
  return {
    input: prompt === null ? null : Math.max(0, prompt - (cacheRead ?? 0)),
    // More from the cache than there was is no count of this prompt.
    cacheRead: cacheRead === null || prompt === null ? cacheRead : Math.min(cacheRead, prompt),
    cacheWrite: null,
    cacheWrite1h: null,
    output: answer,
    reasoning: countOf(tokens['reasoning_tokens']),
    source: 'upstream',
    ...(isBilled ? { billed: { input: billedInput, output: billedOutput } } : {}),
  }
}

type Count = number | null
