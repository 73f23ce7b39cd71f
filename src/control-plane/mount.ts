import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseExactJson } from '#base/exact-json.ts'
import { asGatewayError, GatewayError } from '#base/errors.ts'
import { id } from '#base/ids.ts'
import { dialectOf } from '#codecs/dialect.ts'
import { encodeError } from '#codecs/errors.ts'
import type { Answer, Call, ControlPlaneDeps } from './call.ts'
import { type Guard, authorize } from './guard.ts'
import { originOf } from './origin.ts'
import type { AnyRoute } from './routes.ts'
import { MONEY_FIELDS } from './validate.ts'

/** Management bodies are small; the data plane has its own, larger bound. */
export const CONTROL_BODY_BYTES_MAX = 64 * 1024

/** Of a request that is only explained: it costs work and nothing else. */
export const TEXT_BODY_BYTES_MAX = 4 * 1024 * 1024

const requestIds = new WeakMap<FastifyRequest, string>()

/** The id of a request: one per request, whoever asks first (R12). */
export function requestIdOf(request: FastifyRequest): string {
  const known = requestIds.get(request)
  if (known !== undefined) return known
  const fresh = request.id.startsWith('req_') ? request.id : id('req')
  requestIds.set(request, fresh)
  return fresh
}

/** Mounts the routes in their own fastify scope, so that its parsers and hooks leave the data plane alone. */
export function mountRoutes(app: FastifyInstance, deps: ControlPlaneDeps, routes: readonly AnyRoute[]): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: CONTROL_BODY_BYTES_MAX }, (request, text, done) => {
      try {
        done(null, takesText(request) ? text : parseBody(text as string))
      } catch (thrown) {
        done(thrown as Error)
      }
    })
    scope.setErrorHandler((thrown, request, reply) => {
      report(deps, request, thrown)
      return sendError(request, reply, thrown)
    })
    for (const route of routes) {
      // Who has proved nothing sends little.
      const isLarge = route.takesText && route.guard !== 'public'
      const bodyLimit = isLarge ? TEXT_BODY_BYTES_MAX : CONTROL_BODY_BYTES_MAX
      scope.route({
        method: route.method,
        url: route.path,
        bodyLimit,
        config: { takesText: route.takesText === true } as object,
        onRequest: async (request, reply) => {
          if (request.headers.origin !== undefined && takesKeys(route)) deps.origins?.admit(request.raw, reply.raw)
          refuseQueryKey(request, route.guard)
        },
        handler: async (request, reply) => {
          const nowMs = (deps.now ?? Date.now)()
          const { method, ip, headers } = request
          const presented = { method, ip, headers, queryKey: queryOf(request)['key'] }
          const actor = await authorize(route.guard, deps, presented, nowMs)
          const answer = await route.handle(callOf(request, deps, actor, nowMs))
          return send(request, reply, answer, route.guard)
        },
      })
    }
    mountPreflights(scope, deps, routes)
  })
}

/** What a page of another origin may ask with a key of its own; never what is the operator's, or lives by a cookie. */
export const takesKeys = ({ guard, path }: AnyRoute): boolean =>
  guard !== 'public' && guard !== 'master' && path !== '/api/session'

/** A browser asks before it sends a key (R20); who may not ask is answered like any other wrong method. */
function mountPreflights(scope: FastifyInstance, deps: ControlPlaneDeps, routes: readonly AnyRoute[]): void {
  const methods = new Map<string, string[]>()
  for (const route of routes) {
    if (takesKeys(route)) methods.set(route.path, [...(methods.get(route.path) ?? []), route.method])
  }
  for (const [url, served] of methods) {
    scope.route({
      method: 'OPTIONS',
      url,
      config: { allow: [] } as object,
      handler: (request, reply) => {
        if (!deps.origins?.answerPreflight(request.raw, reply.raw, served)) return reply.callNotFound()
        return reply.hijack()
      },
    })
  }
}

