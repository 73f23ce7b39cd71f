import { readFileSync } from 'node:fs'
import { findPreset } from '#providers/presets.ts'
import type { Reply } from '#test/upstream/upstream.ts'
import { InvokeFramer } from '#codecs/anthropic-messages/invoke-frames.ts'

/** Recorded exchanges as calls of a client in the same protocol, each with its vendor's own backend. */

const FOLDER = new URL('../../../shared/corpus/dev/', import.meta.url)
export const KEY = 'key-of-the-vendor-0123456789'
const EVENT_BYTES_MAX = 1 << 24

type Body = Readonly<Record<string, unknown>>

export interface Recorded {
  readonly id: string
  readonly type: string
  readonly surface: 'openai-chat' | 'openai-responses' | 'openai-embeddings' | 'anthropic-messages' | 'gemini'
  readonly operation: 'generate' | 'embed'
  readonly stream: boolean
  /** What the vendor answered with. */
  readonly status: number
  /** Its name in the configuration. */
  readonly backend: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly model: string
  readonly publicId: string
  readonly request: Body
  /** Where the call has to arrive. */
  readonly path: string
  /** What has to arrive, where that is known exactly. */
  readonly body: Body | null
  readonly reply: Reply
  /** What the vendor said, as the client's protocol writes it. */
  readonly answer: string
}

interface Line {
  readonly id: string
  readonly file: string
  readonly provider: string
  readonly protocol: string
  readonly endpoint: string
  readonly model: string | null
  readonly stream: boolean
  readonly status: number
  readonly features: readonly string[]
  readonly fidelity: string
}

interface File {
  readonly host: string
  readonly request: { readonly path: string; readonly body?: unknown; readonly synthetic?: boolean }
  readonly response: {
    readonly body?: unknown
    readonly body_raw?: string
    readonly sse?: string
    readonly base64?: string
  }
}

const SURFACES: Readonly<Record<string, Recorded['surface']>> = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'openai-embeddings': 'openai-embeddings',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
}

/** Answers that are broken on purpose, and enums that old libraries asked for as numbers: other tests have those. */
const LEFT_OUT = new Set([
  'truncated_stream',
  'unterminated_event',
  'unparseable_event',
  'error_in_stream',
  'error_in_200',
  'json_array_stream',
  'sdk_rejects',
])

export function recordedWith(types: Readonly<Record<string, string>>): Recorded[] {
  const lines = read('index.json') as Line[]
  return lines.flatMap((line) => {
    const type = types[line.provider]
    const isClaude = line.endpoint.startsWith('bedrock.invoke') && /claude-(?!v2|instant)/.test(line.model ?? '')
    const surface = isClaude ? 'anthropic-messages' : SURFACES[line.protocol]
    if (!type || !surface || line.status < 200 || line.features.some((feature) => LEFT_OUT.has(feature))) return []
    const file = read(line.file) as File
    const { body } = file.request
    if (file.request.synthetic || body === null || typeof body !== 'object' || Array.isArray(body)) return []
    const recorded = recordedOf(line, file, type, surface, body as Body)
    return recorded ? [recorded] : []
  })
}

function recordedOf(line: Line, file: File, type: string, surface: Recorded['surface'], asked: Body): Recorded | null {
  const place = placeOf(type, surface, file, line.stream)
  if (!place) return null
  const { sse, base64, body, body_raw: raw } = file.response
  const isStream = sse !== undefined || base64 !== undefined
  // An error is never a stream, whatever was asked for.
  if (line.status === 200 && isStream !== line.stream) return null
  const { anthropic_version: version, ...rest } = asked
  const isCloud = version !== undefined
  const model = place.model ?? String(asked['model'] ?? line.model)
  const bytes = base64 === undefined ? Buffer.from(sse ?? raw ?? JSON.stringify(body)) : Buffer.from(base64, 'base64')
  const content = base64 === undefined ? 'text/event-stream' : 'application/vnd.amazon.eventstream'
  return {
    id: line.id,
    type,
    surface,
    operation: surface === 'openai-embeddings' ? 'embed' : 'generate',
    stream: line.stream,
    status: line.status,
    backend: place.backend,
    settings: place.settings,
    model,
    publicId: `${place.backend}/${surface}/${model.replace(/[^\w.-]/g, '-')}`,
    request: isCloud ? rest : asked,
    path: place.path,
    body: isCloud ? asked : null,
    reply: isStream
      ? { frames: [bytes], headers: { 'content-type': content } }
      : { status: line.status, body: bytes, headers: { 'content-type': 'application/json' } },
    answer:
      base64 === undefined
        ? bytes.toString('utf8')
        : Buffer.concat(new InvokeFramer(EVENT_BYTES_MAX).push(bytes)).toString('utf8'),
  }
}

