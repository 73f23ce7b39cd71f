import { costText } from '#base/money.ts'
import { countOf, fieldsOf, isMiscount, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'

/**
 * OpenAI-style usage in the normal form. `prompt_tokens` includes cached tokens and `completion_tokens` includes
 * reasoning; the vendors that count otherwise (xAI, some hosts of Grok and Gemini) are recognised by their own sums. Null when
 * nothing was reported, or what was is no count: then the meter estimates (fault M6).
 */
export function readOpenAiUsage(value: unknown, name: OpenAiUsageNames): Usage | null {
  if (value === null || typeof value !== 'object') return null
  const fields = fieldsOf(value)
  const told = name(fields)
  if (isMiscount(told.prompt) || isMiscount(told.completion)) return null
  const prompt = countOf(told.prompt)
  const completion = countOf(told.completion)
  if (prompt === null && completion === null) return null
  const promptDetails = fieldsOf(told.promptDetails)
  const cacheRead =
    countOf(promptDetails['cached_tokens']) ??
    // The own names of DeepSeek, Mistral and Moonshot.
    countOf(fields['prompt_cache_hit_tokens']) ??
    countOf(fields['num_cached_tokens']) ??
    countOf(fields['cached_tokens'])
  const cacheWrite = countOf(promptDetails['cache_write_tokens']) ?? countOf(promptDetails['cache_creation_tokens'])
  const reasoning = countOf(fieldsOf(told.completionDetails)['reasoning_tokens']) ?? countOf(fields['reasoning_tokens'])
  // Some hosts count what was written among what was read.
  const overlaps = prompt !== null && (cacheRead ?? 0) <= prompt && (sumOf(cacheRead, cacheWrite) ?? 0) > prompt
  const written = overlaps && cacheRead !== null && (cacheWrite ?? 0) <= prompt ? null : cacheWrite
  const cached = sumOf(cacheRead, written) ?? 0
  const total = countOf(fields['total_tokens'])
  const isSumApart = total !== null && total === (prompt ?? 0) + (completion ?? 0) + (reasoning ?? 0)
  const reasoningApart = reasoning !== null && reasoning > 0 && (isSumApart || reasoning > (completion ?? 0))
  const cost = costText(fields['cost'])
  return {
    ...(cost === undefined ? {} : { costUsd: cost }),
    // More cached than prompted means that the prompt count excludes the cache.
    input: prompt === null ? null : cached <= prompt ? prompt - cached : prompt,
    cacheRead,
    cacheWrite: written,
    cacheWrite1h: null,
    output: reasoningApart ? (completion ?? 0) + reasoning : completion,
    reasoning,
    source: 'upstream',
  }
}

/** The members that each API calls otherwise. Functions and no table of names: V8 finds a member that the source names far faster (R123). */
export type OpenAiUsageNames = (fields: Readonly<Record<string, unknown>>) => {
  readonly prompt: unknown
  readonly completion: unknown
  readonly promptDetails: unknown
  readonly completionDetails: unknown
}

export const CHAT_USAGE: OpenAiUsageNames = (fields) => ({
  prompt: fields['prompt_tokens'],
  completion: fields['completion_tokens'],
  promptDetails: fields['prompt_tokens_details'],
  completionDetails: fields['completion_tokens_details'],
})

export const RESPONSES_USAGE: OpenAiUsageNames = (fields) => ({
  prompt: fields['input_tokens'],
  completion: fields['output_tokens'],
  promptDetails: fields['input_tokens_details'],
  completionDetails: fields['output_tokens_details'],
})
