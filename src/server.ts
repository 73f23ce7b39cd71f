import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import Fastify, { type FastifyInstance } from 'fastify'
import { id } from '#base/ids.ts'
import { sendError } from '#control-plane/mount.ts'

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

/** Where the server listens, as a URL that works on this machine. */
export function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address()
  if (typeof address !== 'object' || !address) throw new Error('the server does not listen')
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}
