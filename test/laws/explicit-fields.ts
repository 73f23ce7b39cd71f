import type { ChatProtocol } from './exchanges.ts'

/**
 * Fields whose least value is a value (R80), as data: where each protocol has them, by Appendix A of the requirements. A
 * protocol that is not named has no such field: what its upstream does not get has to be declared.
 */
export interface ExplicitField {
  readonly name: string
  /** The values to say, as the first protocol of `at` says them. */
  readonly values: readonly unknown[]
  readonly at: Partial<Readonly<Record<ChatProtocol, Place>>>
  /** Upstreams that do so anyway when they are told nothing, and for which of the values; each with its reason. */
  readonly implied?: Partial<Readonly<Record<ChatProtocol, readonly unknown[]>>>
  /** What an upstream gets for a client of another protocol otherwise than its own clients say it. */
  readonly mapped?: Partial<Readonly<Record<ChatProtocol, Place>>>
  /** What a passthrough changes, by R9. */
  readonly rewritten?: Partial<Readonly<Record<ChatProtocol, Place>>>
  /** Upstreams that have the field, while most models there refuse the value. */
  readonly refused?: readonly ChatProtocol[]
  /** Models that know the field, where the usual ones do not. */
  readonly models?: Partial<Readonly<Record<ChatProtocol, string>>>
}

export interface Place {
  /** JSON pointer into the body. */
  readonly path: string
  /** The value in this protocol's words. */
  readonly say?: (value: unknown) => unknown
  /** What must be said beside it, so that it means something: pointer to value. */
  readonly beside?: Readonly<Record<string, unknown>>
}

const at = (path: string, beside?: Place['beside']): Place => (beside ? { path, beside } : { path })
const inverted = (path: string, beside?: Place['beside']): Place => ({
  ...at(path, beside),
  say: (value) => value !== true,
})
const always = (path: string, value: unknown): Place => ({ path, say: () => value })

const CONFIG = '/generationConfig'
const LIMITS = '/inferenceConfig'
const FIRST_TOOL = '/toolConfig/tools/0/toolSpec'

const REASONING = { 'openai-chat': 'gpt-5.1', 'openai-responses': 'gpt-5.1' }

