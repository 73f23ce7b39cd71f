import type { Operation } from '#base/protocols.ts'
import type { StreamReader } from '#codecs/codec.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { awsHeaders } from '#providers/sign-upstream.ts'
import { buildUpstreamRequest } from '#providers/upstream-request.ts'
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
}

/** Makes one attempt. It is given up when the client leaves. */
export function dispatch(
  gateway: Gateway,
  exchange: Exchange,
  target: Target,
  sending: Sending,
  reader: StreamReader | null,
): Promise<AttemptOutcome> {
  const { route, protocol } = target
  const { body, operation, geminiAction, isTranslated, stream } = sending
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
    credential: route.backend.credentials[sending.credential] ?? null,
  })
  const running = new Attempt(reader, limitsOf(gateway, target, stream))
  exchange.departure.onGone(() => running.abort())
  const { origin, path } = request
  const { aws } = route.backend
  const headers = aws ? [...request.headers, ...awsHeaders(aws, request, body)] : request.headers
  gateway.pools.for(origin).dispatch({ origin, path, method: 'POST', headers, body }, running)
  return running.outcome
}

function limitsOf(gateway: Gateway, target: Target, stream: boolean): AttemptLimits {
  const { timeouts } = target.route.backend
  const { limits } = gateway.settings
  return {
    bodyBytesMax: limits.upstreamBodyBytesMax,
    eventBytesMax: limits.eventBytesMax,
    firstContentMs: stream ? timeouts.ttftMs : timeouts.requestMs,
    idleMs: timeouts.streamIdleMs,
    totalMs: timeouts.totalMs,
  }
}
