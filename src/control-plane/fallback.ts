import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CrossOrigins } from '#base/cross-origin.ts'
import { GatewayError } from '#base/errors.ts'
import { redactSecrets } from '#base/redact.ts'
import { sendError } from './mount.ts'

/**
 * Answers unknown paths with 404 and known paths with a wrong method with 405 and `Allow`, each in the dialect of its
 * prefix (R11). Call it before any route is registered: it learns the routes as they come. A route that takes more methods
 * than it serves, to refuse them itself, says in `config.allow` which ones it serves.
 */
export function registerFallback(app: FastifyInstance, origins?: CrossOrigins): void {
  const known = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', (route) => {
    const entry = known.get(route.url) ?? { pattern: patternOf(route.url), methods: new Set<string>() }
    const { allow } = (route.config ?? {}) as { allow?: readonly string[] }
    for (const method of allow ?? [route.method].flat()) entry.methods.add(method)
    known.set(route.url, entry)
  })
  app.setNotFoundHandler((request, reply) => {
    if (request.headers.origin !== undefined) origins?.admit(request.raw, reply.raw)
    return answerUnknown(request, reply, methodsAt(known.values(), request))
  })
}

function answerUnknown(request: FastifyRequest, reply: FastifyReply, methods: readonly string[]): FastifyReply {
  // A route may pass on what it cannot find: then the method is right and the thing is missing.
  if (methods.length === 0 || methods.includes(request.method)) {
    return sendError(
      request,
      reply,
      new GatewayError('not_found', `There is nothing at ${request.method} ${shownPath(request)}.`),
    )
  }
  reply.header('allow', methods.join(', '))
  const message = `${shownPath(request)} does not take ${request.method}; it takes ${methods.join(', ')}.`
  return sendError(request, reply, new GatewayError('method_not_allowed', message))
}

function methodsAt(known: Iterable<{ pattern: RegExp; methods: Set<string> }>, request: FastifyRequest): string[] {
  const path = pathOf(request)
  const methods = new Set<string>()
  for (const entry of known) {
    if (entry.pattern.test(path)) for (const method of entry.methods) methods.add(method)
  }
  return [...methods].sort()
}

const PATH_SHOWN_MAX = 200

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!.slice(0, PATH_SHOWN_MAX)

/** A key that was put into the path by mistake is not told again (R20). */
const shownPath = (request: FastifyRequest): string => redactSecrets(pathOf(request))

/** `/a/:id/*` -> `^/a/[^/]+/.*$`. Linear: no part can match the separator of the next. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  })
  return new RegExp(`^${parts.join('/')}$`)
}
