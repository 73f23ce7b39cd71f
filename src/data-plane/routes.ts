import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { CrossOrigins } from '#base/cross-origin.ts'
import { receive } from './1-receive/exchange.ts'
import { type Endpoint, FIXED_PATHS, GEMINI_PREFIXES, readGeminiTarget } from './1-receive/operations.ts'
import type { Gateway } from './gateway.ts'
import { handleRequest } from './handle-request.ts'

/** What every path of the data plane takes. */
const METHODS = ['POST']

/**
 * Takes a request off the socket when its path belongs to the data plane, and tells whether it did. It stands before the
 * framework: a map look-up is all the routing that model traffic needs (ADR 0007).
 */
export function createDataPlane(
  gateway: Gateway,
  active: ActiveRequests,
  origins: CrossOrigins,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const ended = (): void => active.end()
  const handle = (
    request: IncomingMessage,
    response: ServerResponse,
    endpoint: Endpoint,
    model: string | null,
  ): true => {
    if (request.headers.origin !== undefined) {
      if (origins.answerPreflight(request, response, METHODS)) return true
      origins.admit(request, response)
    }
    const exchange = receive(request, response, endpoint, model)
    active.begin()
    handleRequest(gateway, exchange).then(ended, (error: unknown) => {
      gateway.log.error({ requestId: exchange.id, err: error }, 'request failed after its answer had begun')
      response.destroy()
      ended()
    })
    return true
  }
  return (request, response) => {
    const url = request.url ?? '/'
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const endpoint = FIXED_PATHS.get(path)
    if (endpoint) return handle(request, response, endpoint, null)
    // The Gemini paths share their GETs with the model lists of the control plane.
    if (request.method === 'GET' || request.method === 'HEAD') return false
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== 'POST') return false
    const prefix = GEMINI_PREFIXES.find((each) => path.startsWith(each))
    const target = prefix === undefined ? null : readGeminiTarget(path.slice(prefix.length))
    return target !== null && handle(request, response, target.endpoint, target.model)
  }
}

/** Tells the framework's 404 and 405 answers about the Gemini paths: what arrives here names no known method. */
export function registerGeminiPaths(app: FastifyInstance): void {
  for (const prefix of GEMINI_PREFIXES) {
    app.route({
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      url: `${prefix}*`,
      config: { allow: ['POST'] },
      handler: (_request, reply) => reply.callNotFound(),
    })
  }
}

/** Requests in flight, so that a shutdown can wait for them. */
export class ActiveRequests {
  count = 0
  private waiting: (() => void)[] = []

  begin(): void {
    this.count++
  }

  end(): void {
    if (--this.count === 0) for (const wake of this.waiting.splice(0)) wake()
  }

  /** Resolves when nothing is in flight, or after `waitMs`. */
  async drained(waitMs: number): Promise<void> {
    if (this.count === 0) return
    await new Promise<void>((accept) => {
      const timer = setTimeout(accept, waitMs)
      this.waiting.push(() => {
        clearTimeout(timer)
        accept()
      })
    })
  }
}
