import { costText } from '#base/money.ts'
import { countOf, fieldsOf, isMiscount, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { CountScan } from '#wire/count-scan.ts'
import { readValue } from '#wire/json-scan.ts'

/** What a usage object of this family says, whichever names it has for it; null where it says nothing. */
interface Counts {
  readonly prompt: number | null
  readonly completion: number | null
  readonly total: number | null
  readonly cacheRead: number | null
  readonly cacheWrite: number | null
  readonly reasoning: number | null
  readonly costUsd: string | undefined
}

/**
 * OpenAI-style usage in the normal form. `prompt_tokens` includes cached tokens and `completion_tokens` includes
 * reasoning; the vendors that count otherwise (xAI, some hosts of Grok and Gemini) are recognised by their own sums. Null when
 * nothing was reported, or what was is no count: then the meter estimates (fault M6).
 */
export function readOpenAiUsage(value: unknown, { members }: OpenAiUsageNames): Usage | null {
  if (value === null || typeof value !== 'object') return null
  const fields = fieldsOf(value)
  const told = members(fields)
  if (isMiscount(told.prompt) || isMiscount(told.completion)) return null
  const promptDetails = fieldsOf(told.promptDetails)
  return normalUsage({
    prompt: countOf(told.prompt),
    completion: countOf(told.completion),
    total: countOf(fields['total_tokens']),
    cacheRead:
      countOf(promptDetails['cached_tokens']) ??
      // The own names of DeepSeek, Mistral and Moonshot.
      countOf(fields['prompt_cache_hit_tokens']) ??
      countOf(fields['num_cached_tokens']) ??
      countOf(fields['cached_tokens']),
    cacheWrite: countOf(promptDetails['cache_write_tokens']) ?? countOf(promptDetails['cache_creation_tokens']),
    reasoning: countOf(fieldsOf(told.completionDetails)['reasoning_tokens']) ?? countOf(fields['reasoning_tokens']),
    costUsd: costText(fields['cost']),
  })
}

/** The same of the usage object at `[start, end)` of valid JSON, which every answer has (R123): hardly any has to be parsed. */
export function openAiUsageAt(bytes: Buffer, start: number, end: number, names: OpenAiUsageNames): Usage | null {
  const { scan } = names
  if (!scan.read(bytes, start)) return readOpenAiUsage(readValue(bytes, start, end), names)
  const { counts } = scan
  const told = (at: number): number | null => (counts[at]! < 0 ? null : counts[at]!)
  return normalUsage({
    prompt: told(PROMPT),
    completion: told(COMPLETION),
    total: told(TOTAL),
    cacheRead: told(CACHED) ?? told(CACHE_HIT) ?? told(NUM_CACHED) ?? told(ALL_CACHED),
    cacheWrite: told(WRITTEN) ?? told(CREATED),
    reasoning: told(REASONING) ?? told(ALL_REASONING),
    costUsd: costText(told(COST)),
  })
}

function normalUsage({ prompt, completion, total, cacheRead, cacheWrite, reasoning, costUsd }: Counts): Usage | null {
  if (prompt === null && completion === null) return null
  // Some hosts count what was written among what was read.
  const overlaps = prompt !== null && (cacheRead ?? 0) <= prompt && (sumOf(cacheRead, cacheWrite) ?? 0) > prompt
  const written = overlaps && cacheRead !== null && (cacheWrite ?? 0) <= prompt ? null : cacheWrite
  const cached = sumOf(cacheRead, written) ?? 0
  const isSumApart = total !== null && total === (prompt ?? 0) + (completion ?? 0) + (reasoning ?? 0)
  const reasoningApart = reasoning !== null && reasoning > 0 && (isSumApart || reasoning > (completion ?? 0))
  return {
    ...(costUsd === undefined ? {} : { costUsd }),
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

/** The members that each API calls otherwise. */
export interface OpenAiUsageNames {
  /** A function and no table of names: V8 finds a member that the source names far faster (R123). */
  readonly members: (fields: Readonly<Record<string, unknown>>) => {
    readonly prompt: unknown
    readonly completion: unknown
    readonly promptDetails: unknown
    readonly completionDetails: unknown
  }
  readonly scan: CountScan
}

const [PROMPT, COMPLETION, TOTAL, CACHED, CACHE_HIT, NUM_CACHED, ALL_CACHED] = [0, 1, 2, 3, 4, 5, 6] as const
const [WRITTEN, CREATED, REASONING, ALL_REASONING, COST] = [7, 8, 9, 10, 11] as const

/** All of them, in the order of their numbers. */
const scanOf = (prompt: string, completion: string): CountScan =>
  new CountScan([
    prompt,
    completion,
    'total_tokens',
    `${prompt}_details.cached_tokens`,
    'prompt_cache_hit_tokens',
    'num_cached_tokens',
    'cached_tokens',
    `${prompt}_details.cache_write_tokens`,
    `${prompt}_details.cache_creation_tokens`,
    `${completion}_details.reasoning_tokens`,
    'reasoning_tokens',
    'cost',
  ])

export const CHAT_USAGE: OpenAiUsageNames = {
  members: (fields) => ({
    prompt: fields['prompt_tokens'],
    completion: fields['completion_tokens'],
    promptDetails: fields['prompt_tokens_details'],
    completionDetails: fields['completion_tokens_details'],
  }),
  scan: scanOf('prompt_tokens', 'completion_tokens'),
}

export const RESPONSES_USAGE: OpenAiUsageNames = {
  members: (fields) => ({
    prompt: fields['input_tokens'],
    completion: fields['output_tokens'],
    promptDetails: fields['input_tokens_details'],
    completionDetails: fields['output_tokens_details'],
  }),
  scan: scanOf('input_tokens', 'output_tokens'),
}
