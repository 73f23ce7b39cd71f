import { GatewayError } from '#base/errors.ts'
import type { ChatRequest, OutputFormat, Sampling } from '#ir/chat-request.ts'
import { OUTPUT_TOKENS_MAX } from '#codecs/request-fields.ts'
import type { ClientContext } from '#codecs/translation.ts'
import { readMessages } from './decode-messages.ts'
import { readTools } from './decode-tools.ts'
import {
  isObject,
  malformed,
  type Members,
  numberOf,
  optionalText,
  ownExt,
  restOf,
  restWithin,
  stringOrNull,
} from './members.ts'
import { readReasoning } from './reasoning-control.ts'

/** A body of `POST /v1/chat/completions`, OpenAI's and OpenRouter's dialects alike. Whether it streams stands in the body. */
export function decodeChatRequest(body: unknown, _context: ClientContext): ChatRequest {
  if (!isObject(body)) throw new GatewayError('invalid_request', 'The body must be a JSON object.')
  const paths: Record<string, string> = {}
  const rest = restOf(body, KNOWN)
  const endUser = optionalText(body, 'user', '')
  if (endUser !== null) paths['endUser'] = '/user'
  const { tools, toolChoice } = readTools(body, paths, rest)
  const { sampling, ...settings } = readSettings(body, paths, rest)
  return {
    instructions: [],
    turns: readMessages(body['messages']),
    tools,
    toolChoice,
    sampling,
    ...settings,
    endUser: endUser ?? readIdentifier(rest, paths),
    stream: readFlag(body, 'stream', 'stream', paths) ?? false,
    paths,
    ext: ownExt(rest).ext ?? {},
  }
}

/** What has a neutral form; `model` is the gateway's own matter. All else is kept as it stood. */
const KNOWN = new Set([
  'model',
  'messages',
  'tools',
  'functions',
  'tool_choice',
  'function_call',
  'web_search_options',
  'parallel_tool_calls',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'repetition_penalty',
  'presence_penalty',
  'frequency_penalty',
  'seed',
  'logit_bias',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'n',
  'response_format',
  'reasoning',
  'reasoning_effort',
  'verbosity',
  'service_tier',
  'user',
  'metadata',
  'prompt_cache_key',
  'cache_control',
  'stream',
  'stream_options',
])

const SAMPLING: readonly (readonly [keyof Sampling, string])[] = [
  ['temperature', 'temperature'],
  ['topP', 'top_p'],
  ['topK', 'top_k'],
  ['minP', 'min_p'],
  ['repetitionPenalty', 'repetition_penalty'],
  ['presencePenalty', 'presence_penalty'],
  ['frequencyPenalty', 'frequency_penalty'],
  ['seed', 'seed'],
  ['logitBias', 'logit_bias'],
]

type Paths = Record<string, string>
type Settings = Pick<
  ChatRequest,
  | 'sampling'
  | 'parallelToolCalls'
  | 'outputTokensMax'
  | 'stopSequences'
  | 'candidates'
  | 'logprobs'
  | 'format'
  | 'reasoning'
  | 'verbosity'
  | 'serviceTier'
  | 'metadata'
  | 'promptCacheKey'
  | 'cacheControl'
>

function readSettings(body: Members, paths: Paths, rest: Record<string, unknown>): Settings {
  const sampling: { -readonly [Name in keyof Sampling]: unknown } = {}
  for (const [name, member] of SAMPLING) {
    const value = body[member] ?? null
    if (value === null) continue
    sampling[name] = value
    paths[name] = `/${member}`
  }
  const reasoning = readReasoning(body)
  if (reasoning.control) paths['reasoning'] = reasoning.path
  Object.assign(rest, reasoning.rest)
  const options = body['stream_options']
  if (isObject(options)) Object.assign(rest, restWithin('stream_options', options, STREAM_OPTIONS))
  const cacheControl = body['cache_control'] ?? null
  if (cacheControl !== null) paths['cacheControl'] = '/cache_control'
  return {
    sampling,
    parallelToolCalls: readFlag(body, 'parallel_tool_calls', 'parallelToolCalls', paths),
    // The newer name counts where a client gives both.
    outputTokensMax:
      readCount(body, 'max_completion_tokens', 'outputTokensMax', paths) ??
      readCount(body, 'max_tokens', 'outputTokensMax', paths),
    stopSequences: readStop(body['stop'] ?? null, paths),
    candidates: readCount(body, 'n', 'candidates', paths),
    logprobs: readLogprobs(rest, paths),
    format: readFormat(body['response_format'] ?? null, paths, rest),
    reasoning: reasoning.control,
    verbosity: readText(body, 'verbosity', 'verbosity', paths),
    serviceTier: readText(body, 'service_tier', 'serviceTier', paths),
    metadata: readMetadata(body['metadata'] ?? null, paths),
    promptCacheKey: readText(body, 'prompt_cache_key', 'promptCacheKey', paths),
    ...(cacheControl === null ? {} : { cacheControl }),
  }
}

