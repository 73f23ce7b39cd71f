/**
 * Which pages of other origins may read our answers (R20): none, unless the operator names them. Never with credentials: a
 * page has to bring a key of its own, and no cookie of ours counts for it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Any origin, where the operator says so. */
export const ANY_ORIGIN = '*'
/** How long a browser may keep the answer to its preflight; Chromium keeps none longer than two hours. */
export const PREFLIGHT_SECONDS = 600
/** Longer lists of headers are no browser's. */
export const REQUESTED_HEADERS_CHARACTERS_MAX = 4096

/** `x-api-key, anthropic-version`: tokens with commas between them. */
const HEADER_NAMES = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9a-z-]+)*$/i

/** Lets the pages in that the list names now. Asked only where a request has an `Origin` header. */
export class CrossOrigins {
  private readonly list: () => readonly string[]

  constructor(list: () => readonly string[]) {
    this.list = list
  }

  /** Puts the headers on the answer, be it an error, that let its page read it; nothing when the page may not. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers
    const allowed = this.list()
    if (origin === undefined || allowed.length === 0) return false
    const isOpen = allowed.includes(ANY_ORIGIN)
    if (!isOpen && !allowed.includes(origin)) return false
    response.setHeader('access-control-allow-origin', isOpen ? ANY_ORIGIN : origin)
    // Everything that a server would see: ids, costs, limits. The star holds because there are never credentials.
    response.setHeader('access-control-expose-headers', '*')
    return true
  }

  /** Answers the question of a browser before its request, and tells whether it did: it was one, and the page may ask. */
  answerPreflight(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): boolean {
    const { headers } = request
    const method = headers['access-control-request-method']
    if (request.method !== 'OPTIONS' || method === undefined || !methods.includes(method)) return false
    if (!this.admit(request, response)) return false
    response.removeHeader('access-control-expose-headers')
    const wanted = headers['access-control-request-headers']
    const names = typeof wanted === 'string' && wanted.length <= REQUESTED_HEADERS_CHARACTERS_MAX ? wanted.trim() : ''
    response.writeHead(204, {
      'access-control-allow-methods': methods.join(', '),
      // Each SDK sends others, and any program may send all of them: there is nothing here to keep back.
      ...(HEADER_NAMES.test(names) && { 'access-control-allow-headers': names }),
      'access-control-max-age': String(PREFLIGHT_SECONDS),
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    })
    response.end()
    return true
  }
}

/** Why a text is no origin that can be allowed, or null. Shaped as browsers send them: `https://app.example.com:8443`. */
export function originFault(text: string): string | null {
  if (text === ANY_ORIGIN) return null
  const shape = /^([a-z][a-z0-9+.-]*):\/\/[^\s/?#@*\\]+$/.exec(text)
  if (!shape) return 'expected an origin such as https://app.example.com (scheme, host and port only, no pattern), or *'
  if (!/^https?$/.test(shape[1]!)) return null
  const sent = URL.canParse(text) ? new URL(text).origin : null
  return sent === text ? null : `no browser sends this${sent === null ? '' : `; it sends ${sent}`}`
}
