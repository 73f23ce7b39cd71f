import type { Protocol } from '#base/protocols.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { UriParameters } from '#data-plane/4-resolve/uri-parameters.ts'

type Name = Exclude<keyof UriParameters, 'reasoning_effort'>

/** Where a parameter stands in an upstream's body (R30); absent: the protocol has no place for it. */
type Places = Readonly<Partial<Record<Name, readonly string[]>>>

const SAMPLING: Places = { temperature: ['temperature'], top_p: ['top_p'] }

const PLACES: Readonly<Record<Protocol, Places>> = {
  'openai-chat': {
    ...SAMPLING,
    top_k: ['top_k'],
    max_tokens: ['max_tokens'],
    seed: ['seed'],
    presence_penalty: ['presence_penalty'],
    frequency_penalty: ['frequency_penalty'],
    verbosity: ['verbosity'],
  },
  'openai-responses': { ...SAMPLING, max_tokens: ['max_output_tokens'], verbosity: ['text', 'verbosity'] },
  'anthropic-messages': { ...SAMPLING, top_k: ['top_k'], max_tokens: ['max_tokens'] },
  gemini: {
    temperature: ['generationConfig', 'temperature'],
    top_p: ['generationConfig', 'topP'],
    top_k: ['generationConfig', 'topK'],
    max_tokens: ['generationConfig', 'maxOutputTokens'],
    seed: ['generationConfig', 'seed'],
    presence_penalty: ['generationConfig', 'presencePenalty'],
    frequency_penalty: ['generationConfig', 'frequencyPenalty'],
  },
  'bedrock-converse': {
    temperature: ['inferenceConfig', 'temperature'],
    top_p: ['inferenceConfig', 'topP'],
    top_k: ['additionalModelRequestFields', 'top_k'],
    max_tokens: ['inferenceConfig', 'maxTokens'],
  },
  'cohere-chat': {
    temperature: ['temperature'],
    top_p: ['p'],
    top_k: ['k'],
    max_tokens: ['max_tokens'],
    seed: ['seed'],
    presence_penalty: ['presence_penalty'],
    frequency_penalty: ['frequency_penalty'],
  },
  'openai-embeddings': {},
}

const SAMPLING_NAMES: ReadonlySet<string> = new Set([
  'temperature',
  'top_p',
  'top_k',
  'presence_penalty',
  'frequency_penalty',
])

/** The place of a parameter, or why it has none at this target. */
export function placeOf(
  name: Name,
  protocol: Protocol,
  traits: TargetTraits,
  backendType: string,
): readonly string[] | { readonly without: string } {
  // Values that only stand for the defaults would be refused too (R88).
  if (traits.refusesSampling && SAMPLING_NAMES.has(name)) return { without: 'the model takes no sampling values' }
  const place = PLACES[protocol][name]
  const isOpenAi = backendType === 'openai' || backendType === 'azure'
  if (!place || (name === 'top_k' && isOpenAi)) return { without: 'the upstream has no such parameter' }
  return name === 'max_tokens' && protocol === 'openai-chat' && traits.usesCompletionTokens
    ? ['max_completion_tokens']
    : place
}

/** Members by which an output limit is given; one of them is said, never two. */
export const LIMIT_MEMBERS: readonly string[] = ['max_tokens', 'max_completion_tokens', 'max_output_tokens']