interface Place {
  readonly backend: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly path: string
  readonly model?: string
}

/** Null: the recording is of a path that is no part of this backend. */
function placeOf(type: string, surface: Recorded['surface'], { request }: File, stream: boolean): Place | null {
  const recorded = request.path.replace(/^\/+/, '/')
  const api_key = KEY
  if (type === 'azure') {
    const [, deployment, version] = /^\/openai\/deployments\/([^/]+)\/[^?]+\?api-version=(.+)$/.exec(recorded) ?? []
    if (deployment !== undefined)
      return {
        backend: `azure-${version}`,
        settings: { api_url: '', api_key, api_version: version },
        path: recorded,
        model: deployment,
      }
    if (/^\/models\/[^?]+\?api-version=2024-05-01-preview$/.test(recorded))
      return { backend: 'azure-models', settings: { api_url: '/models', api_key }, path: recorded }
    const v1 = /^\/openai\/v1\/[^?]+(?:\?api-version=(v1))?$/.exec(recorded)
    if (!v1) return null
    return {
      backend: `azure-${v1[1] ?? 'none'}`,
      settings: { api_url: '', api_key, api_version: v1[1] ?? '' },
      path: recorded,
    }
  }
  if (type === 'vertex') {
    const found =
      /^\/v1(?:beta1)?(\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/\w+\/models\/)([^:]+):(\w+)/.exec(recorded)
    if (!found) return null
    const [, place, project, location, model, action] = found as unknown as string[]
    const settings = { api_url: '', api_key, project, location: location!.toLowerCase() }
    const path = `/v1${place!.replace(location!, location!.toLowerCase())}${model!}:${action!}${surface === 'gemini' && stream ? '?alt=sse' : ''}`
    return { backend: `vertex-${location!}`, settings, path, model: model! }
  }
  if (type === 'bedrock') {
    const found = /^\/model\/([^/]+)\/(invoke.*)$/.exec(recorded)
    if (!found) return null
    const model = decodeURIComponent(found[1]!)
    const settings = { api_url: '', region: 'us-east-1', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'secret' }
    return { backend: 'bedrock', settings, path: `/model/${encodeURIComponent(model)}/${found[2]!}`, model }
  }
  const base = new URL(findPreset(type)!.apiUrl!).pathname.replace(/\/$/, '')
  const names = {
    'openai-chat': '/chat/completions',
    'openai-responses': '/responses',
    'openai-embeddings': '/embeddings',
  }
  const name = names[surface as keyof typeof names]
  const isSpoken = name !== undefined && recorded.split('?')[0]!.endsWith(name)
  return isSpoken
    ? { backend: `own-${type}`, settings: { api_key, protocols: Object.keys(names) }, path: base + name }
    : null
}

/** The client's call. */
export function askOf({ surface, publicId, request, stream }: Recorded): { path: string; body: object } {
  switch (surface) {
    case 'gemini': {
      const action = stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
      return { path: `/v1beta/models/${publicId}:${action}`, body: request }
    }
    case 'anthropic-messages':
      return { path: '/v1/messages', body: { ...request, model: publicId, ...(stream ? { stream } : {}) } }
    case 'openai-responses':
      return { path: '/v1/responses', body: { ...request, model: publicId } }
    case 'openai-embeddings':
      return { path: '/v1/embeddings', body: { ...request, model: publicId } }
    case 'openai-chat':
      return { path: '/v1/chat/completions', body: { ...request, model: publicId } }
    default: {
      const missed: never = surface
      throw new Error(`unknown surface ${String(missed)}`)
    }
  }
}

/** The values of an answer without what the gateway writes itself: the model's name, the cost, a usage nobody asked for. */
export function answerOf({ stream, request }: Recorded, text: string): unknown {
  if (!stream) return cleaned(JSON.parse(text))
  const wantsUsage = (request['stream_options'] as { include_usage?: unknown } | undefined)?.include_usage === true
  const events = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:') && !line.includes('[DONE]'))
    .map((line) => cleaned(JSON.parse(line.slice('data:'.length))) as Body)
  const isUsage = (event: Body) => Array.isArray(event['choices']) && event['choices'].length === 0 && event['usage']
  return wantsUsage ? events : events.filter((event) => !isUsage(event))
}

function cleaned(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    key === 'model' || key === 'modelVersion' || key === 'cost' ? undefined : inner,
  )
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
