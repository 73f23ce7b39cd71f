import { asksForJson } from '#codecs/asks-for-json.ts'
import { withinOutputLimit } from '#codecs/output-limit.ts'
import { loseSchema, schemaInstruction } from '#codecs/schema-words.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, OutputFormat } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { isBlank } from './encode-blocks.ts'
import { encodeSampling } from './encode-sampling.ts'
import { encodeThinking } from './encode-thinking.ts'
import { encodeTools, type FormatTool, formatToolOf } from './encode-tools.ts'
import { encodeTurns } from './encode-turns.ts'
import { Encoding } from './encoding.ts'
import { type Members, ownMembers } from './members.ts'
import { limitSchema } from './schema-limits.ts'

const NO_PARAMETER = 'no parameter of the Messages API'
const JSON_INSTRUCTION = 'Answer with one valid JSON object and with nothing else: no explanation, no code fence.'

/** Writes the body of `POST /v1/messages`, version 2023-06-01 (R88). */
export function encodeRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const request = ownMembers(asked) === undefined ? withinOutputLimit(asked, target, losses) : asked
  const encoding = new Encoding(request, target, losses)
  const format = encodeFormat(encoding)
  const turns = encodeTurns(encoding, format.instruction)
  const isFormatForced = format.tool !== null
  const plan = encodeThinking(encoding, { canThink: () => turns.canThink(), isFormatForced })
  const { tools, choice, emulatedCustomTools } = encodeTools(encoding, format.tool, plan.isOn)
  loseParameters(encoding)
  const { system } = turns
  const { output_config: ownConfig, metadata, thinking: _thinking, ...own } = ownMembers(request) ?? {}
  const outputConfig = {
    ...(plan.effort === null ? {} : { effort: plan.effort }),
    ...(format.config === null || format.isOlder ? {} : { format: format.config }),
    ...(ownConfig as Members | undefined),
  }
  const { stopSequences, serviceTier, cacheControl } = request
  const stops = stopSequences === null ? null : encodeStops(stopSequences, encoding)
  const tier = serviceTier === null ? null : encodeTier(serviceTier, encoding)
  const body = {
    model: target.model,
    max_tokens: plan.outputTokensMax,
    ...(system === null ? {} : { system }),
    messages: turns.messages(),
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === null ? {} : { tool_choice: choice }),
    ...encodeSampling(encoding, plan.isOn),
    ...(stops === null ? {} : { stop_sequences: stops }),
    ...(plan.thinking === null ? {} : { thinking: plan.thinking }),
    ...(Object.keys(outputConfig).length === 0 ? {} : { output_config: outputConfig }),
    ...(format.isOlder ? { output_format: format.config } : {}),
    ...encodeMetadata(encoding, metadata),
    ...(tier === null ? {} : { service_tier: tier }),
    ...(cacheControl === undefined ? {} : { cache_control: cacheControl }),
    ...(request.stream || request.paths['stream'] !== undefined ? { stream: request.stream } : {}),
    ...own,
  }
  return { body, emulatedCustomTools, formatTool: format.tool?.name ?? null }
}

interface EncodedFormat {
  /** `output_config.format`. */
  readonly config: Members | null
  /** A client of this protocol wrote it as `output_format`. */
  readonly isOlder: boolean
  readonly tool: FormatTool | null
  readonly instruction: string | null
}

const NO_FORMAT: EncodedFormat = { config: null, isOlder: false, tool: null, instruction: null }

function encodeFormat(encoding: Encoding): EncodedFormat {
  const { request, target, losses, isOwn } = encoding
  const { format } = request
  if (format === null || format.type === 'text') return NO_FORMAT
  const path = encoding.pathOf('format')
  if (format.type === 'json') {
    if (asksForJson(request)) {
      losses.narrowed(path, 'JSON without a schema is asked for in the words of the prompt alone')
      return NO_FORMAT
    }
    losses.emulated(path, 'JSON without a schema is asked for in words')
    return { ...NO_FORMAT, instruction: JSON_INSTRUCTION }
  }
  if (isOwn) {
    // What the neutral form could not hold is told by the members beside it.
    const isOlder = path === '/output_format'
    return { ...NO_FORMAT, config: { type: 'json_schema', schema: format.schema }, isOlder }
  }
  if (target.hasJsonSchema) return { ...NO_FORMAT, config: encodeSchema(format, encoding) }
  const tool = formatToolOf(format, encoding)
  if (tool === null) {
    loseSchema(format, path, losses)
    return { ...NO_FORMAT, instruction: schemaInstruction(format) }
  }
  losses.emulated(path, 'a JSON schema is asked for as the arguments of a forced tool')
  return { ...NO_FORMAT, tool }
}

function encodeSchema(format: Extract<OutputFormat, { type: 'schema' }>, encoding: Encoding): Members {
  const { schema, lost } = limitSchema(format.schema)
  for (const keyword of lost)
    encoding.losses.narrowed(encoding.pathOf('format'), `the Messages API does not enforce ${keyword} as it stands`)
  return { type: 'json_schema', schema }
}

/** The API refuses sequences of white space alone. */
function encodeStops(stopSequences: readonly string[], encoding: Encoding): readonly string[] | null {
  if (encoding.isOwn) return stopSequences
  const visible = stopSequences.filter((each) => !isBlank(each))
  if (visible.length === stopSequences.length) return stopSequences
  encoding.losses.dropped(encoding.pathOf('stopSequences'), 'the Messages API refuses white space as a stop sequence')
  return visible.length === 0 ? null : visible
}

const TIERS: ReadonlyMap<string, string> = new Map([
  ['auto', 'auto'],
  ['default', 'standard_only'],
  ['standard_only', 'standard_only'],
])

function encodeTier(serviceTier: string, encoding: Encoding): string | null {
  if (encoding.isOwn) return serviceTier
  const tier = TIERS.get(serviceTier)
  if (tier === undefined) encoding.losses.dropped(encoding.pathOf('serviceTier'), 'the Messages API has no such tier')
  return tier ?? null
}

function encodeMetadata({ request }: Encoding, own: unknown): { metadata?: unknown } {
  const { endUser } = request
  if (endUser === null) return own === undefined ? {} : { metadata: own }
  return { metadata: { user_id: endUser, ...(own as Members | undefined) } }
}

function loseParameters(encoding: Encoding): void {
  const { request, losses } = encoding
  const { candidates, logprobs, verbosity, promptCacheKey, metadata } = request
  if (candidates !== null && candidates !== 1)
    losses.severe(encoding.pathOf('candidates'), 'the Messages API gives one answer')
  if (logprobs !== null && (logprobs.enabled || logprobs.top !== null))
    losses.severe(encoding.pathOf('logprobs'), 'the Messages API tells no probabilities')
  if (verbosity !== null) losses.dropped(encoding.pathOf('verbosity'), NO_PARAMETER)
  if (promptCacheKey !== null) losses.dropped(encoding.pathOf('promptCacheKey'), NO_PARAMETER)
  if (metadata !== null) losses.dropped(encoding.pathOf('metadata'), NO_PARAMETER)
  encoding.loseForeign(request, '')
}
