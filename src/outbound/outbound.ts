import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { buildConnector, Client } from 'undici'
import { AddressRules } from '#base/addresses.ts'
import { hostOf, inspectUrl, isLocalhost, LOOPBACK } from './inspect-url.ts'
import { Slots } from './slots.ts'

/** R84. */
export const FILE_BYTES_MAX = 20 * 1024 * 1024
export const REDIRECTS_MAX = 3
/** From the first wait to the last byte, redirects included. */
export const FETCH_MS_MAX = 30_000
export const CONNECT_MS_MAX = 10_000
/** Fetches at a time in this process; what they hold in memory is bounded with them. */
export const FETCHES_MAX = 16
/** Fetches that wait for one of those; more are turned away. */
export const FETCHES_WAITING_MAX = 256
const HEADER_BYTES_MAX = 16 * 1024

export interface OutboundLimits {
  readonly fileBytesMax: number
  readonly redirectsMax: number
  readonly fetchMs: number
  readonly fetchesMax: number
  readonly fetchesWaitingMax: number
}

const LIMITS: OutboundLimits = {
  fileBytesMax: FILE_BYTES_MAX,
  redirectsMax: REDIRECTS_MAX,
  fetchMs: FETCH_MS_MAX,
  fetchesMax: FETCHES_MAX,
  fetchesWaitingMax: FETCHES_WAITING_MAX,
}

/** Bytes that several fetches may take together; each takes its own off. */
export interface ByteBudget {
  bytesLeft: number
}

export interface OutboundRequest {
  /** For the `accept` header. */
  readonly accept: string
  /** Ends the fetch. */
  readonly signal: AbortSignal
  readonly budget: ByteBudget
}

