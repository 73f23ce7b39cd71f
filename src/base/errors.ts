/**
 * THE error table. Every failure that a client may see is a row here; the codecs turn a row into the four native
 * envelopes, so a status or a type is never written anywhere else. Source: requirements R11, openrouter-api section 4.
 */

export type GeminiStatus =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'

interface ErrorClass {
  readonly status: number
  readonly openai: string
  readonly anthropic: string
  readonly gemini: GeminiStatus
  /** `error_type` of the OpenRouter surface. */
  readonly openrouter: string
  /** Whether repeating the same request soon can help; false sends `x-should-retry: false`. */
  readonly retry: boolean
}

const row = (
  status: number,
  openai: string,
  anthropic: string,
  gemini: GeminiStatus,
  openrouter: string,
  retry = false,
): ErrorClass => ({ status, openai, anthropic, gemini, openrouter, retry })

const invalid = row(400, 'invalid_request_error', 'invalid_request_error', 'INVALID_ARGUMENT', 'invalid_request')
const unauthenticated = row(401, 'authentication_error', 'authentication_error', 'UNAUTHENTICATED', 'authentication')
const payment = row(402, 'insufficient_quota', 'billing_error', 'RESOURCE_EXHAUSTED', 'payment_required')
const forbidden = row(403, 'permission_error', 'permission_error', 'PERMISSION_DENIED', 'permission_denied')
const missing = row(404, 'invalid_request_error', 'not_found_error', 'NOT_FOUND', 'not_found')
const conflict = row(
  409,
  'invalid_request_error',
  'invalid_request_error',
  'FAILED_PRECONDITION',
  'precondition_failed',
)
const limited = row(429, 'rate_limit_error', 'rate_limit_error', 'RESOURCE_EXHAUSTED', 'rate_limit_exceeded', true)
const broken = row(502, 'server_error', 'api_error', 'UNAVAILABLE', 'provider_unavailable')
const unavailable = row(503, 'server_error', 'overloaded_error', 'UNAVAILABLE', 'provider_overloaded')
const slow = row(504, 'server_error', 'api_error', 'DEADLINE_EXCEEDED', 'timeout')

export const ERRORS = {
  invalid_request: invalid,
  invalid_json: invalid,
  missing_model: invalid,
  thinking_not_supported: invalid,
  policy_rejected: invalid,
  hybrid_disabled: invalid,
  unsupported_capability: invalid,
  invalid_parameter: invalid,
  unsupported_parameter: invalid,
  unsupported_tool: invalid,
  unsupported_encoding: row(
    415,
    'invalid_request_error',
    'invalid_request_error',
    'INVALID_ARGUMENT',
    'invalid_request',
  ),
  idempotency_key_reused: invalid,
  api_key_in_query: invalid,
  model_not_embedding: invalid,
  model_not_chat: invalid,
  translation_not_available: invalid,
  media_url_forbidden: invalid,
  media_fetch_failed: invalid,
  context_length_exceeded: row(
    400,
    'invalid_request_error',
    'invalid_request_error',
    'INVALID_ARGUMENT',
    'context_length_exceeded',
  ),
  api_key_required: unauthenticated,
  invalid_api_key: unauthenticated,
  insufficient_balance: payment,
  budget_exceeded: payment,
  session_budget_exceeded: payment,
  key_limit_exceeded: payment,
  credit_limit_exceeded: payment,
  voucher_invalid: invalid,
  invalid_signature: invalid,
  key_disabled: forbidden,
  key_expired: forbidden,
  account_suspended: forbidden,
  session_stopped: forbidden,
  model_not_allowed: forbidden,
  backend_not_allowed: forbidden,
  group_not_allowed: forbidden,
  tier_required: forbidden,
  model_unpriced: forbidden,
  permission_denied: forbidden,
  model_not_found: missing,
  not_found: missing,
  response_not_found: missing,
  previous_response_not_found: missing,
  method_not_allowed: row(405, 'invalid_request_error', 'invalid_request_error', 'INVALID_ARGUMENT', 'invalid_request'),
  request_timeout: row(408, 'invalid_request_error', 'timeout_error', 'DEADLINE_EXCEEDED', 'timeout', true),
  state_conflict: conflict,
  agent_loop_detected: conflict,
  idempotency_answered: conflict,
  idempotency_in_progress: { ...conflict, retry: true },
  /** The response is kept by an upstream that this request does not reach (R3). */
  'responses.state_route_unavailable': conflict,
  request_too_large: row(413, 'invalid_request_error', 'request_too_large', 'INVALID_ARGUMENT', 'payload_too_large'),
  /** The client left; nobody reads this answer, but the log row tells it. */
  client_closed_request: row(
    499,
    'invalid_request_error',
    'invalid_request_error',
    'INVALID_ARGUMENT',
    'invalid_request',
  ),
  rate_limit_exceeded: limited,
  free_tier_daily_limit: { ...limited, retry: false },
  upstream_rate_limited: limited,
  internal_error: row(500, 'server_error', 'api_error', 'INTERNAL', 'server', true),
  no_backend_meets_policy: unavailable,
  upstream_unavailable: broken,
  upstream_auth_failed: broken,
  upstream_bad_response: broken,
  no_available_backend: unavailable,
  payment_failed: broken,
  outbound_overloaded: row(503, 'server_error', 'overloaded_error', 'UNAVAILABLE', 'provider_overloaded', true),
  store_unavailable: row(503, 'server_error', 'overloaded_error', 'UNAVAILABLE', 'provider_overloaded', true),
  shutting_down: row(503, 'server_error', 'overloaded_error', 'UNAVAILABLE', 'provider_overloaded', true),
  upstream_timeout: slow,
  streaming_timeout: slow,
} as const satisfies Record<string, ErrorClass>

export type ErrorCode = keyof typeof ERRORS

/** Why a model cannot be served, in OpenRouter's words (openrouter-api.md section 4). */
export interface Availability {
  readonly code:
    | 'no_endpoints'
    | 'constraint_filtered'
    | 'privacy_restricted'
    | 'region_restricted'
    | 'free_variant_ended'
    | 'model_unavailable_upstream'
  readonly excludedBy?: readonly string[]
  readonly constraint?: { readonly field: string; readonly detail: string }
}

export interface ErrorDetails {
  /** The client's field at fault, in its own spelling. */
  readonly param?: string
  readonly retryAfterSeconds?: number
  /** Overrides the table's status where an upstream's own status is kept (R11: client errors keep theirs). */
  readonly status?: number
  /** The models the request named, and the nearest ids that exist: `error.availability` under `/api/v1`. */
  readonly requestedModels?: readonly string[]
  readonly suggestions?: readonly string[]
  /** Says there more than the code does. */
  readonly availability?: Availability | undefined
  /** The provider's own type and code, which the envelope keeps for errors that the client caused (R11). */
  readonly upstream?: { readonly type?: string; readonly code?: string }
  /** For operators only: goes to the log row, never to a client. */
  readonly internal?: string
  /** The store may have kept what it could not confirm. */
  readonly mayBeKept?: true
  readonly cause?: unknown
}

/** A failure with a stable code. `message` is written for the client: no hosts, no secrets, no stack. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'GatewayError'
    this.code = code
    this.status = details.status ?? ERRORS[code].status
    this.details = details
  }
}

/** Any thrown value as a GatewayError; what we did not foresee is `internal_error` with a text that tells nothing. */
export function asGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  const internal = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  return new GatewayError('internal_error', 'The gateway failed to handle this request.', { cause: thrown, internal })
}
