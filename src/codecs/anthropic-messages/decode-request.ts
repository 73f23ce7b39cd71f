import { NOTHING_SAID } from '#codecs/effort.ts'
import type { ClientContext } from '#codecs/translation.ts'
import type {
  ChatRequest,
  OutputFormat,
  ReasoningControl,
  Sampling,
  ServerTool,
  Tool,
  ToolChoice,
  Turn,
} from '#ir/chat-request.ts'
import { countOf } from '#ir/counts.ts'
import { cacheControlOf } from './decode-media.ts'
import { decodeContent, decodeSystem } from './decode-blocks.ts'
import { refuseRemoved, refusesSampling } from './versions.ts'
import {
  isObject,
  malformed,
  type Members,
  namesIn,
  ownExt,
  PROTOCOL,
  restOf,
  stringOrNull,
  textAt,
} from './members.ts'

const KNOWN = new Set([
  ...namesIn('model messages system max_tokens stream temperature top_p top_k stop_sequences tools tool_choice'),
  ...namesIn('thinking output_config output_format metadata service_tier cache_control'),
])
const OUTPUT_CONFIG = new Set(['effort', 'format'])
const MESSAGE = new Set(['role', 'content'])
const TOOL = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])

/** Reads the body of `POST /v1/messages`. Source: types of @anthropic-ai/sdk 1.10, `beta/messages`. Throws GatewayError (400). */
export function decodeRequest(body: unknown, context: Pick<ClientContext, 'version'> = {}): ChatRequest {
  if (!isObject(body)) throw malformed('body', 'must be an object')
  if (refusesSampling(context.version)) refuseRemoved(body)
  const reading = new Reading(body)
  const { messages } = body
  if (!Array.isArray(messages)) throw malformed('messages', 'must be an array')
  return {
    instructions: decodeSystem(body['system']),
    turns: messages.map(decodeTurn),
    tools: decodeTools(body['tools']),
    ...reading.toolChoice(),
    sampling: reading.sampling(),
    outputTokensMax: reading.outputTokensMax(),
    stopSequences: reading.stopSequences(),
    candidates: null,
    logprobs: null,
    format: reading.format(),
    reasoning: reading.reasoning(),
    verbosity: null,
    serviceTier: reading.serviceTier(),
    endUser: reading.endUser(),
    metadata: null,
    promptCacheKey: null,
    ...reading.cacheControl(),
    stream: reading.stream(),
    paths: reading.paths,
    // Always there, so that the encoder of the same protocol knows its own client.
    ext: { [PROTOCOL]: { ...restOf(body, KNOWN), ...emptySystem(body), ...reading.rest } },
  }
}

/** A list of no text is not the absence of one. */
function emptySystem({ system }: Members): Members {
  return Array.isArray(system) && system.length === 0 ? { system } : {}
}

function decodeTurn(message: unknown, index: number): Turn {
  const param = `messages.${index}`
  if (!isObject(message)) throw malformed(param, 'must be an object')
  const { role, content } = message
  if (role !== 'user' && role !== 'assistant' && role !== 'system')
    throw malformed(`${param}.role`, 'must be "user", "assistant" or "system"')
  const path = `/messages/${index}`
  const rest = restOf(message, MESSAGE)
  const isEmptyList = Array.isArray(content) && content.length === 0
  return {
    role,
    blocks: decodeContent(content, `${path}/content`, `${param}.content`),
    path,
    ...ownExt(isEmptyList ? { ...rest, content } : rest),
  }
}

function decodeTools(tools: unknown): Tool[] {
  if (tools === undefined || tools === null) return []
  if (!Array.isArray(tools)) throw malformed('tools', 'must be an array')
  return tools.map((tool: unknown, index) => {
    if (!isObject(tool)) throw malformed(`tools.${index}`, 'must be an object')
    const type = tool['type'] ?? 'custom'
    return type === 'custom' ? decodeFunction(tool, index) : decodeServerTool(tool, String(type), index)
  })
}

