import type { GatewayError } from '#base/errors.ts'
import { ERRORS } from '#base/errors.ts'
import type { Dialect } from './dialect.ts'

/** An error as bytes: what a client of one dialect receives. */
export interface EncodedError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A wait that is longer than this does not count as "soon": stock SDKs sleep the whole `retry-after` (R11). */
export const RETRY_SOON_SECONDS_MAX = 60

/** A 429 always tells a wait, and so does a 503 for the OpenRouter SDK; this is told when nothing better is known. */
const RETRY_AFTER_SECONDS_DEFAULT = 1

/** Where to look what can be called instead; relative, because the gateway may be reached under several names. */
const DOCS_URL = '/catalog/models'

/** A provider's own type is kept where it is one of the dialect's vocabulary (R11). */
const ANTHROPIC_TYPE = /^[a-z_]{1,40}_error$/
const GEMINI_STATUS = /^[A-Z_]{2,40}$/

interface Availability {
  readonly code: string
  readonly retryable: boolean
}

/**
 * Writes an error in the envelope of a dialect. Only `error.message` and the table's constants reach the client;
 * `details.internal` and `cause` never do. `requestId` is in the body of every dialect (R12). `isOpenRouter`: the path is one of
 * OpenRouter's, whose clients repeat every 5xx, whatever the dialect.
 */
export function encodeError(
  error: GatewayError,
  dialect: Dialect,
  requestId: string,
  isOpenRouter = dialect === 'openrouter',
): EncodedError {
  const availability = isOpenRouter ? availabilityOf(error) : undefined
  const status = availability?.status ?? error.status
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  const waitSeconds = retryAfterSeconds(error, status, availability)
  if (waitSeconds !== undefined) headers['retry-after'] = String(waitSeconds)
  if (isRetriedBySdks(status) && !canRetrySoon(error, waitSeconds, availability)) headers['x-should-retry'] = 'false'
  const body = JSON.stringify(envelopeOf(error, dialect, requestId, status, waitSeconds, availability))
  return { status, headers, body }
}

function envelopeOf(
  error: GatewayError,
  dialect: Dialect,
  requestId: string,
  status: number,
  waitSeconds: number | undefined,
  availability: Availability | undefined,
): unknown {
  const row = ERRORS[error.code]
  const { message, code } = error
  const own = error.details.upstream ?? {}
  switch (dialect) {
    case 'openai':
      return {
        error: { message, type: own.type ?? row.openai, code: own.code ?? code, param: error.details.param ?? null },
        request_id: requestId,
      }
    case 'anthropic':
      return {
        type: 'error',
        error: {
          type: ANTHROPIC_TYPE.test(own.type ?? '')
            ? own.type
            : availability
              ? anthropicType(error, status)
              : row.anthropic,
          message,
          code,
          error_type: availability ? openRouterType(error, status) : row.openrouter,
        },
        request_id: requestId,
      }
    case 'gemini':
      return {
        error: {
          code: status,
          message,
          status: GEMINI_STATUS.test(own.type ?? '') ? own.type : row.gemini,
          details: geminiDetails(error, requestId, waitSeconds),
        },
      }
    case 'openrouter':
      return {
        error: {
          code: status,
          message,
          metadata: {
            error_type: openRouterType(error, status),
            code,
            ...(error.details.param === undefined ? {} : { param: error.details.param }),
            request_id: requestId,
          },
          ...(availability ? { availability: availabilityBody(error, availability, waitSeconds) } : {}),
        },
      }
    default: {
      const missed: never = dialect
      throw new Error(`no envelope for ${String(missed)}`)
    }
  }
}

/** Google's typed details: the reason is our stable code, which `status` alone is too coarse to tell. */
function geminiDetails(error: GatewayError, requestId: string, waitSeconds: number | undefined): unknown[] {
  const type = (name: string) => `type.googleapis.com/google.rpc.${name}`
  const details: unknown[] = [
    { '@type': type('ErrorInfo'), reason: error.code, domain: 'trivium' },
    { '@type': type('RequestInfo'), requestId },
  ]
  if (error.details.param !== undefined) {
    const violation = { field: error.details.param, description: error.message }
    details.push({ '@type': type('BadRequest'), fieldViolations: [violation] })
  }
  if (waitSeconds !== undefined) details.push({ '@type': type('RetryInfo'), retryDelay: `${waitSeconds}s` })
  return details
}

