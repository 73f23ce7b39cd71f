import type { Operation } from '#base/protocols.ts'
import type { Backend, Timeouts } from '#catalog/types.ts'
import type { StreamReader } from '#codecs/codec.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { hopHeaders } from '#data-plane/hops.ts'
import { type Access, renewableAccess } from '#providers/backend-access.ts'
import { betasFor } from '#providers/client-headers.ts'
import { cloudBody } from '#providers/cloud-body.ts'
import { awsHeaders } from '#providers/sign-upstream.ts'
import { buildUpstreamRequest } from '#providers/upstream-request.ts'
import { PACE_WINDOW_MS, TOKEN_BYTES } from './watchdog.ts'
import { Attempt, type AttemptLimits, type AttemptOutcome } from './attempt.ts'

/** What is sent to a target. */
export interface Sending {
  readonly body: Buffer
  readonly operation: Operation
  /** The method in a Gemini target's path; null: the usual one. */
  readonly geminiAction: string | null
  /** Whether the client speaks another protocol: then hardly any of its headers says something to this upstream. */
  readonly isTranslated: boolean
  readonly stream: boolean
  /** Index of the backend's credential to send. */
  readonly credential: number
  /** The client's own limit (R76); absent or null: none. */
  readonly timeoutMs?: number | null
  /** Whether a request that an idle connection lost may be sent again (fault R14). */
  readonly mayResend?: boolean
}

/** Makes one attempt. It is given up when the client leaves. */
export function dispatch(
  gateway: Gateway,
  exchange: Exchange,
  target: Target,
  sending: Sending,
  reader: StreamReader | null,
): Promise<AttemptOutcome> {
  const { backend } = target.route
  const renewable = renewableAccess(backend)
  if (!renewable) {
    const access = { credential: backend.credentials[sending.credential] ?? null, aws: backend.aws }
    return send(gateway, exchange, target, sending, reader, access)
  }
  const current = renewable.current
  if (current) return send(gateway, exchange, target, sending, reader, current)
  return renewable.renew().then(
    (access) => send(gateway, exchange, target, sending, reader, access),
    (error: unknown) => withoutAccess(gateway, target, error),
  )
}

/** What the source of credentials says is the operator's to know; the client learns that it is not its own fault. */
function withoutAccess(gateway: Gateway, target: Target, error: unknown): AttemptOutcome {
  const { id } = target.route.backend
  gateway.log.error({ backend: id, reason: (error as Error).message }, 'no access to a backend')
  const message = `The gateway has no credential for the backend "${id}" at the moment.`
  const failure = { status: 503, code: 'upstream_auth_failed', message }
  return { kind: 'failed', failure, retryAfter: null, upstreamRequestId: null }
}

function send(
  gateway: Gateway,
  exchange: Exchange,
  target: Target,
  sending: Sending,
  reader: StreamReader | null,
  access: Access,
): Promise<AttemptOutcome> {
  const { route, protocol } = target
  const { cloud } = route.backend
  const { operation, geminiAction, isTranslated, stream } = sending
  const request = buildUpstreamRequest({
    route,
    protocol,
    operation,
    geminiAction,
    isTranslated,
    stream,
    anthropicVersion: gateway.settings.anthropicUpstreamVersion,
    clientHeaders: exchange.request.headers,
    clientQuery: exchange.query,
    credential: access.credential,
  })
  if (target.fault !== undefined) request.headers.push('x-fault', target.fault.asked)
  const betas = cloud ? betasFor(route.backend.type, isTranslated, exchange.request.headers) : ''
  const body = cloud ? cloudBody(cloud, protocol, operation, sending.body, betas) : sending.body
  const running = new Attempt(reader, limitsOf(gateway, target, sending), protocol === 'anthropic-messages')
  exchange.departure.onGone(() => giveUp(gateway, exchange, running))
  const { origin, path } = request
  const { aws } = access
  const headers = aws ? [...request.headers, ...awsHeaders(aws, request, body)] : request.headers
  headers.push(...hopHeaders(route.backend, exchange))
  const { connectMs } = timeoutsOf(target)
  const call = { origin, connectMs, path, method: 'POST' as const, headers, body }
  if (sending.mayResend) running.mayResend(call, gateway)
  gateway.pools.for(origin, connectMs).dispatch(call, running)
  if (route.backend.access) void forgetRefused(running, route.backend, access)
  return running.outcome
}

/** The client left before there was an answer: its upstream is told at once, or has the rest of the time to give one (R77). */
function giveUp({ settings, drains }: Gateway, { departure }: Exchange, running: Attempt): void {
  const drainMs = departure.mayDrain ? settings.routing.drainOnDisconnectMs : 0
  const drain = drains.begin(drainMs, () => running.abort())
  if (drain) void running.outcome.then(() => drain.end())
  else running.abort()
}

/** A token that was taken back before its time is not used again. */
async function forgetRefused({ outcome }: Attempt, backend: Backend, access: Access): Promise<void> {
  const result = await outcome
  if (result.kind === 'failed' && result.failure.status === 401) renewableAccess(backend)?.forget(access)
}

const timeoutsOf = ({ route }: Target): Timeouts => route.timeouts ?? route.backend.timeouts

function limitsOf(gateway: Gateway, target: Target, { stream, timeoutMs }: Sending): AttemptLimits {
  const timeouts = timeoutsOf(target)
  const { limits } = gateway.settings
  return {
    bodyBytesMax: limits.upstreamBodyBytesMax,
    eventBytesMax: limits.eventBytesMax,
    firstContentMs: shorter(shorter(stream ? timeouts.ttftMs : timeouts.requestMs, target.timeoutMs), timeoutMs),
    idleMs: shorter(timeouts.streamIdleMs, timeoutMs),
    totalMs: timeouts.totalMs,
    paceBytesMin: (timeouts.minTokensPerSecond ?? 0) * TOKEN_BYTES * (PACE_WINDOW_MS / 1000),
  }
}

/** The limit, or another one that is below it. 0 is no limit, and so is no number. */
function shorter(limitMs: number, otherMs: number | null | undefined): number {
  if (!otherMs) return limitMs
  return limitMs > 0 ? Math.min(limitMs, otherMs) : otherMs
}
