import type { IncomingHttpHeaders } from 'node:http'
import type { Protocol } from '#base/protocols.ts'
import type { Backend, Route } from '#catalog/types.ts'
import { cloudPath } from './cloud-paths.ts'

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
  /** Whether the client speaks another protocol: then its headers say nothing to this upstream. */
  readonly isTranslated: boolean
  readonly stream: boolean
  readonly clientHeaders: IncomingHttpHeaders
  readonly clientQuery: string
  /** Which of the backend's credentials to send. */
  readonly credential: string | null
}

/** The version assumed where a client names none (R5). */
const ANTHROPIC_VERSION = '2023-06-01'

/** Client headers that change what the upstream does; everything else stays with us (R122: allow-list). */
const FORWARDED: Readonly<Partial<Record<Protocol, readonly string[]>>> = {
  'anthropic-messages': ['anthropic-version', 'anthropic-beta'],
  'openai-chat': ['openai-beta'],
  'openai-responses': ['openai-beta'],
}

const USER_AGENT_CHARACTERS_MAX = 300

/** Builds URL and headers of one attempt. The client's own credential is never among them. */
export function buildUpstreamRequest(ask: UpstreamAsk): UpstreamRequest {
  const { backend } = ask.route
  const base = baseOf(backend, ask.protocol)
  return { origin: base.origin, path: base.path + pathOf(ask), headers: headersOf(ask, backend) }
}

const bases = new WeakMap<Backend, Map<Protocol, { origin: string; path: string }>>()

function baseOf(backend: Backend, protocol: Protocol): { origin: string; path: string } {
  let known = bases.get(backend)
  if (!known) bases.set(backend, (known = new Map()))
  let base = known.get(protocol)
  if (!base) {
    const url = new URL(backend.protocolUrls?.[protocol] ?? backend.apiUrl)
    base = { origin: url.origin, path: url.pathname.replace(/\/+$/, '') }
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
  headers.push('accept-encoding', 'identity', 'user-agent', userAgentOf(ask.clientHeaders))
  pushCredential(headers, backend, ask.credential)
  for (const name of forwardedOf(ask)) {
    const value = ask.clientHeaders[name]
    if (typeof value === 'string') headers.push(name, value)
  }
  const isVersioned = !ask.isTranslated && ask.clientHeaders['anthropic-version'] !== undefined
  if (ask.protocol === 'anthropic-messages' && !isVersioned && !backend.cloud) {
    headers.push('anthropic-version', ANTHROPIC_VERSION)
  }
  for (const [name, value] of Object.entries(backend.headers)) headers.push(name, value)
  return headers
}

/** Clouds read Claude's version in the body, and Bedrock the betas too. */
function forwardedOf(ask: UpstreamAsk): readonly string[] {
  if (ask.isTranslated) return []
  const { cloud } = ask.route.backend
  if (!cloud || ask.protocol !== 'anthropic-messages') return FORWARDED[ask.protocol] ?? []
  return cloud.kind === 'vertex' ? ['anthropic-beta'] : []
}

function pushCredential(headers: string[], backend: Backend, credential: string | null): void {
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

/** The client's own name is passed on (R113's default); one that is no header value is replaced by ours. */
function userAgentOf(headers: IncomingHttpHeaders): string {
  const agent = headers['user-agent']
  return agent && agent.length <= USER_AGENT_CHARACTERS_MAX && /^[\t\x20-\x7e]+$/.test(agent) ? agent : 'Trivium'
}
