import { readFileSync } from 'node:fs'
import type { Protocol, Surface } from '#base/protocols.ts'
import { CLIENT_CODECS } from '#codecs/index.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { RecordedUsage } from './corpus.ts'

/** The recorded requests whose providers said what they cost, as far as such a number tells anything of counting. */

const FOLDER = new URL('../../../shared/corpus/dev/', import.meta.url)

export interface RecordedPrompt {
  readonly id: string
  /** As the answer named it. */
  readonly model: string
  /** What the provider's own API was asked in; undefined behind a gateway, which may have asked in another one. */
  readonly protocol: Protocol | undefined
  readonly request: ChatRequest
  /** The provider's count, cached tokens included. */
  readonly tokens: number
  /** Whether there is more than text in it. */
  readonly hasMedia: boolean
  /** Whether all that is in it beside text are pictures that came along. */
  readonly hasPicturesOnly: boolean
}

interface IndexLine {
  readonly file: string
  readonly id: string
  readonly protocol: string
  readonly provider: string
  readonly model: string
  readonly fidelity: string
  readonly features: readonly string[]
}

interface Exchange {
  readonly request: { readonly body?: Readonly<Record<string, unknown>>; readonly synthetic?: boolean }
  readonly response: { readonly status: number }
  readonly summary?: { readonly model?: unknown; readonly usage?: RecordedUsage | null }
}

const SURFACES: Readonly<Record<string, Surface>> = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
}

/** Hosts that put prompts of their own before the client's, or count in a way of their own (Vertex: neither signatures nor most of a tool). */
const OWN_WAYS = /^(?:venice|perplexity|snowflake|heroku|google-vertex|gateway-google-vertex)$/
/** The same of one model's family only. */
const OWN_WAYS_WITH: readonly (readonly [RegExp, RegExp])[] = [
  [/^vercel-gateway$/, /gemini/],
  [/^azure-openai$/, /grok/],
]
const GATEWAYS = /^(?:openrouter|vercel-gateway)$/
/** State, plugins and other things behind the request that its text does not show. */
const UNSEEN =
  /^(?:previous_response_id|conversation|prompt|cachedContent|context_management|mcp_servers|container|web_search_options|plugins|audio)$/

/** Every prompt that can be held against a count. */
export function loadPrompts(): RecordedPrompt[] {
  const index = read('index.json') as IndexLine[]
  return index.flatMap((line) => {
    const surface = SURFACES[line.protocol]
    if (surface === undefined || isOwnWay(line)) return []
    const prompt = promptOf(line, surface, read(line.file) as Exchange)
    return prompt === null ? [] : [prompt]
  })
}

function isOwnWay({ provider, model }: IndexLine): boolean {
  return OWN_WAYS.test(provider) || OWN_WAYS_WITH.some(([host, family]) => host.test(provider) && family.test(model))
}

function promptOf(line: IndexLine, surface: Surface, { request, response, summary }: Exchange): RecordedPrompt | null {
  const { body } = request
  const usage = summary?.usage ?? null
  if (response.status !== 200 || usage === null || body === undefined || request.synthetic) return null
  const tokens = countOf(usage, surface)
  if (tokens === null || Object.keys(body).some((name) => UNSEEN.test(name))) return null
  // Signatures and encrypted reasoning were replaced before they were published.
  if (line.fidelity === 'recorded-ids-redacted' && line.features.includes('reasoning_replay')) return null
  const decoded = CLIENT_CODECS[surface]!.decodeRequest(body, { stream: false })
  const blocks = decoded.turns
    .flatMap((turn) => turn.blocks)
    .flatMap((block) => (block.type === 'tool-result' ? block.content : [block]))
  if (blocks.some((block) => block.type === 'opaque')) return null
  if (decoded.tools.some((tool) => tool.type === 'server')) return null
  const media = blocks.flatMap((block) => (block.type === 'media' && block.source.type !== 'text' ? [block] : []))
  if (media.some(({ source }) => source.type === 'file')) return null
  return {
    id: line.id,
    model: String(summary?.model ?? line.model),
    protocol: GATEWAYS.test(line.provider) ? undefined : surface,
    request: decoded,
    tokens,
    hasMedia: media.length > 0,
    hasPicturesOnly: media.every(({ kind, source }) => kind === 'image' && source.type === 'base64'),
  }
}

/** The whole prompt: Anthropic tells what was cached beside its input, the others within. Null when it cannot be right. */
function countOf(
  { input = 0, cache_read: read = 0, cache_write: written = 0 }: RecordedUsage,
  surface: Surface,
): number | null {
  if (surface === 'anthropic-messages') return input + read + written || null
  return input > 0 && read <= input ? input : null
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