/** `reason` is written for a client: it tells nothing of what a host answered. */
export type OutboundResult =
  | { readonly kind: 'fetched'; readonly contentType: string | null; readonly body: Buffer }
  /** The address, a redirect, or what a name stands for is not public. */
  | { readonly kind: 'forbidden'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Too many fetches wait already. */
  | { readonly kind: 'busy' }
  /** `signal` ended it. */
  | { readonly kind: 'aborted' }

export interface OutboundPost {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** Ends the request. */
  readonly signal: AbortSignal
}

export type PostResult =
  | { readonly kind: 'answered'; readonly status: number }
  | Exclude<OutboundResult, { kind: 'fetched' }>

export interface ResolvedAddress {
  readonly address: string
  readonly family: number
}

/** Every address of a name. Rejects when there is none. */
export type Resolve = (host: string) => Promise<readonly ResolvedAddress[]>

export interface OutboundOptions {
  /** Networks in CIDR notation that may be reached although they are private; asked at every fetch. */
  readonly allowPrivate: () => readonly string[]
  readonly resolve?: Resolve
  readonly limits?: Partial<OutboundLimits>
}

/**
 * Requests to addresses that somebody else chose (R122). Every connection is made to an address that was checked itself: names
 * are looked up once per connection, private addresses are left out of what comes back, and nothing is looked up again in
 * between. Redirects are followed by hand, each checked alike. No proxy is used, no cookie, no credential, no connection
 * is kept.
 */
export class Outbound {
  private readonly options: OutboundOptions
  private readonly limits: OutboundLimits
  private readonly slots: Slots
  private readonly resolve: Resolve
  private rules: { readonly networks: readonly string[]; readonly of: AddressRules } | null = null

  constructor(options: OutboundOptions) {
    this.options = options
    this.limits = { ...LIMITS, ...options.limits }
    this.slots = new Slots(this.limits.fetchesMax, this.limits.fetchesWaitingMax)
    this.resolve = options.resolve ?? resolveName
  }

  /** Why an address may not be asked for, by its text alone; null when it may. Nothing is looked up. */
  refusalOf(text: string): string | null {
    const inspected = inspectUrl(text, this.currentRules())
    return 'refusal' in inspected ? inspected.refusal : null
  }

  /** GETs a file. Never rejects. */
  async get(text: string, request: OutboundRequest): Promise<OutboundResult> {
    if (request.signal.aborted) return { kind: 'aborted' }
    const ending = new AbortController()
    const end = (): void => ending.abort()
    const timer = setTimeout(end, this.limits.fetchMs)
    request.signal.addEventListener('abort', end, { once: true })
    try {
      return await this.getWithin(text, request, ending.signal)
    } finally {
      clearTimeout(timer)
      request.signal.removeEventListener('abort', end)
    }
  }

  /** POSTs to one address, redirects not followed, the answer not read. Never rejects. */
  async post(text: string, { body, headers, signal }: OutboundPost): Promise<PostResult> {
    const rules = this.currentRules()
    const inspected = inspectUrl(text, rules)
    if ('refusal' in inspected) return { kind: 'forbidden', reason: inspected.refusal }
    const taken = await this.slots.take(signal)
    if (taken !== 'taken') return { kind: taken === 'full' ? 'busy' : 'aborted' }
    const { origin, pathname, search } = inspected.url
    const client = new Client(origin, {
      connect: this.connectorFor(rules),
      maxHeaderSize: HEADER_BYTES_MAX,
      allowH2: false,
    })
    try {
      const answer = await client.request({
        path: pathname + search,
        method: 'POST',
        headers: { ...headers, 'user-agent': 'trivium' },
        body,
        signal,
      })
      answer.body.on('error', () => {})
      return { kind: 'answered', status: answer.statusCode }
    } catch (error) {
      if (isForbidden(error)) return { kind: 'forbidden', reason: 'its host is not allowed' }
      return signal.aborted ? { kind: 'aborted' } : { kind: 'failed', reason: 'its host cannot be reached' }
    } finally {
      this.slots.release()
      client.destroy().catch(() => {})
    }
  }

  private async getWithin(text: string, request: OutboundRequest, signal: AbortSignal): Promise<OutboundResult> {
    const taken = await this.slots.take(signal)
    if (taken === 'full') return { kind: 'busy' }
    try {
      if (taken === 'taken') return await this.follow(text, { ...request, signal })
    } catch (error) {
      if (isForbidden(error)) return FORBIDDEN_HOST
      if (!signal.aborted) return failed('its host cannot be reached')
    } finally {
      if (taken === 'taken') this.slots.release()
    }
    return request.signal.aborted ? { kind: 'aborted' } : failed('it did not arrive in time')
  }

  private async follow(text: string, request: OutboundRequest): Promise<OutboundResult> {
    const rules = this.currentRules()
    let address = text
    for (let redirects = 0; redirects <= this.limits.redirectsMax; redirects++) {
      const inspected = inspectUrl(address, rules)
      if ('refusal' in inspected) return { kind: 'forbidden', reason: inspected.refusal }
      const hop = await this.ask(inspected.url, rules, request)
      if (!('location' in hop)) return hop
      if (!URL.canParse(hop.location, inspected.url)) return failed('its host sent a redirect that leads nowhere')
      address = new URL(hop.location, inspected.url).href
    }
    return failed(`it was redirected more than ${this.limits.redirectsMax} times`)
  }

  /** One request on a connection of its own. Rejects when the connection fails or is not allowed. */
  private async ask(
    url: URL,
    rules: AddressRules,
    { accept, signal, budget }: OutboundRequest,
  ): Promise<OutboundResult | { readonly location: string }> {
    const client = new Client(url.origin, {
      connect: this.connectorFor(rules),
      maxHeaderSize: HEADER_BYTES_MAX,
      allowH2: false,
    })
    try {
      const { statusCode, headers, body } = await client.request({
        path: url.pathname + url.search,
        method: 'GET',
        headers: { accept, 'accept-encoding': 'identity', 'user-agent': 'trivium' },
        signal,
      })
      // What is left unread goes with its connection.
      body.on('error', () => {})
      const location = textOf(headers['location'])
      if (REDIRECTS.has(statusCode) && location !== null) return { location }
      if (statusCode !== 200) return failed('its host did not answer with a file')
      const encoding = textOf(headers['content-encoding'])
      if (encoding !== null && encoding !== 'identity') return failed('its host sent it compressed')
      const bytesMax = Math.min(this.limits.fileBytesMax, budget.bytesLeft)
      const tooLarge = failed(`it has more than ${bytesMax} bytes`)
      if (Number(textOf(headers['content-length']) ?? 0) > bytesMax) return tooLarge
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        budget.bytesLeft -= chunk.length
        if (bytes > this.limits.fileBytesMax || budget.bytesLeft < 0) return tooLarge
        chunks.push(chunk)
      }
      return { kind: 'fetched', contentType: textOf(headers['content-type']), body: Buffer.concat(chunks) }
    } finally {
      client.destroy().catch(() => {})
    }
  }

  private connectorFor(rules: AddressRules): buildConnector.connector {
    // With `autoSelectFamily` all addresses are asked for at once, and tried one after the other.
    const lookup = callbackify(async (hostname: string, _options: object) => {
      const found = await this.resolve(hostOf(hostname))
      const permitted = found.filter(({ address }) => rules.permits(address))
      if (permitted.length === 0) throw new ForbiddenAddressError()
      return permitted
    }) as unknown as LookupFunction
    const connect = buildConnector({ timeout: CONNECT_MS_MAX, lookup, autoSelectFamily: true, allowH2: false })
    return (options, callback) => {
      connect(options, (error, socket) => {
        if (!socket) return callback(error, null)
        // The last word: whatever stood in between, this is who would be spoken to.
        if (rules.permits(socket.remoteAddress ?? '')) return callback(null, socket)
        socket.destroy()
        callback(new ForbiddenAddressError(), null)
      })
    }
  }

  private currentRules(): AddressRules {
    const networks = this.options.allowPrivate()
    if (this.rules?.networks !== networks) this.rules = { networks, of: new AddressRules(networks) }
    return this.rules.of
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError'
}

/** Where several addresses were tried, the errors of all of them come as one. */
function isForbidden(error: unknown): boolean {
  if (error instanceof ForbiddenAddressError) return true
  return error instanceof AggregateError && error.errors.some(isForbidden)
}

const FORBIDDEN_HOST: OutboundResult = { kind: 'forbidden', reason: 'its host is not allowed' }

const failed = (reason: string): OutboundResult => ({ kind: 'failed', reason })

function textOf(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null
}

const DNS_TRIES = 2
const DNS_MS_MAX = 3000

/** Asks the name servers, not the system's own resolver: that one has few threads, and a slow name would hold up whoever needs them. */
async function resolveName(host: string): Promise<readonly ResolvedAddress[]> {
  if (isLocalhost(host)) return LOOPBACK
  const resolver = new Resolver({ timeout: DNS_MS_MAX, tries: DNS_TRIES })
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const found = [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ]
  if (found.length === 0) throw new Error('the name has no address')
  return found
}