/**
 * Under `/api/v1` a model that cannot be served says so in `availability`, and what repeating cannot help is a 4xx there
 * because OpenRouter's SDK repeats every 5xx for up to an hour (openrouter-api.md section 4).
 */
function availabilityOf(error: GatewayError): (Availability & { status: number }) | undefined {
  const told = error.details.availability
  if (told) return { code: told.code, retryable: false, status: told.code === 'region_restricted' ? 403 : 404 }
  switch (error.code) {
    case 'model_not_found':
      return { code: 'model_not_found', retryable: false, status: 404 }
    case 'model_not_chat':
    case 'model_not_embedding':
      return { code: 'wrong_endpoint', retryable: false, status: 400 }
    case 'upstream_auth_failed':
      return { code: 'no_endpoints', retryable: false, status: 404 }
    case 'no_available_backend':
      // Only cooling backends come with a time; without one every route is off and stays off.
      return error.details.retryAfterSeconds === undefined
        ? { code: 'no_endpoints', retryable: false, status: 404 }
        : { code: 'temporarily_unavailable', retryable: true, status: 503 }
    case 'upstream_rate_limited':
      return { code: 'capacity_exhausted', retryable: true, status: 429 }
    case 'upstream_unavailable':
      return { code: 'temporarily_unavailable', retryable: true, status: 503 }
    default:
      return undefined
  }
}

function availabilityBody(error: GatewayError, availability: Availability, waitSeconds: number | undefined): unknown {
  const { requestedModels, suggestions, availability: told } = error.details
  return {
    code: availability.code,
    retryable: availability.retryable,
    requested_models: requestedModels ?? [],
    docs_url: DOCS_URL,
    ...(waitSeconds === undefined ? {} : { retry_after: waitSeconds }),
    ...(suggestions?.length ? { fallback_models: suggestions } : {}),
    ...(told?.excludedBy?.length ? { excluded_by: told.excludedBy } : {}),
    ...(told?.constraint ? { constraint: told.constraint } : {}),
  }
}

function anthropicType(error: GatewayError, status: number): string {
  if (status === ERRORS[error.code].status) return ERRORS[error.code].anthropic
  if (status === 404) return 'not_found_error'
  if (status === 403) return 'permission_error'
  return status === 503 ? 'overloaded_error' : ERRORS[error.code].anthropic
}

/** The type belongs to the status that is sent, not to the table's, where the two differ. */
function openRouterType(error: GatewayError, status: number): string {
  if (status === ERRORS[error.code].status) return ERRORS[error.code].openrouter
  if (status === 404) return 'not_found'
  if (status === 403) return 'permission_denied'
  if (status === 422) return 'unprocessable'
  if (status === 503) return 'provider_overloaded'
  return ERRORS[error.code].openrouter
}

function retryAfterSeconds(
  error: GatewayError,
  status: number,
  availability: Availability | undefined,
): number | undefined {
  const told = error.details.retryAfterSeconds
  if (told !== undefined) return Math.max(0, Math.ceil(told))
  return status === 429 || availability?.retryable ? RETRY_AFTER_SECONDS_DEFAULT : undefined
}

/** The statuses that the OpenAI and Anthropic SDKs repeat on their own. */
const isRetriedBySdks = (status: number): boolean => status === 408 || status === 409 || status === 429 || status >= 500

function canRetrySoon(
  error: GatewayError,
  waitSeconds: number | undefined,
  availability: Availability | undefined,
): boolean {
  if (waitSeconds !== undefined && waitSeconds > RETRY_SOON_SECONDS_MAX) return false
  return availability?.retryable ?? ERRORS[error.code].retry
}
