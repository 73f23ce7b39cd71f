import { createHash } from 'node:crypto'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, OutputFormat } from '#ir/chat-request.ts'
import { fieldsOf } from '#ir/counts.ts'
import { loseSchema, schemaInstruction } from '#codecs/schema-words.ts'
import { withinOutputLimit } from '#codecs/output-limit.ts'
import type { Losses } from '#ir/extensions.ts'
import { LOGPROBS_INCLUDED, SAMPLING_MEMBERS } from './decode-request.ts'
import { encodeInput } from './encode-input.ts'
import { declareForeign } from './encode-parts.ts'
import { encodeReasoning, isReasoningOn } from './encode-reasoning.ts'
import { encodeToolChoice, encodeTools } from './encode-tools.ts'
import { isOurItemId, isOurResponseId } from './item-ids.ts'
import { type Members, ownMembers, PROTOCOL, revealed } from './members.ts'

/** Asks for reasoning in the form that can be given back to an upstream that keeps nothing. */
const ENCRYPTED_REASONING = 'reasoning.encrypted_content'

/** Name of a schema that has none; the API demands one. */
const FORMAT_NAME = 'response'

/** What is written from neutral fields: extensions of the same name are part of it. */
const MERGED = new Set(['text', 'reasoning', 'include', 'previous_response_id'])

/** Longest `user` that the API takes. */
const END_USER_CHARACTERS_MAX = 64

/** A neutral request as the body of `POST /v1/responses`. */
export function encodeRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const isOwn = asked.ext[PROTOCOL] !== undefined
  const request = isOwn ? asked : withinOutputLimit(asked, target, losses)
  const own = ownMembers(request)
  declareForeign({ path: '', ext: request.ext, cacheControl: request.cacheControl }, losses)
  const format = encodeFormat(request, target, isOwn, losses)
  const body: Record<string, unknown> = {
    model: target.model,
    // A stored prompt needs none.
    ...(isOwn && request.paths['input'] === undefined ? {} : { input: encodeInput(request.turns, isOwn, losses) }),
    ...encodeInstructions(request, format.instruction, losses),
    ...toolMembers(request, isOwn, format.tool, losses),
    ...samplingMembers(request, target, isOwn, losses),
    ...textMembers(request, format.text),
    ...optional('reasoning', encodeReasoning(request, target, isOwn, losses)),
    ...stateMembers(request, target, isOwn),
    ...tagMembers(request, isOwn, losses),
    ...(request.stream || request.paths['stream'] !== undefined ? { stream: request.stream } : {}),
  }
  for (const [name, value] of Object.entries(own)) if (value === null || !MERGED.has(name)) body[name] ??= value
  // Ours are resolved: what they stand for is in the input.
  const previous = own['previous_response_id']
  if (previous !== undefined && previous !== null && !isOurResponseId(previous)) body['previous_response_id'] = previous
  return { body, emulatedCustomTools: new Set(), formatTool: format.tool === null ? null : FORMAT_TOOL }
}

const optional = (name: string, value: unknown): Members =>
  value === undefined || value === null ? {} : { [name]: value }

function encodeInstructions({ instructions }: ChatRequest, more: string | null, losses: Losses): Members {
  for (const block of instructions) declareForeign(block, losses)
  const texts = [...instructions.map(({ text }) => text), ...(more === null ? [] : [more])]
  return texts.length === 0 ? {} : { instructions: texts.join('\n\n') }
}

function toolMembers(request: ChatRequest, isOwn: boolean, formatTool: Members | null, losses: Losses): Members {
  const { tools, toolChoice, parallelToolCalls, paths } = request
  if (formatTool) return { tools: [formatTool], tool_choice: { type: 'function', name: FORMAT_TOOL } }
  const encoded = encodeTools(tools, isOwn, losses)
  const choice = encodeToolChoice(toolChoice, tools, isOwn, paths['toolChoice'] ?? '/tool_choice', losses)
  return {
    ...(encoded.length > 0 || (isOwn && paths['tools'] !== undefined) ? { tools: encoded } : {}),
    ...optional('tool_choice', choice),
    ...optional('parallel_tool_calls', parallelToolCalls),
  }
}

function samplingMembers(request: ChatRequest, target: TargetTraits, isOwn: boolean, losses: Losses): Members {
  const { sampling, outputTokensMax, stopSequences, candidates, paths } = request
  const members: Record<string, unknown> = {}
  for (const [name, member] of SAMPLING_MEMBERS) {
    const value = sampling[name]
    if (value === undefined || value === null) continue
    const isKnown = name === 'temperature' || name === 'topP'
    if (isOwn || (isKnown && !target.refusesSampling)) members[member] = value
    // 1 is what these models do anyway.
    else if (!isKnown || value !== 1) {
      losses.dropped(
        paths[name] ?? `/${name}`,
        isKnown ? 'the model refuses it' : 'the Responses API knows no such parameter',
      )
    }
  }
  if (stopSequences !== null && stopSequences.length > 0)
    losses.dropped(paths['stopSequences'] ?? '/stop', 'the Responses API has no stop sequences')
  if (candidates !== null && candidates !== 1)
    losses.severe(paths['candidates'] ?? '/n', 'the Responses API gives one answer')
  return { ...members, ...optional('max_output_tokens', outputTokensMax) }
}

interface EncodedFormat {
  readonly text: Members | null
  /** A function that is forced to be called in the format's place. */
  readonly tool: Members | null
  /** Told to the model where neither holds it. */
  readonly instruction: string | null
}

const NO_FORMAT: EncodedFormat = { text: null, tool: null, instruction: null }