function decodeFunction(tool: Members, index: number): Tool {
  const { strict } = tool
  return {
    type: 'function',
    name: textAt(tool, 'name', `tools.${index}`),
    description: stringOrNull(tool['description']),
    schema: tool['input_schema'] ?? null,
    strict: typeof strict === 'boolean' ? strict : null,
    path: `/tools/${index}`,
    ...cacheControlOf(tool),
    ...ownExt(restOf(tool, TOOL)),
  }
}

const KINDS: readonly (readonly [string, ServerTool['kind']])[] = [
  ['web_search_', 'web-search'],
  ['web_fetch_', 'web-fetch'],
  ['code_execution_', 'code-execution'],
  ['mcp_toolset', 'mcp'],
]

/** Tools whose definition is the provider's, some of which the client runs: a computer, a shell, an editor. */
function decodeServerTool(tool: Members, type: string, index: number): Tool {
  const kind = KINDS.find(([prefix]) => type.startsWith(prefix))?.[1] ?? 'other'
  const name = stringOrNull(tool['name']) ?? stringOrNull(tool['mcp_server_name']) ?? type
  return { type: 'server', name, kind, issuer: 'anthropic-messages', value: tool, path: `/tools/${index}` }
}

/** Reads the scalar members and notes where each stood. What the neutral form has no place for goes to `rest`. */
class Reading {
  readonly paths: Record<string, string> = {}
  readonly rest: Record<string, unknown> = {}
  private readonly body: Members

  constructor(body: Members) {
    this.body = body
  }

  toolChoice(): { toolChoice: ToolChoice | null; parallelToolCalls: boolean | null } {
    const given = this.member('tool_choice')
    if (given === null) return { toolChoice: null, parallelToolCalls: null }
    if (!isObject(given)) throw malformed('tool_choice', 'must be an object')
    const toolChoice = readChoice(given)
    const isSerial = given['disable_parallel_tool_use']
    const isKnown = toolChoice !== null && Object.keys(given).every((name) => CHOICE.has(name))
    if (!isKnown) {
      this.rest['tool_choice'] = given
      return { toolChoice: null, parallelToolCalls: null }
    }
    this.paths['toolChoice'] = '/tool_choice'
    if (typeof isSerial !== 'boolean') return { toolChoice, parallelToolCalls: null }
    this.paths['parallelToolCalls'] = '/tool_choice/disable_parallel_tool_use'
    return { toolChoice, parallelToolCalls: !isSerial }
  }

  sampling(): Sampling {
    const values: Record<string, unknown> = {}
    for (const [name, theirs] of SAMPLING) {
      const value = this.member(theirs)
      if (value === null) continue
      values[name] = value
      this.paths[name] = `/${theirs}`
    }
    return values
  }

  outputTokensMax(): number | null {
    const value = this.member('max_tokens')
    if (value === null) return null
    const count = countOf(value)
    if (count === null) throw malformed('max_tokens', 'must be a whole number')
    this.paths['outputTokensMax'] = '/max_tokens'
    return count
  }

  stopSequences(): readonly string[] | null {
    const value = this.member('stop_sequences')
    if (value === null) return null
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
      throw malformed('stop_sequences', 'must be an array of strings')
    this.paths['stopSequences'] = '/stop_sequences'
    return value
  }

  serviceTier(): string | null {
    const value = this.member('service_tier')
    if (value === null) return null
    if (typeof value !== 'string') throw malformed('service_tier', 'must be a string')
    this.paths['serviceTier'] = '/service_tier'
    return value
  }

  /** `user_id` may hold JSON text, which stays text. */
  endUser(): string | null {
    const value = this.member('metadata')
    if (value === null) return null
    if (!isObject(value)) throw malformed('metadata', 'must be an object')
    const { user_id: userId, ...others } = value
    if (typeof userId !== 'string') {
      this.rest['metadata'] = value
      return null
    }
    if (Object.keys(others).length > 0) this.rest['metadata'] = others
    this.paths['endUser'] = '/metadata/user_id'
    return userId
  }

  cacheControl(): { cacheControl?: unknown } {
    const value = this.member('cache_control')
    if (value === null) return {}
    this.paths['cacheControl'] = '/cache_control'
    return { cacheControl: value }
  }

  stream(): boolean {
    const value = this.member('stream')
    if (value === null) return false
    if (typeof value !== 'boolean') throw malformed('stream', 'must be true or false')
    this.paths['stream'] = '/stream'
    return value
  }

