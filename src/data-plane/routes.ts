import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { receive } from './1-receive/exchange.ts'
import { FIXED_PATHS, GEMINI_PREFIXES, readGeminiTarget } from './1-receive/operations.ts'
import type { Gateway } from './gateway.ts'
import { handleRequest } from './handle-request.ts'

/** Methods that reach the flow; what is not POST is refused there, in the client's dialect and with a log row. */
const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'] as const

/** The Gemini prefixes share their GET paths with the model lists of the control plane. */
const GEMINI_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * Puts the data plane on the server. The body is not read here: a caller is known before one byte of it is taken.
 * `onActive` counts requests in flight for a graceful shutdown.
 */
export async function registerDataPlane(app: FastifyInstance, gateway: Gateway, active: ActiveRequests): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const handle = (
      request: FastifyRequest,
      reply: FastifyReply,
      ...target: [Parameters<typeof receive>[2], string | null]
    ) => {
      reply.hijack()
      const exchange = receive(request.raw, reply.raw, ...target)
      active.track(
        handleRequest(gateway, exchange).catch((error: unknown) => {
          gateway.log.error({ requestId: exchange.id, err: error }, 'request failed after its answer had begun')
          reply.raw.destroy()
        }),
      )
    }
    for (const [path, endpoint] of FIXED_PATHS) {
      scope.route({
        method: [...METHODS],
        url: path,
        exposeHeadRoute: false,
        handler: (request, reply) => handle(request, reply, endpoint, null),
      })
    }
    for (const prefix of GEMINI_PREFIXES) {
      scope.route({
        method: [...GEMINI_METHODS],
        url: `${prefix}*`,
        handler: (request, reply) => {
          const target = readGeminiTarget(request.raw.url!.split('?', 1)[0]!.slice(prefix.length))
          if (!target) return reply.callNotFound()
          handle(request, reply, target.endpoint, target.model)
          return reply
        },
      })
    }
  })
}

/** Requests in flight, so that a shutdown can wait for them. */
export class ActiveRequests {
  private count = 0
  private waiting: (() => void)[] = []

  track(request: Promise<void>): void {
    this.count++
    void request.finally(() => {
      if (--this.count === 0) for (const wake of this.waiting.splice(0)) wake()
    })
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