const FORMAT_TOOL = FORMAT_NAME

function encodeFormat(request: ChatRequest, target: TargetTraits, isOwn: boolean, losses: Losses): EncodedFormat {
  const { format, tools, paths } = request
  if (format === null) return NO_FORMAT
  if (format.type !== 'schema') return { ...NO_FORMAT, text: { type: format.type === 'json' ? 'json_object' : 'text' } }
  if (target.hasJsonSchema || isOwn) return { ...NO_FORMAT, text: schemaFormat(format) }
  const path = paths['format'] ?? '/response_format'
  if (tools.length === 0) {
    losses.emulated(path, 'a function that has to be called stands for the schema')
    return { ...NO_FORMAT, tool: formatTool(format) }
  }
  loseSchema(format, path, losses)
  return { text: { type: 'json_object' }, tool: null, instruction: schemaInstruction(format) }
}

type SchemaFormat = Extract<OutputFormat, { readonly type: 'schema' }>

function schemaFormat({ name, description, schema, strict }: SchemaFormat): Members {
  return {
    type: 'json_schema',
    name: name ?? FORMAT_NAME,
    ...optional('description', description),
    schema: schema ?? {},
    ...optional('strict', strict),
  }
}

function formatTool({ description, schema, strict }: SchemaFormat): Members {
  return {
    type: 'function',
    name: FORMAT_TOOL,
    ...optional('description', description),
    parameters: schema ?? {},
    strict: strict ?? false,
  }
}

function textMembers(request: ChatRequest, format: Members | null): Members {
  const more = revealed(ownMembers(request)['text'])
  const members = {
    ...more,
    ...optional('format', format && { ...format, ...revealed(more['format']) }),
    ...optional('verbosity', request.verbosity),
  }
  return Object.keys(members).length === 0 ? {} : { text: members }
}

/**
 * What the upstream keeps and tells. The gateway has a state of its own, so that nothing is stored there unless the client says
 * so; reasoning then has to come in the form that can be given back.
 */
function stateMembers(request: ChatRequest, target: TargetTraits, isOwn: boolean): Members {
  const { include, store, background, conversation } = ownMembers(request)
  const { logprobs } = request
  const wantsLogprobs = !isOwn && (logprobs?.enabled ?? false)
  const isStoreSaid = isGiven(store) || background === true || isGiven(conversation) || needsStore(request)
  const reasons = target.reasoning !== 'none' && (isOwn || isReasoningOn(request.reasoning))
  const included = Array.isArray(include) ? (include as unknown[]) : []
  const added = [
    ...(!isStoreSaid && reasons && !included.includes(ENCRYPTED_REASONING) ? [ENCRYPTED_REASONING] : []),
    ...(wantsLogprobs ? [LOGPROBS_INCLUDED] : []),
  ]
  return {
    ...(isStoreSaid ? optional('store', store) : { store: false }),
    ...includeMember(include, added),
    ...optional('top_logprobs', logprobs?.top),
  }
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null

/** Whether the turns refer to what the upstream keeps: items by their id alone. */
function needsStore({ turns }: ChatRequest): boolean {
  return turns.some(({ blocks }) =>
    blocks.some(
      (block) =>
        (block.type === 'reasoning' && block.seal === null && block.id !== null && !isOurItemId(block.id)) ||
        (block.type === 'opaque' && fieldsOf(block.value)['type'] === 'item_reference'),
    ),
  )
}

function includeMember(include: unknown, added: readonly string[]): Members {
  if (include === undefined || include === null) return added.length > 0 ? { include: added } : {}
  return { include: Array.isArray(include) ? [...(include as unknown[]), ...added] : include }
}

const TIERS: ReadonlySet<string> = new Set(['auto', 'default', 'flex', 'scale', 'priority', 'fast', 'ultrafast'])
/** The words of other protocols for the plain tier. */
const PLAIN_TIERS: ReadonlySet<string> = new Set(['standard_only', 'standard'])

function tagMembers(request: ChatRequest, isOwn: boolean, losses: Losses): Members {
  const { metadata, promptCacheKey, paths } = request
  return {
    ...optional('service_tier', tierOf(request, isOwn, losses)),
    ...endUser(request, isOwn, losses),
    ...optional('metadata', metadata),
    ...(promptCacheKey === null
      ? {}
      : { prompt_cache_key: bounded(promptCacheKey, isOwn, paths['promptCacheKey'] ?? '/prompt_cache_key', losses) }),
  }
}

function tierOf({ serviceTier: tier, paths }: ChatRequest, isOwn: boolean, losses: Losses): string | null {
  if (tier === null || isOwn || TIERS.has(tier)) return tier
  const path = paths['serviceTier'] ?? '/service_tier'
  if (PLAIN_TIERS.has(tier)) {
    losses.rewritten(path, 'it is the default tier here')
    return 'default'
  }
  losses.dropped(path, 'the Responses API has no such tier')
  return null
}

function endUser({ endUser: user, paths }: ChatRequest, isOwn: boolean, losses: Losses): Members {
  if (user === null) return {}
  const path = paths['endUser'] ?? '/user'
  const name = path === '/safety_identifier' ? 'safety_identifier' : 'user'
  return { [name]: bounded(user, isOwn, path, losses) }
}

/** Some clients' tags are JSON texts of hundreds of characters; the API takes fewer, and any that is always the same will do. */
function bounded(tag: string, isOwn: boolean, path: string, losses: Losses): string {
  if (isOwn || tag.length <= END_USER_CHARACTERS_MAX) return tag
  losses.rewritten(path, 'it is too long: a hash stands for it')
  return createHash('sha256').update(tag).digest('hex')
}
