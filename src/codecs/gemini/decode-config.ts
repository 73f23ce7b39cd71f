import type { ChatRequest, OutputFormat, ReasoningControl, Sampling } from '#ir/chat-request.ts'
import { countOf } from '#ir/counts.ts'
import { CANDIDATES_MAX, OUTPUT_TOKENS_MAX } from '#codecs/request-fields.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { type Element, invalid, Members, spellingsOf } from './members.ts'

/** What a `generationConfig` says, in neutral form. */
export type DecodedConfig = Pick<
  ChatRequest,
  'sampling' | 'outputTokensMax' | 'stopSequences' | 'candidates' | 'logprobs' | 'format' | 'reasoning' | 'paths'
> & {
  /** What only Gemini knows, as it stood. */
  readonly rest: Readonly<Record<string, unknown>> | undefined
}

export const NO_CONFIG: DecodedConfig = {
  sampling: {},
  outputTokensMax: null,
  stopSequences: null,
  candidates: null,
  logprobs: null,
  format: null,
  reasoning: null,
  paths: {},
  rest: undefined,
}

const SAMPLING = ['temperature', 'topP', 'topK', 'presencePenalty', 'frequencyPenalty', 'seed'] as const

const CONFIG = spellingsOf([
  ...SAMPLING,
  'maxOutputTokens',
  'stopSequences',
  'candidateCount',
  'responseLogprobs',
  'logprobs',
  'responseMimeType',
  'responseSchema',
  'responseJsonSchema',
  'thinkingConfig',
])

/** Neutral field -> the member that says it. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(SAMPLING.map((name) => [name, [name]])),
  outputTokensMax: ['maxOutputTokens'],
  stopSequences: ['stopSequences'],
  candidates: ['candidateCount'],
  logprobs: ['responseLogprobs', 'logprobs'],
  format: ['responseJsonSchema', 'responseSchema', 'responseMimeType'],
  reasoning: ['thinkingConfig'],
}

export function decodeConfig({ value, path }: Element): DecodedConfig {
  const config = new Members(value, path, CONFIG)
  const mimeType = config.string('responseMimeType')
  const format = formatOf(config, mimeType)
  // A MIME type of neither text nor JSON (enums) is Gemini's own.
  const isOwnType = mimeType !== null && mimeType !== 'text/plain' && mimeType !== 'application/json'
  return {
    sampling: samplingOf(config),
    outputTokensMax: countIn(config, 'maxOutputTokens', OUTPUT_TOKENS_MAX),
    stopSequences: config.strings('stopSequences'),
    candidates: countIn(config, 'candidateCount', CANDIDATES_MAX),
    logprobs: logprobsOf(config),
    format,
    reasoning: config.has('thinkingConfig') ? reasoningOf(config) : null,
    paths: pathsOf(config),
    rest: ownMembers(config, isOwnType ? mimeType : null),
  }
}

/** What the neutral form has no place for; undefined when there is nothing. */
function ownMembers(config: Members, mimeType: string | null): Readonly<Record<string, unknown>> | undefined {
  const thinking = config.has('thinkingConfig')
    ? new Members(config.get('thinkingConfig'), config.pathOf('thinkingConfig'), THINKING).rest
    : undefined
  if (mimeType === null && thinking === undefined) return config.rest
  return {
    ...config.rest,
    ...(mimeType === null ? {} : { responseMimeType: mimeType }),
    ...(thinking === undefined ? {} : { thinkingConfig: thinking }),
  }
}

function samplingOf(config: Members): Sampling {
  return Object.fromEntries(SAMPLING.filter((name) => config.has(name)).map((name) => [name, config.get(name)]))
}

function countIn(config: Members, name: string, max: number): number | null {
  const value = config.get(name)
  if (value === undefined) return null
  const count = countOf(value)
  if (count === null || count > max) throw invalid(config.pathOf(name), `must be a whole number from 0 to ${max}`)
  return count
}

function logprobsOf(config: Members): ChatRequest['logprobs'] {
  const enabled = config.flag('responseLogprobs')
  const top = config.number('logprobs')
  return enabled === null && top === null ? null : { enabled: enabled === true, top }
}

function formatOf(config: Members, mimeType: string | null): OutputFormat | null {
  const schema = config.get('responseJsonSchema') ?? jsonSchemaOf(config.get('responseSchema'))
  if (schema !== undefined) return { type: 'schema', name: null, description: null, schema, strict: null }
  if (mimeType === 'application/json') return { type: 'json' }
  return mimeType === 'text/plain' ? { type: 'text' } : null
}

const THINKING = spellingsOf(['thinkingBudget', 'thinkingLevel', 'includeThoughts'])

/** Google leaves thoughts out unless `includeThoughts` is true, so that a config without it asks for none. */
function reasoningOf(config: Members): ReasoningControl {
  const thinking = new Members(config.get('thinkingConfig'), config.pathOf('thinkingConfig'), THINKING)
  const budget = thinking.number('thinkingBudget')
  const level = thinking.string('thinkingLevel')?.toLowerCase() ?? null
  const isShown = thinking.flag('includeThoughts') ?? false
  const effort = level === 'thinking_level_unspecified' ? null : level
  const isBare = budget === null && effort === null
  return {
    enabled: budget === 0 ? false : isBare && isShown ? true : null,
    effort,
    budgetTokens: budget === null || budget < 0 ? null : budget,
    isAdaptive: budget !== null && budget < 0,
    isShown,
    summary: null,
  }
}

function pathsOf(config: Members): Record<string, string> {
  const paths: Record<string, string> = {}
  for (const [field, names] of Object.entries(NAMES)) {
    const name = names.find((each) => config.has(each))
    if (name !== undefined) paths[field] = config.pathOf(name)
  }
  return paths
}