export const EXPLICIT_FIELDS: readonly ExplicitField[] = [
  {
    name: 'temperature',
    values: [0],
    at: {
      'openai-chat': at('/temperature'),
      'openai-responses': at('/temperature'),
      'anthropic-messages': at('/temperature'),
      gemini: at(`${CONFIG}/temperature`),
      'bedrock-converse': at(`${LIMITS}/temperature`),
    },
  },
  {
    name: 'top_p',
    values: [0],
    at: {
      'openai-chat': at('/top_p'),
      'openai-responses': at('/top_p'),
      'anthropic-messages': at('/top_p'),
      gemini: at(`${CONFIG}/topP`),
      'bedrock-converse': at(`${LIMITS}/topP`),
    },
  },
  {
    name: 'top_k',
    values: [0],
    at: {
      'openai-chat': at('/top_k'),
      'anthropic-messages': at('/top_k'),
      gemini: at(`${CONFIG}/topK`),
      'bedrock-converse': at('/additionalModelRequestFields/top_k'),
    },
  },
  {
    name: 'presence_penalty',
    values: [0],
    at: { 'openai-chat': at('/presence_penalty'), gemini: at(`${CONFIG}/presencePenalty`) },
  },
  {
    name: 'frequency_penalty',
    values: [0],
    at: { 'openai-chat': at('/frequency_penalty'), gemini: at(`${CONFIG}/frequencyPenalty`) },
  },
  { name: 'seed', values: [0], at: { 'openai-chat': at('/seed'), gemini: at(`${CONFIG}/seed`) } },
  {
    name: 'max_tokens',
    values: [0],
    at: {
      'openai-chat': at('/max_tokens'),
      'openai-responses': at('/max_output_tokens'),
      'anthropic-messages': at('/max_tokens'),
      gemini: at(`${CONFIG}/maxOutputTokens`),
      'bedrock-converse': at(`${LIMITS}/maxTokens`),
    },
  },
  {
    name: 'n',
    values: [0],
    at: { 'openai-chat': at('/n'), gemini: at(`${CONFIG}/candidateCount`) },
  },
  {
    name: 'logprobs',
    values: [false],
    at: { 'openai-chat': at('/logprobs'), gemini: at(`${CONFIG}/responseLogprobs`) },
    // They tell none unless asked, or never.
    implied: { 'openai-responses': [false], 'anthropic-messages': [false], 'bedrock-converse': [false] },
  },
  {
    name: 'top_logprobs',
    values: [0],
    at: {
      'openai-chat': at('/top_logprobs', { '/logprobs': true }),
      'openai-responses': at('/top_logprobs', { '/include': ['message.output_text.logprobs'] }),
      gemini: at(`${CONFIG}/logprobs`, { [`${CONFIG}/responseLogprobs`]: true }),
    },
  },
  {
    name: 'stream',
    values: [false],
    at: {
      'openai-chat': at('/stream'),
      'openai-responses': at('/stream'),
      'anthropic-messages': at('/stream'),
    },
    // The path says it there.
    implied: { gemini: [false], 'bedrock-converse': [false] },
  },
  {
    name: 'include_usage',
    values: [false],
    at: { 'openai-chat': at('/stream_options/include_usage', { '/stream': true }) },
    // The gateway wants to know, and hides it from the client.
    rewritten: { 'openai-chat': always('/stream_options/include_usage', true) },
    // These tell it in any case.
    implied: {
      'openai-responses': [false],
      'anthropic-messages': [false],
      gemini: [false],
      'bedrock-converse': [false],
    },
  },
  {
    name: 'parallel_tool_calls',
    values: [false, true],
    at: {
      'openai-chat': at('/parallel_tool_calls'),
      'openai-responses': at('/parallel_tool_calls'),
      'anthropic-messages': inverted('/tool_choice/disable_parallel_tool_use', { '/tool_choice/type': 'auto' }),
    },
    // Models call as they like there.
    implied: { gemini: [true], 'bedrock-converse': [true] },
  },
  {
    name: 'store',
    values: [false],
    at: { 'openai-chat': at('/store'), 'openai-responses': at('/store') },
    // Nothing is stored there, in chat not unless it is asked for.
    implied: { 'openai-chat': [false], 'anthropic-messages': [false], gemini: [false], 'bedrock-converse': [false] },
  },
  {
    name: 'strict',
    values: [false],
    at: {
      'openai-chat': at('/tools/0/function/strict'),
      'openai-responses': at('/tools/0/strict'),
      'anthropic-messages': at('/tools/0/strict'),
      'bedrock-converse': at(`${FIRST_TOOL}/strict`),
    },
    implied: { gemini: [false] },
  },
  {
    name: 'thinkingBudget',
    values: [0],
    at: {
      gemini: at(`${CONFIG}/thinkingConfig/thinkingBudget`),
      'openai-chat': at('/reasoning/max_tokens'),
      'openai-responses': at('/reasoning/max_tokens'),
    },
    mapped: {
      'openai-chat': always('/reasoning_effort', 'none'),
      'openai-responses': always('/reasoning/effort', 'none'),
      'anthropic-messages': always('/thinking/type', 'disabled'),
    },
    // Claude with a budget thinks only when it is told to.
    implied: { 'bedrock-converse': [0] },
    // Half of the models refuse `none`.
    refused: ['openai-responses'],
    models: REASONING,
  },
  {
    name: 'includeThoughts',
    values: [false],
    at: {
      gemini: at(`${CONFIG}/thinkingConfig/includeThoughts`),
      'openai-chat': inverted('/reasoning/exclude'),
      'openai-responses': inverted('/reasoning/exclude'),
    },
    // The gateway shows its client none, whatever comes.
    implied: {
      'openai-chat': [false],
      'openai-responses': [false],
      'anthropic-messages': [false],
      'bedrock-converse': [false],
    },
    models: REASONING,
  },
  {
    name: 'stop',
    values: [[]],
    at: {
      'openai-chat': at('/stop'),
      'anthropic-messages': at('/stop_sequences'),
      gemini: at(`${CONFIG}/stopSequences`),
      'bedrock-converse': at(`${LIMITS}/stopSequences`),
    },
    // It knows no stop sequence at all.
    implied: { 'openai-responses': [[]] },
  },
  {
    name: 'user',
    values: [''],
    at: {
      'openai-chat': at('/user'),
      'openai-responses': at('/user'),
      'anthropic-messages': at('/metadata/user_id'),
      'bedrock-converse': at('/requestMetadata/user_id'),
    },
  },
  {
    name: 'prompt_cache_key',
    values: [''],
    at: { 'openai-chat': at('/prompt_cache_key'), 'openai-responses': at('/prompt_cache_key') },
  },
  {
    name: "a tool's description",
    values: [''],
    at: {
      'openai-chat': at('/tools/0/function/description'),
      'openai-responses': at('/tools/0/description'),
      'anthropic-messages': at('/tools/0/description'),
      gemini: at('/tools/0/functionDeclarations/0/description'),
      'bedrock-converse': at(`${FIRST_TOOL}/description`),
    },
    // It refuses a description that is empty.
    implied: { 'bedrock-converse': [''] },
  },
  {
    name: "a schema's default",
    values: [0, false, '', []],
    at: {
      'openai-chat': at('/tools/0/function/parameters/properties/city/default'),
      'openai-responses': at('/tools/0/parameters/properties/city/default'),
      'anthropic-messages': at('/tools/0/input_schema/properties/city/default'),
      gemini: at('/tools/0/functionDeclarations/0/parametersJsonSchema/properties/city/default'),
      'bedrock-converse': at(`${FIRST_TOOL}/inputSchema/json/properties/city/default`),
    },
  },
]
