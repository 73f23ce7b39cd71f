import type { IncomingHttpHeaders } from 'node:http'
import type { Protocol } from '#base/protocols.ts'
import type { Backend, Route } from '#catalog/types.ts'
import { betasFor, forwardedHeaders } from './client-headers.ts'
import { cloudPath } from './cloud-paths.ts'
import { pushIdentity } from './identity.ts'

/** Where and how one attempt speaks to its backend. */
export interface UpstreamRequest {
  readonly origin: string
  readonly path: string
  /** Flat name, value list, as undici takes it fastest. */
  readonly headers: string[]
}

/** What the client asked, in so far as it decides the upstream's path. */
export interface UpstreamAsk {
  readonly route: Route
  readonly protocol: Protocol
  readonly operation: 'generate' | 'embed' | 'count'
  readonly geminiAction: string | null
  /** Whether the client speaks another protocol: then hardly any of its headers says something to this upstream. */
  readonly isTranslated: boolean
  readonly stream: boolean
  /** The version of Anthropic's API that a translated request is written for (R88). */
  readonly anthropicVersion: string
  readonly clientHeaders: IncomingHttpHeaders
  readonly clientQuery: string
  /** Which of the backend's credentials to send. */
  readonly credential: string | null
}

/** The version assumed where a client of the protocol names none (R5). */
const ANTHROPIC_VERSION = '2023-06-01'

/** Builds URL and headers of one attempt. The client's own credential is never among them. */
export function buildUpstreamRequest(ask: UpstreamAsk): UpstreamRequest {
  const { backend } = ask.route
  const base = baseOf(backend, ask.protocol)
  return { origin: base.origin, path: wholePath(base, ask), headers: headersOf(ask, backend) }
}

interface Base {
  readonly origin: string
  readonly path: string
  /** Whole paths by what is behind the base, which is one of a few: a text that is put together is made flat by its first reader, once. */
  readonly whole: Map<string, string>
}

const bases = new WeakMap<Backend, Map<Protocol, Base>>()

function wholePath({ path, whole }: Base, ask: UpstreamAsk): string {
  const rest = pathOf(ask)
  if (namesModel(ask)) return path + rest
  let joined = whole.get(rest)
  if (joined === undefined) whole.set(rest, (joined = path + rest))
  return joined
}

/** Whether the path holds the model, whose name may be anything. */
const namesModel = ({ protocol, route }: UpstreamAsk): boolean =>
  protocol === 'gemini' || protocol === 'bedrock-converse' || route.backend.cloud !== undefined

/** Where a backend speaks a protocol; the path has no slash at its end. */
export function baseOf(backend: Backend, protocol: Protocol): Base {
  let known = bases.get(backend)
  if (!known) bases.set(backend, (known = new Map()))
  let base = known.get(protocol)
  if (!base) {
    const url = new URL(backend.protocolUrls?.[protocol] ?? backend.apiUrl)
    base = { origin: url.origin, path: url.pathname.replace(/\/+$/, ''), whole: new Map() }
    known.set(protocol, base)
  }
  return base
}

function pathOf(ask: UpstreamAsk): string {
  const { cloud } = ask.route.backend
  if (cloud) return cloudPath(cloud, { ...ask, model: ask.route.upstreamModel })
  switch (ask.protocol) {
    case 'openai-chat':
      return '/chat/completions'
    case 'openai-responses':
      return ask.operation === 'count' ? '/responses/input_tokens' : '/responses'
    case 'openai-embeddings':
      return '/embeddings'
    case 'anthropic-messages':
      return `/v1/messages${ask.operation === 'count' ? '/count_tokens' : ''}${ask.isTranslated ? '' : betaQuery(ask.clientQuery)}`
    case 'gemini': {
      const name = ask.route.upstreamModel.split('/').map(encodeURIComponent).join('/')
      const action = ask.geminiAction ?? (ask.stream ? 'streamGenerateContent' : 'generateContent')
      return `/v1beta/models/${name}:${action}${ask.stream ? '?alt=sse' : ''}`
    }
    case 'bedrock-converse':
      return `/model/${encodeURIComponent(ask.route.upstreamModel)}/converse${ask.stream ? '-stream' : ''}`
    case 'cohere-chat':
      return ask.operation === 'embed' ? '/v2/embed' : '/v2/chat'
    default: {
      const missed: never = ask.protocol
      throw new Error(`unknown protocol ${String(missed)}`)
    }
  }
}

/** Claude Code marks beta calls in the query; Anthropic reads it there. */
function betaQuery(query: string): string {
  return /(?:^|&)beta=true(?:&|$)/.test(query) ? '?beta=true' : ''
}

function acceptedOf(ask: UpstreamAsk): string {
  if (!ask.stream) return 'application/json'
  return ask.route.backend.cloud?.kind === 'bedrock' ? 'application/vnd.amazon.eventstream' : 'text/event-stream'
}

function headersOf(ask: UpstreamAsk, backend: Backend): string[] {
  const headers = ['content-type', 'application/json', 'accept', acceptedOf(ask)]
  // Compressed answers would have to be unpacked to be read; asking for none is cheaper for both sides.
  headers.push('accept-encoding', 'identity')
  pushIdentity(headers, backend, ask.clientHeaders)
  pushCredential(headers, backend, ask.credential)
  headers.push(...forwardedOf(ask))
  if (ask.protocol === 'anthropic-messages' && !backend.cloud) {
    if (ask.isTranslated) headers.push('anthropic-version', ask.anthropicVersion)
    else if (ask.clientHeaders['anthropic-version'] === undefined) headers.push('anthropic-version', ANTHROPIC_VERSION)
  }
  for (const [name, value] of Object.entries(backend.headers)) headers.push(name, value)
  return headers
}

/** Clouds read Claude's version in the body, and Bedrock the betas too. */
function forwardedOf(ask: UpstreamAsk): readonly string[] {
  const { backend } = ask.route
  if (!backend.cloud || ask.protocol !== 'anthropic-messages')
    return forwardedHeaders(ask.protocol, backend.type, ask.isTranslated, ask.clientHeaders)
  const betas = betasFor(backend.type, ask.isTranslated, ask.clientHeaders)
  return backend.cloud.kind === 'vertex' && betas !== '' ? ['anthropic-beta', betas] : []
}

/** Adds the credential in the way that the backend takes it. */
export function pushCredential(headers: string[], backend: Backend, credential: string | null): void {
  if (credential === null) return
  switch (backend.auth) {
    case 'bearer':
      headers.push('authorization', `Bearer ${credential}`)
      break
    case 'api-key':
    case 'x-api-key':
    case 'x-goog-api-key':
      headers.push(backend.auth, credential)
      break
    case 'none':
      break
    default: {
      const missed: never = backend.auth
      throw new Error(`unknown way to authenticate: ${String(missed)}`)
    }
  }
}
