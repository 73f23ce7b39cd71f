import type { ChatRequest, OutputFormat } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { withinOutputLimit } from '#codecs/output-limit.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import { encodeConfig } from './encode-config.ts'
import { encodeConversation } from './encode-contents.ts'
import { loseForeign } from './encode-parts.ts'
import { encodeTools, isFunction } from './encode-tools.ts'
import { withExtension } from './members.ts'

/**
 * Writes the body of generateContent. The model and whether to stream are said in the path. Source: Google's REST
 * reference of `GenerateContentRequest`.
 */
export function encodeGeminiRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const request = withinOutputLimit(asked, target, losses)
  // From Gemini 3 on, which asks for levels, a model checks signatures and takes formats beside functions.
  const isStrict = target.reasoning === 'level'
  const { format, schemaFormat, formatTool } = chooseFormat(request, target, isStrict, losses)
  const { contents, system } = encodeConversation(request, isStrict, losses)
  const { tools, functionCallingConfig, emulatedCustomTools } = encodeTools(request, schemaFormat, formatTool, losses)
  const generationConfig = encodeConfig(request, format, target, losses)
  loseSettings(request, losses)
  const body = {
    contents,
    ...(system.length > 0 ? { systemInstruction: { parts: system } } : {}),
    ...(tools.length > 0 ? { tools } : {}),
    ...(functionCallingConfig === null ? {} : { toolConfig: { functionCallingConfig } }),
    ...(Object.keys(generationConfig).length > 0 ? { generationConfig } : {}),
    ...tierOf(request, losses),
  }
  loseForeign(request.ext, '', losses)
  return { body: withExtension(body, request.ext.gemini), emulatedCustomTools, formatTool }
}

interface ChosenFormat {
  /** What is asked for as a format. */
  readonly format: OutputFormat | null
  /** What a function stands for, and its name. */
  readonly schemaFormat: Extract<OutputFormat, { type: 'schema' }> | null
  readonly formatTool: string | null
}

const FORMAT_TOOL = 'json_answer'

/** Models before Gemini 3 refuse a JSON format beside functions: then one more function stands for the schema. */
function chooseFormat(request: ChatRequest, target: TargetTraits, isStrict: boolean, losses: Losses): ChosenFormat {
  const { format, tools } = request
  const path = request.paths['format'] ?? ''
  const isRefused = !isStrict && tools.some(isFunction)
  if (format?.type === 'schema' && (isRefused || !target.hasJsonSchema)) {
    losses.emulated(path, 'a function stands for the format')
    return { format: null, schemaFormat: format, formatTool: unusedName(request) }
  }
  if (format?.type === 'json' && isRefused) {
    losses.dropped(path, 'the model takes no JSON format beside functions')
    return { format: null, schemaFormat: null, formatTool: null }
  }
  return { format, schemaFormat: null, formatTool: null }
}

function unusedName({ tools }: ChatRequest): string {
  let name = FORMAT_TOOL
  while (tools.some((tool) => tool.name === name)) name += '_'
  return name
}

/** OpenAI's words and Google's. `auto` and `default` are the standard tier, which needs no word. */
const TIERS: ReadonlyMap<string, string | null> = new Map([
  ['auto', null],
  ['default', null],
  ['standard_only', 'standard'],
  ...['standard', 'flex', 'priority', 'unspecified'].map((tier) => [tier, tier] as const),
])

function tierOf({ serviceTier, paths }: ChatRequest, losses: Losses): { serviceTier?: string } {
  if (serviceTier === null) return {}
  const tier = TIERS.get(serviceTier)
  if (tier === undefined) losses.dropped(paths['serviceTier'] ?? '', 'Gemini knows no such tier')
  return tier === undefined || tier === null ? {} : { serviceTier: tier }
}

function loseSettings(request: ChatRequest, losses: Losses): void {
  const { paths } = request
  const lost = (name: string, reason: string) => losses.dropped(paths[name] ?? '', reason)
  if (request.parallelToolCalls === false) lost('parallelToolCalls', 'Gemini cannot be kept from parallel calls')
  if (request.verbosity !== null) lost('verbosity', 'Gemini knows no verbosity')
  if (request.endUser !== null) lost('endUser', 'Gemini takes no name of a user')
  if (request.metadata !== null) lost('metadata', 'Gemini takes no metadata')
  if (request.promptCacheKey !== null) lost('promptCacheKey', 'Gemini caches without a key')
  if (request.cacheControl !== undefined && request.cacheControl !== null)
    lost('cacheControl', 'Gemini caches without breakpoints')
}
