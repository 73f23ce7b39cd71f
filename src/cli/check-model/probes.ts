import type { Said } from './answers.ts'
import { type Ask, TOOL_NAME } from './asks.ts'

/** One thing that a model may or may not be able to do. */
export interface Probe {
  readonly name: string
  readonly ask: Ask
  /** Capabilities of the catalog, one of which declares it; none: every model has to. */
  readonly declaredBy: readonly string[]
  /** Whether a model may refuse it with a 400 and still be as good as declared. */
  readonly mayBeRefused?: true
  /** What is missing in the answer; null when nothing is. */
  judge(said: Said, usageSource: string | null): string | null
}

const HELLO = 'Say hello in one word.'
const WEATHER = `What is the weather in Berlin? Call the function ${TOOL_NAME}.`
const CITY = 'Answer with a JSON object that has one member "city", the capital of France.'

const hasText = ({ text }: Said): string | null => (text.trim() === '' ? 'the answer has no text' : null)

function hasCall({ calls }: Said): string | null {
  const call = calls.find(({ name }) => name === TOOL_NAME)
  if (!call) return 'the function was not called'
  return isObject(call.given) ? null : 'the arguments of the call are no JSON object'
}

function isJson({ text }: Said): string | null {
  return jsonOf(text) === undefined ? 'the text is no JSON object' : null
}

function fitsSchema(said: Said): string | null {
  const value = jsonOf(said.text)
  if (value === undefined) return 'the text is no JSON object'
  return typeof value['city'] === 'string' && Object.keys(value).length === 1
    ? null
    : 'the text does not fit the schema'
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** In the order in which they are shown (R121). */
export const PROBES: readonly Probe[] = [
  { name: 'chat', ask: { text: HELLO }, declaredBy: [], judge: hasText },
  {
    name: 'stream',
    ask: { text: HELLO, stream: true },
    declaredBy: [],
    judge: (said) => (said.isComplete ? hasText(said) : 'the stream did not come to its end'),
  },
  {
    name: 'stream_usage',
    ask: { text: HELLO, stream: true },
    declaredBy: [],
    judge(said, source) {
      if (!said.hasUsage) return 'the stream tells no usage'
      return source === 'upstream' ? null : 'the provider told no usage, and it was estimated'
    },
  },
  { name: 'tool_call', ask: { text: WEATHER, tool: 'free' }, declaredBy: ['tools'], judge: hasCall },
  { name: 'forced_tool', ask: { text: WEATHER, tool: 'forced' }, declaredBy: ['tools'], judge: hasCall },
  {
    name: 'json_object',
    ask: { text: CITY, format: 'json' },
    declaredBy: ['json_mode', 'json_schema'],
    judge: isJson,
  },
  { name: 'json_schema', ask: { text: CITY, format: 'schema' }, declaredBy: ['json_schema'], judge: fitsSchema },
  {
    name: 'image_input',
    ask: { text: 'What is in this picture?', image: true },
    declaredBy: ['vision'],
    judge: hasText,
  },
  {
    name: 'thinking',
    ask: { text: 'What is 17 times 23?', thinking: true },
    declaredBy: ['reasoning', 'thinking'],
    judge: (said) => (said.hasReasoning ? hasText(said) : 'the answer tells of no reasoning'),
  },
  // Newer models have a least limit, and some take no temperature.
  {
    name: 'max_tokens_1',
    ask: { text: HELLO, outputTokensMax: 1 },
    declaredBy: [],
    mayBeRefused: true,
    judge: () => null,
  },
  { name: 'temperature_0', ask: { text: HELLO, temperature: 0 }, declaredBy: [], mayBeRefused: true, judge: hasText },
]
