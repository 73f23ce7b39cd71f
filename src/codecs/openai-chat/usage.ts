import { costText } from '#base/money.ts'
import { countOf, fieldsOf, isMiscount, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'

/**
 * OpenAI-style usage in the normal form. `prompt_tokens` includes cached tokens and `completion_tokens` includes
 * reasoning; the vendors that count otherwise (xAI, some hosts of Grok and Gemini) are recognised by their own sums. Null when
 * nothing was reported, or what was is no count: then the meter estimates (fault M6).
 */
export function readOpenAiUsage(value: unknown, names: OpenAiUsageNames): Usage | null {
  if (value === null || typeof value !== 'object') return null
  const fields = fieldsOf(value)
  if (isMiscount(fields[names.prompt]) || isMiscount(fields[names.completion])) return null
  const prompt = countOf(fields[names.prompt])
  const completion = countOf(fields[names.completion])
  if (prompt === null && completion === null) return null
  const promptDetails = fieldsOf(fields[names.promptDetails])
  const cacheRead =
    countOf(promptDetails['cached_tokens']) ??
    // The own names of DeepSeek, Mistral and Moonshot.
    countOf(fields['prompt_cache_hit_tokens']) ??
    countOf(fields['num_cached_tokens']) ??
    countOf(fields['cached_tokens'])
  const cacheWrite = countOf(promptDetails['cache_write_tokens']) ?? countOf(promptDetails['cache_creation_tokens'])
  const reasoning =
    countOf(fieldsOf(fields[names.completionDetails])['reasoning_tokens']) ?? countOf(fields['reasoning_tokens'])
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

export interface OpenAiUsageNames {
  readonly prompt: string
  readonly completion: string
  readonly promptDetails: string
  readonly completionDetails: string
}

export const CHAT_USAGE: OpenAiUsageNames = {
  prompt: 'prompt_tokens',
  completion: 'completion_tokens',
  promptDetails: 'prompt_tokens_details',
  completionDetails: 'completion_tokens_details',
}

export const RESPONSES_USAGE: OpenAiUsageNames = {
  prompt: 'input_tokens',
  completion: 'output_tokens',
  promptDetails: 'input_tokens_details',
  completionDetails: 'output_tokens_details',
}
