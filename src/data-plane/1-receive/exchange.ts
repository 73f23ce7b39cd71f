import type { IncomingMessage, ServerResponse } from 'node:http'
import { id } from '#base/ids.ts'
import type { Surface } from '#base/protocols.ts'
import type { Dialect } from '#codecs/dialect.ts'
import { Departure } from '#data-plane/departure.ts'
import { KeepAlive } from './keep-alive.ts'
import type { Endpoint } from './operations.ts'
import { readBody } from './read-body.ts'

/** The socket side of one request: what came in and where the answer goes. */
export interface Exchange {
  /** `req_<ulid>`, on every response and in every record (R12). */
  readonly id: string
  readonly endpoint: Endpoint
  readonly dialect: Dialect
  /** Under `/api/v1`: OpenRouter's clients, who always get usage with its cost (R9). */
  readonly openRouter: boolean
  /** The model in a Gemini path, else null. */
  readonly pathModel: string | null
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  /** Without the query, which may hold a key (R13). */
  readonly path: string
  readonly query: string
  readonly startedMs: number
  /** Monotonic, for latencies. */
  readonly startedAt: number
  readonly departure: Departure
  /** Where the limits of this request stand, on every answer to it; null where none hold (R78). */
  limitHeaders: Readonly<Record<string, string>> | null
  readonly keepAlive: KeepAlive
  /** Reads the body, decoded, once its caller is known. Throws as `1-receive/read-body.ts` says. */
  readBody(bytesMax: number): Promise<Buffer>
}

export function receive(
  request: IncomingMessage,
  response: ServerResponse,
  endpoint: Endpoint,
  pathModel: string | null,
): Exchange {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const openRouter = path.startsWith('/api/')
  const departure = new Departure(true)
  response.on('close', () => {
    if (!response.writableFinished) departure.leave()
  })
  return {
    id: id('req'),
    endpoint,
    dialect: dialectFor(endpoint.surface, openRouter),
    openRouter,
    pathModel,
    request,
    response,
    method: request.method ?? 'GET',
    path,
    query: mark < 0 ? '' : url.slice(mark + 1),
    startedMs: Date.now(),
    startedAt: performance.now(),
    departure,
    limitHeaders: null,
    keepAlive: new KeepAlive(response),
    readBody: (bytesMax) => readBody(request, bytesMax),
  }
}

/** The envelope of a model path; the same as `dialectOf` gives for its path, without looking at the path again. */
function dialectFor(surface: Surface, openRouter: boolean): Dialect {
  if (surface === 'anthropic-messages') return 'anthropic'
  if (surface === 'gemini') return 'gemini'
  return openRouter ? 'openrouter' : 'openai'
}
