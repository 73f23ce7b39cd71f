import type { ChatRequest, OutputFormat, Sampling } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { encodeThinking } from './encode-thinking.ts'

const STOP_SEQUENCES_MAX = 5

const SAMPLING = ['temperature', 'topP', 'topK', 'presencePenalty', 'frequencyPenalty', 'seed'] as const
/** What models refuse that take no sampling values; a seed is none. */
const REFUSABLE: ReadonlySet<string> = new Set(SAMPLING.filter((name) => name !== 'seed'))
const UNKNOWN_SAMPLING = ['logitBias', 'minP', 'repetitionPenalty'] as const

/** The members of `generationConfig`. `format` is null where a function stands for it. */
export function encodeConfig(
  request: ChatRequest,
  format: OutputFormat | null,
  target: TargetTraits,
  losses: Losses,
): Readonly<Record<string, unknown>> {
  const thinkingConfig = encodeThinking(request, target, losses)
  const { outputTokensMax, candidates, logprobs } = request
  return {
    ...samplingOf(request, target, losses),
    ...(outputTokensMax === null ? {} : { maxOutputTokens: outputTokensMax }),
    ...stopOf(request, losses),
    ...(candidates === null ? {} : { candidateCount: candidates }),
    ...(logprobs === null ? {} : { responseLogprobs: logprobs.enabled }),
    ...(logprobs === null || logprobs.top === null ? {} : { logprobs: logprobs.top }),
    ...formatOf(format, request, losses),
    ...(thinkingConfig === null ? {} : { thinkingConfig }),
  }
}

function samplingOf(request: ChatRequest, target: TargetTraits, losses: Losses): Sampling {
  const { sampling, paths } = request
  const kept: [string, unknown][] = []
  for (const name of SAMPLING) {
    const value = sampling[name]
    if (value === undefined || value === null) continue
    if (target.refusesSampling && REFUSABLE.has(name)) losses.dropped(paths[name] ?? '', 'the model refuses it')
    else kept.push([name, value])
  }
  for (const name of UNKNOWN_SAMPLING)
    if (sampling[name] !== undefined && sampling[name] !== null)
      losses.dropped(paths[name] ?? '', 'Gemini knows no such parameter')
  return Object.fromEntries(kept)
}

function stopOf({ stopSequences, paths }: ChatRequest, losses: Losses): { stopSequences?: readonly string[] } {
  if (stopSequences === null) return {}
  if (stopSequences.length <= STOP_SEQUENCES_MAX) return { stopSequences }
  losses.narrowed(paths['stopSequences'] ?? '', `Gemini takes ${STOP_SEQUENCES_MAX} stop sequences`)
  return { stopSequences: stopSequences.slice(0, STOP_SEQUENCES_MAX) }
}

function formatOf(
  format: OutputFormat | null,
  request: ChatRequest,
  losses: Losses,
): Readonly<Record<string, unknown>> {
  switch (format?.type) {
    case undefined:
      return {}
    case 'text':
      return { responseMimeType: 'text/plain' }
    case 'json':
      return { responseMimeType: 'application/json' }
    case 'schema':
      for (const name of ['name', 'description'] as const)
        if (format[name] !== null) losses.narrowed(request.paths['format'] ?? '', `Gemini takes no ${name} of a format`)
      return { responseMimeType: 'application/json', responseJsonSchema: format.schema }
    default: {
      const missed: never = format
      throw new Error(`no format for ${String(missed)}`)
    }
  }
}
