import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { GatewayError } from '#base/errors.ts'
import { id } from '#base/ids.ts'
import { encodeError } from '#codecs/errors.ts'
import { sendError } from '#control-plane/mount.ts'
import { FIXED_PATHS } from '#data-plane/1-receive/operations.ts'

/** Headers must arrive within this; bodies have their own bound in the data plane (attack S15). */
const HEADERS_MS = 15_000

/** Longer than the idle time of common load balancers, so that they and not we end a quiet connection. */
const KEEP_ALIVE_MS = 65_000

/** Longest part of a path that is a parameter: model ids are long. */
const PATH_PART_CHARACTERS_MAX = 512

/** One port for both planes: model traffic is taken first, everything else is the framework's. */
export function createServer(
  takesModelTraffic: (request: IncomingMessage, response: ServerResponse) => boolean,
): FastifyInstance {
  return Fastify({
    logger: false,
    frameworkErrors: (error, request, reply) => sendError(request, reply, error),
    genReqId: () => id('req'),
    routerOptions: { maxParamLength: PATH_PART_CHARACTERS_MAX, ignoreTrailingSlash: true },
    forceCloseConnections: false,
    serverFactory: (handle) =>
      createHttpServer(
        { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
        (request, response) => {
          if (!takesModelTraffic(request, response)) handle(request, response)
        },
      ),
  })
}

/** GETs that clients of the Anthropic protocol send besides the protocol's own paths. */
const ANTHROPIC_READS = /^\/(health|v1\/models(\/[^?]*)?)$/

/**
 * A second listener that takes only what an Anthropic client asks, and hands it to the first one's server (R110). Anything
 * else is a 404 in Anthropic's dialect.
 */
export function createAnthropicServer(main: Server): Server {
  return createHttpServer(
    { headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    (request, response) => {
      const path = (request.url ?? '/').split('?')[0]!
      const isRead = request.method === 'GET' && ANTHROPIC_READS.test(path)
      if (FIXED_PATHS.get(path)?.surface === 'anthropic-messages' || isRead) {
        // The model list has one path and three shapes; here there is no doubt which one is meant (C36).
        if (isRead) request.headers['anthropic-version'] ??= '2023-06-01'
        main.emit('request', request, response)
        return
      }
      const requestId = id('req')
      const fault = new GatewayError('not_found', 'This port serves the Anthropic protocol only.')
      const { status, headers, body } = encodeError(fault, 'anthropic', requestId)
      response.writeHead(status, { ...headers, 'request-id': requestId, 'x-request-id': requestId }).end(body)
    },
  )
}

/** Where the server listens, as a URL that works on this machine. */
export function urlOf(server: Server, host: string): string {
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server does not listen')
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}

/** Starts listening; rejects when the port is taken. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((accept, refuse) => {
    server.once('error', refuse)
    server.listen({ host, port }, () => {
      server.off('error', refuse)
      accept()
    })
  })
}
