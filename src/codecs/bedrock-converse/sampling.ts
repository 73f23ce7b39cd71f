import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, Sampling } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { Family } from './family.ts'
import type { Fields } from './fields.ts'
import type { ReasoningPlan } from './reasoning.ts'

export interface SamplingPlan {
  readonly inferenceConfig: Fields
  /** Members of `additionalModelRequestFields`. */
  readonly fields: Fields
}

/** Sampling values that Converse has no place for. */
const UNKNOWN = [
  'presencePenalty',
  'frequencyPenalty',
  'seed',
  'logitBias',
  'minP',
  'repetitionPenalty',
] as const satisfies readonly (keyof Sampling)[]

/** Claude from 4.1 on refuses the two together: "`temperature` and `top_p` cannot both be specified for this model". */
const REFUSES_BOTH = /claude-(?:opus|sonnet|haiku)-(?:4-[1-9](?!\d)|[5-9])/

export function planSampling(
  request: ChatRequest,
  target: TargetTraits,
  family: Family,
  reasoning: ReasoningPlan,
  losses: Losses,
): SamplingPlan {
  const { sampling, stopSequences } = request
  const pathOf = (name: string): string => request.paths[name] ?? `/${name}`
  for (const name of UNKNOWN) if (sampling[name] !== undefined) losses.dropped(pathOf(name), `Bedrock has no ${name}`)
  const refusal = target.refusesSampling
    ? 'the model takes no sampling values'
    : reasoning.isThinking
      ? 'the model takes no sampling values while it thinks'
      : null
  const taken = (name: keyof Sampling): unknown => {
    const value = sampling[name]
    // One is what the model does anyway.
    if (value === undefined || refusal === null || (name === 'temperature' && value === 1 && !target.refusesSampling))
      return value
    losses.dropped(pathOf(name), refusal)
    return undefined
  }
  const temperature = clamped(taken('temperature'), pathOf('temperature'), losses)
  let topP = taken('topP')
  if (temperature !== undefined && topP !== undefined && REFUSES_BOTH.test(target.model)) {
    losses.dropped(pathOf('topP'), 'the model takes temperature or top_p and not both')
    topP = undefined
  }
  const { outputTokensMax } = reasoning
  return {
    inferenceConfig: {
      ...(outputTokensMax === null ? {} : { maxTokens: outputTokensMax }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(topP === undefined ? {} : { topP }),
      ...(stopSequences === null ? {} : { stopSequences }),
    },
    fields: topKFields(taken('topK'), family, pathOf('topK'), losses),
  }
}

/** Converse knows temperatures from 0 to 1. */
function clamped(temperature: unknown, path: string, losses: Losses): unknown {
  if (typeof temperature !== 'number' || temperature <= 1) return temperature
  losses.narrowed(path, 'Bedrock takes temperatures up to 1')
  return 1
}

/** Each maker has its own place for it. */
function topKFields(topK: unknown, family: Family, path: string, losses: Losses): Fields {
  if (topK === undefined) return {}
  if (family === 'claude') return { top_k: topK }
  if (family === 'nova') return { inferenceConfig: { topK } }
  losses.dropped(path, 'the model has no place for top_k')
  return {}
}