/** Whether to tell the usage is a matter between the gateway and its client. */
const STREAM_OPTIONS = new Set(['include_usage'])

function readText(body: Members, member: string, name: string, paths: Paths): string | null {
  const text = optionalText(body, member, '')
  if (text !== null) paths[name] = `/${member}`
  return text
}

function readFlag(body: Members, member: string, name: string, paths: Paths): boolean | null {
  const value = body[member] ?? null
  if (value === null) return null
  if (typeof value !== 'boolean') throw malformed(`/${member}`, 'must be true or false')
  paths[name] = `/${member}`
  return value
}

function readCount(body: Members, member: string, name: string, paths: Paths): number | null {
  const value = body[member] ?? null
  if (value === null) return null
  const count = numberOf(value)
  if (count === null || !Number.isInteger(count) || count < 0 || count > OUTPUT_TOKENS_MAX)
    throw malformed(`/${member}`, `must be a whole number from 0 to ${OUTPUT_TOKENS_MAX}`)
  paths[name] = `/${member}`
  return count
}

/** One string is a list of it. */
function readStop(value: unknown, paths: Paths): readonly string[] | null {
  if (value === null) return null
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!list.every((stop) => typeof stop === 'string')) throw malformed('/stop', 'must be a string or a list of strings')
  paths['stopSequences'] = '/stop'
  return list
}

/** Some hosts take a number for `logprobs`: what is no flag is theirs, and so is a count without the flag. */
function readLogprobs(rest: Record<string, unknown>, paths: Paths): ChatRequest['logprobs'] {
  const enabled = rest['logprobs']
  if (typeof enabled !== 'boolean') return null
  const top = numberOf(rest['top_logprobs'])
  delete rest['logprobs']
  if (top !== null) delete rest['top_logprobs']
  paths['logprobs'] = '/logprobs'
  return { enabled, top }
}

function readMetadata(value: unknown, paths: Paths): Members | null {
  if (value === null) return null
  if (!isObject(value)) throw malformed('/metadata', 'must be an object')
  paths['metadata'] = '/metadata'
  return value
}

/** OpenAI's newer name of `user`. */
function readIdentifier(rest: Record<string, unknown>, paths: Paths): string | null {
  const identifier = stringOrNull(rest['safety_identifier'])
  if (identifier === null) return null
  delete rest['safety_identifier']
  paths['endUser'] = '/safety_identifier'
  return identifier
}

const FORMAT_MEMBERS = new Set(['type'])
const SCHEMA_FORMAT_MEMBERS = new Set(['type', 'json_schema'])
const SCHEMA_MEMBERS = new Set(['name', 'description', 'schema', 'strict'])

function readFormat(value: unknown, paths: Paths, rest: Record<string, unknown>): OutputFormat | null {
  if (value === null) return null
  if (!isObject(value)) throw malformed('/response_format', 'must be an object')
  const { type } = value
  if (type === 'text' || type === 'json_object') {
    paths['format'] = '/response_format'
    Object.assign(rest, restWithin('response_format', value, FORMAT_MEMBERS))
    return { type: type === 'text' ? 'text' : 'json' }
  }
  // A grammar, or what else a host may know.
  if (type !== 'json_schema') {
    rest['response_format'] = value
    return null
  }
  const path = '/response_format/json_schema'
  const told = value['json_schema']
  if (!isObject(told)) throw malformed(path, 'must be an object')
  const { strict = null } = told
  if (strict !== null && typeof strict !== 'boolean') throw malformed(`${path}/strict`, 'must be true or false')
  paths['format'] = '/response_format'
  const unknown = { ...restOf(value, SCHEMA_FORMAT_MEMBERS), ...restWithin('json_schema', told, SCHEMA_MEMBERS) }
  if (Object.keys(unknown).length > 0) rest['response_format'] = unknown
  return {
    type: 'schema',
    name: optionalText(told, 'name', path),
    description: optionalText(told, 'description', path),
    schema: told['schema'] ?? null,
    strict,
  }
}