  /** `output_config.format`, or `output_format` of the time when it was new. */
  format(): OutputFormat | null {
    const given = this.outputConfig()
    const others = restOf(given, OUTPUT_CONFIG)
    if (Object.keys(others).length > 0) this.rest['output_config'] = others
    const { format } = given
    const config = format === undefined || format === null ? null : this.readFormat(format, 'output_config')
    const older = this.member('output_format')
    if (older === null) return config
    if (config === null) return this.readFormat(older, 'output_format')
    this.rest['output_format'] = older
    return config
  }

  reasoning(): ReasoningControl | null {
    const { effort } = this.outputConfig()
    const thinking = this.member('thinking')
    if (effort !== undefined && effort !== null && typeof effort !== 'string')
      throw malformed('output_config.effort', 'must be a string')
    if (thinking === null) {
      if (typeof effort !== 'string') return null
      this.paths['reasoning'] = '/output_config/effort'
      return { ...NOTHING_SAID, effort }
    }
    if (!isObject(thinking)) throw malformed('thinking', 'must be an object')
    this.paths['reasoning'] = '/thinking'
    const control = readThinking(thinking)
    // A mode, a display or a member that the neutral form has no word for: the API gets the whole as it stood.
    if (!isPlainThinking(thinking)) this.rest['thinking'] = thinking
    return { ...control, effort: effort ?? null }
  }

  private outputConfig(): Members {
    const config = this.member('output_config')
    if (config === null) return {}
    if (!isObject(config)) throw malformed('output_config', 'must be an object')
    return config
  }

  /** One that says more than a schema, or something else, stays beside it as it stood. */
  private readFormat(format: unknown, holder: 'output_config' | 'output_format'): OutputFormat | null {
    const isPlain = isObject(format) && format['type'] === 'json_schema' && Object.keys(format).length === 2
    const schema = isObject(format) ? format['schema'] : undefined
    if (!isPlain || schema === undefined) {
      const config = this.rest['output_config'] as Members | undefined
      this.rest[holder] = holder === 'output_format' ? format : { ...config, format }
    }
    if (schema === undefined) return null
    this.paths['format'] = holder === 'output_format' ? '/output_format' : '/output_config/format'
    return { type: 'schema', name: null, description: null, schema, strict: null }
  }

  /** Null stands for absent here, as it does to the API. */
  private member(name: string): unknown {
    return this.body[name] ?? null
  }
}

const SAMPLING = [
  ['temperature', 'temperature'],
  ['topP', 'top_p'],
  ['topK', 'top_k'],
] as const
const CHOICE = new Set(['type', 'name', 'disable_parallel_tool_use'])

function readChoice(given: Members): ToolChoice | null {
  switch (given['type']) {
    case 'auto':
    case 'none':
      return { type: given['type'] }
    case 'any':
      return { type: 'required' }
    case 'tool':
      return { type: 'tool', name: textAt(given, 'name', 'tool_choice') }
    default:
      return null
  }
}

const SHOWN: ReadonlyMap<unknown, boolean> = new Map([
  ['summarized', true],
  ['omitted', false],
])

function readThinking(thinking: Members): ReasoningControl {
  const { type, display, budget_tokens: budget } = thinking
  return {
    ...NOTHING_SAID,
    enabled: type !== 'disabled',
    budgetTokens: type === 'enabled' ? countOf(budget) : null,
    isAdaptive: type === 'adaptive',
    isShown: SHOWN.get(display) ?? null,
  }
}

const THINKING: ReadonlyMap<unknown, ReadonlySet<string>> = new Map([
  ['enabled', new Set(['type', 'budget_tokens', 'display'])],
  ['adaptive', new Set(['type', 'display'])],
  ['disabled', new Set(['type'])],
])

/** Whether the neutral form holds all that was said. */
function isPlainThinking(thinking: Members): boolean {
  const known = THINKING.get(thinking['type'])
  const { display, budget_tokens: budget } = thinking
  if (known === undefined || !Object.keys(thinking).every((name) => known.has(name))) return false
  return (display === undefined || SHOWN.has(display)) && (thinking['type'] !== 'enabled' || countOf(budget) !== null)
}
