import { type ErrorCode, ERRORS, GatewayError } from '#base/errors.ts'
import type { Failure } from '#codecs/codec.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { UpstreamError, withoutHost } from '#data-plane/failures.ts'
import type { AttemptRecord } from '#observe/request-row.ts'

/**
 * What an upstream's failure means to the client. Errors that the client caused keep the provider's status, type and
 * message (R11). Refused credentials are the operator's, so that a client never reads 401 for a good key of ours (R23);
 * in local mode, where both are one person, the upstream's own status passes.
 */
export function errorOf(
  gateway: Gateway,
  target: Target,
  failure: Failure,
  retryAfter: string | null,
  attempts: readonly AttemptRecord[],
): UpstreamError {
  return new UpstreamError(translate(gateway, target, failure, retryAfter), attempts)
}

/** One attempt for the log row; `failure` is null for one that was answered. */
export function attemptRecord(
  target: Target,
  startedAt: number,
  failure: Failure | null,
  retryAfter: string | null,
): AttemptRecord {
  return {
    backend: target.route.backend.id,
    status: failure ? failure.status : 200,
    error_code: failure ? failure.code : null,
    latency_ms: Math.round(performance.now() - startedAt),
    retry_after: retryAfter === null ? null : Number.parseInt(retryAfter, 10) || null,
  }
}

function translate(gateway: Gateway, target: Target, failure: Failure, retryAfter: string | null): GatewayError {
  const { status } = failure
  const message = gateway.settings.routing.upstreamErrorPassthrough
    ? failure.message
    : withoutHost(failure.message, target.route.backend)
  const retryAfterSeconds = secondsOf(retryAfter)
  const retry = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  const upstream = upstreamOf(failure)
  if (failure.code !== 'upstream_error') return new GatewayError(ownCode(failure.code), message, retry)
  if (status === 429) return new GatewayError('upstream_rate_limited', message, { ...retry, upstream })
  if (status === 401 || status === 402 || status === 403) {
    if (gateway.settings.routing.upstreamErrorPassthrough)
      return new GatewayError('upstream_auth_failed', message, { ...retry, status, upstream })
    return new GatewayError('upstream_auth_failed', authMessage(target), { internal: message })
  }
  if (status < 500) {
    // A response that is kept there has gone, the model has not.
    const isModel = status === 404 && failure.upstreamCode !== 'previous_response_not_found'
    const availability = isModel ? ({ code: 'model_unavailable_upstream' } as const) : undefined
    const requestedModels = isModel ? [target.selection.requested.slice(0, 100)] : []
    const details = { ...retry, status, upstream, availability, requestedModels }
    return new GatewayError(clientCode(status), message, details)
  }
  if (gateway.settings.routing.upstreamErrorPassthrough)
    return new GatewayError('upstream_unavailable', message, { ...retry, status, upstream })
  return new GatewayError('upstream_unavailable', `The backend failed: ${message}`, retry)
}

/** Failures that the gateway itself found carry a code of its own table. */
function ownCode(code: string): ErrorCode {
  return Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'upstream_unavailable'
}

function clientCode(status: number): ErrorCode {
  if (status === 404) return 'not_found'
  if (status === 408) return 'request_timeout'
  if (status === 409) return 'state_conflict'
  if (status === 413) return 'request_too_large'
  return 'invalid_request'
}

function authMessage(target: Target): string {
  const { backend } = target.route
  const where = backend.credentialSource ? ` Check ${backend.credentialSource}.` : ''
  return `The backend "${backend.id}" refused the gateway's credential.${where}`
}

function upstreamOf(failure: Failure): { type?: string; code?: string } {
  return {
    ...(failure.upstreamType === undefined ? {} : { type: failure.upstreamType }),
    ...(failure.upstreamCode === undefined ? {} : { code: failure.upstreamCode }),
  }
}

/** `Retry-After` as seconds, from either of its two forms (RFC 9110 section 10.2.3). */
export function secondsOf(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined
  if (/^\d{1,9}(?:\.\d+)?$/.test(retryAfter.trim())) return Math.ceil(Number(retryAfter))
  const at = Date.parse(retryAfter)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}