/** Answers a failure in the client's dialect. Also for fastify's own errors and for whatever a handler throws. */
export function sendError(request: FastifyRequest, reply: FastifyReply, thrown: unknown): FastifyReply {
  const error = asKnownError(thrown, request.routeOptions?.bodyLimit)
  const requestId = requestIdOf(request)
  const dialect = dialectOf(request.url, request.headers)
  const encoded = encodeError(error, dialect, requestId)
  if (dialect === 'anthropic') reply.header('request-id', requestId)
  return reply
    .code(encoded.status)
    .headers({ ...encoded.headers, 'x-request-id': requestId, ...PRIVATE_ANSWER })
    .send(encoded.body)
}

/** What is our fault is logged with the cause that the client is not told. */
function report(deps: ControlPlaneDeps, request: FastifyRequest, thrown: unknown): void {
  const { code, status, details } = asKnownError(thrown)
  if (status < 500) return
  const { internal } = details
  deps.log?.error({ requestId: requestIdOf(request), code, internal, err: thrown }, 'a management request failed')
}

function asKnownError(thrown: unknown, bodyBytesMax = CONTROL_BODY_BYTES_MAX): GatewayError {
  const { code, statusCode } = (thrown ?? {}) as { code?: unknown; statusCode?: unknown }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new GatewayError('request_too_large', `The body is larger than ${bodyBytesMax} bytes.`)
  }
  if (thrown instanceof GatewayError || typeof code !== 'string' || !code.startsWith('FST_'))
    return asGatewayError(thrown)
  // Fastify's own refusals (a bad URL, a wrong content-length) are the client's fault; their texts repeat what was sent.
  const isClientFault = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500
  if (!isClientFault) return asGatewayError(thrown)
  const message = FASTIFY_TEXTS[code] ?? 'The request is not valid HTTP for this path.'
  return new GatewayError('invalid_request', message, { cause: thrown })
}

const FASTIFY_TEXTS: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: 'The URL is not validly encoded.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is too long.',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says.',
}

const takesText = (request: FastifyRequest): boolean =>
  (request.routeOptions.config as { takesText?: boolean }).takesText === true

function parseBody(text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return parseExactJson(text, MONEY_FIELDS)
  } catch (cause) {
    throw new GatewayError('invalid_json', 'The request body is not valid JSON.', { cause })
  }
}

/** A key in a URL ends up in access logs, so it is refused wherever Google's clients do not force it (R13). */
function refuseQueryKey(request: FastifyRequest, guard: Guard): void {
  if (guard === 'public' || queryOf(request)['key'] === undefined) return
  if (dialectOf(request.url) === 'gemini') return
  throw new GatewayError(
    'api_key_in_query',
    'An API key in the query string ends up in access logs: send it in the header Authorization instead.',
    { param: 'key' },
  )
}

function callOf(request: FastifyRequest, deps: ControlPlaneDeps, actor: Call['actor'], nowMs: number): Call {
  return {
    deps,
    actor,
    requestId: requestIdOf(request),
    nowMs,
    method: request.method,
    ip: request.ip,
    url: request.url,
    path: request.url.split('?', 1)[0]!,
    params: request.params as Record<string, string>,
    query: queryOf(request),
    headers: request.headers,
    origin: originOf(request.protocol, request.headers.host, deps.settings),
    body: request.body ?? undefined,
  }
}

/** A repeated parameter counts by its last value. */
function queryOf(request: FastifyRequest): Record<string, string> {
  const query: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.query as Record<string, string | string[]>)) {
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) query[name] = last
  }
  return query
}

/** No cache between us and one caller may hand the answer to another (S33). */
const PRIVATE_ANSWER = { 'cache-control': 'private, no-store', vary: 'Authorization, Cookie, Origin' }

function send(request: FastifyRequest, reply: FastifyReply, answer: Answer, guard: Guard): FastifyReply {
  const requestId = requestIdOf(request)
  reply.code(answer.status ?? 200).header('x-request-id', requestId)
  if (dialectOf(request.url, request.headers) === 'anthropic') reply.header('request-id', requestId)
  if (guard !== 'public') reply.headers(PRIVATE_ANSWER)
  if (answer.headers) reply.headers(answer.headers as Record<string, string>)
  const { body } = answer
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body) || body instanceof Readable)
    return reply.send(body)
  return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(body))
}
