/** A page of another origin as the Fetch standard has it: what a browser would send of its own accord, and what it would hide. */

/** Named by the standard: https://fetch.spec.whatwg.org/#cors-safelisted-request-header and -response-header-name. */
const SENT_UNASKED = new Set(['accept', 'accept-language', 'content-language'])
const SEEN_ALWAYS = new Set([
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
])
const SIMPLE_TYPES = new Set(['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'])
const SIMPLE_METHODS = new Set(['GET', 'HEAD', 'POST'])

/** What the page gets in place of an answer; it is told no reason, tests are. */
export class BlockedError extends Error {}

export interface Seen {
  readonly status: number
  readonly text: string
  /** Only what the page may read. */
  readonly headers: Map<string, string>
  readonly preflighted: boolean
}

export interface WebPage {
  fetch(url: string, init?: { method?: string; headers?: Record<string, string>; body?: string }): Promise<Seen>
}

const listOf = (headers: Headers, name: string): string[] =>
  (headers.get(name) ?? '')
    .split(',')
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== '')

/** `fetch` in a page of `origin`, without credentials. Rejects with BlockedError where a browser would. */
export function pageAt(origin: string): WebPage {
  const checkOrigin = ({ headers }: Response): void => {
    const allowed = headers.get('access-control-allow-origin')
    if (allowed !== '*' && allowed !== origin) throw new BlockedError(`access-control-allow-origin is ${allowed}`)
  }
  const preflight = async (url: string, method: string, names: readonly string[]): Promise<void> => {
    const asked = names.toSorted().join(',')
    const response = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        ...(asked && { 'access-control-request-headers': asked }),
      },
    })
    checkOrigin(response)
    if (!response.ok) throw new BlockedError(`the preflight is ${response.status}`)
    const methods = listOf(response.headers, 'access-control-allow-methods')
    if (!SIMPLE_METHODS.has(method) && !methods.includes(method.toLowerCase()) && !methods.includes('*')) {
      throw new BlockedError(`${method} is not allowed`)
    }
    const allowed = new Set(listOf(response.headers, 'access-control-allow-headers'))
    for (const name of names) {
      const byStar = allowed.has('*') && name !== 'authorization'
      if (!allowed.has(name) && !byStar) throw new BlockedError(`the header ${name} is not allowed`)
    }
  }
  return {
    async fetch(url, { method = 'GET', headers = {}, body } = {}) {
      const names = Object.keys(headers).map((name) => name.toLowerCase())
      const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
      const odd = names.filter((name) =>
        name === 'content-type' ? type !== undefined && !SIMPLE_TYPES.has(type) : !SENT_UNASKED.has(name),
      )
      const preflighted = odd.length > 0 || !SIMPLE_METHODS.has(method)
      if (preflighted) await preflight(url, method, odd)
      const response = await fetch(url, {
        method,
        headers: { ...headers, origin },
        ...(body !== undefined && { body }),
      })
      const text = await response.text()
      checkOrigin(response)
      const exposed = new Set(listOf(response.headers, 'access-control-expose-headers'))
      const seen = [...response.headers].filter(
        ([name]) => SEEN_ALWAYS.has(name) || exposed.has(name) || exposed.has('*'),
      )
      return { status: response.status, text, headers: new Map(seen), preflighted }
    },
  }
}
