import type { Failure } from './codec.ts'

/**
 * Upstream error bodies in every shape the field has: an `error` object or string, no `error` at all, a `message` that is
 * an object, a JSON array, HTML, plain text, nothing. What is found is told to the client in its own envelope; the body
 * itself never passes through (design.md section 4).
 */

/** Longest message that is told on. */
export const FAILURE_MESSAGE_CHARACTERS_MAX = 2000

const SECRETS =
  /(?:\b(?:c?sk-|gsk_|xai-|nvapi-|pplx-|hf_|r8_|fw_|tgp_|AIza|AQ\.|ya29\.|AKIA|eyJ)|\b[Bb]earer\s+)[A-Za-z0-9_\-.~+/=]{16,}/g

/** Reads an error body. `status` is the upstream's. */
export function readFailure(status: number, contentType: string, body: Buffer): Failure {
  const text = body.toString('utf8').trim()
  const parsed = text.startsWith('{') || text.startsWith('[') ? parseLeniently(text) : undefined
  if (parsed !== undefined) return failureOf(status, parsed)
  if (text === '' || contentType.includes('html') || /^<(?:!doctype|html)/i.test(text))
    return plain(status, `The upstream answered ${status}.`)
  return plain(status, text)
}

/** Reads an error that is already a value: an error event, or the `error` member of a 200. */
export function failureOf(status: number, value: unknown): Failure {
  const outer = asRecord(Array.isArray(value) ? value[0] : value)
  const error = outer['error'] ?? outer['errors'] ?? outer
  const fallback = `The upstream answered ${status}.`
  if (typeof error === 'string') {
    const told = messageOf(outer['message']) ?? messageOf(error) ?? fallback
    return withCodes(plain(statusOf(status, outer), told), outer['type'], outer['code'])
  }
  const inner = asRecord(Array.isArray(error) ? error[0] : error)
  const message =
    messageOf(inner['message']) ?? messageOf(inner['detail']) ?? messageOf(inner['Message']) ?? messageOf(inner['msg'])
  const failure = plain(statusOf(status, inner), message ?? messageOf(outer['message']) ?? messageOf(inner) ?? fallback)
  return withCodes(failure, inner['type'] ?? inner['status'], inner['code'])
}

/** Removes whatever looks like a credential, and bounds the length. */
export function scrub(message: string): string {
  const clean = message.replace(SECRETS, '[redacted]')
  return clean.length > FAILURE_MESSAGE_CHARACTERS_MAX ? `${clean.slice(0, FAILURE_MESSAGE_CHARACTERS_MAX)}…` : clean
}

function plain(status: number, message: string): Failure {
  return { status, message: scrub(message), code: 'upstream_error' }
}

function withCodes(failure: Failure, type: unknown, code: unknown): Failure {
  return {
    ...failure,
    ...(typeof type === 'string' && type !== '' ? { upstreamType: type } : {}),
    ...(typeof code === 'string' && code !== '' ? { upstreamCode: code } : {}),
    ...(typeof code === 'number' ? { upstreamCode: String(code) } : {}),
  }
}

/** A 200 with an error inside often names the status it meant. */
function statusOf(status: number, error: Readonly<Record<string, unknown>>): number {
  if (status >= 400) return status
  const told = Number(error['code'] ?? error['status_code'] ?? error['status'])
  if (Number.isInteger(told) && told >= 400 && told < 600) return told
  // OpenAI's type of a rate limit is `tokens` or `error`, and only its code tells: each of the three may.
  for (const name of [error['type'], error['status'], error['code']]) {
    const known = STATUS_OF_TYPE.get(String(name))
    if (known !== undefined) return known
  }
  return 502
}

const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map(
  Object.entries({
    invalid_request_error: 400,
    INVALID_ARGUMENT: 400,
    invalid_prompt: 400,
    authentication_error: 401,
    UNAUTHENTICATED: 401,
    permission_error: 403,
    PERMISSION_DENIED: 403,
    not_found_error: 404,
    NOT_FOUND: 404,
    rate_limit_error: 429,
    rate_limit_exceeded: 429,
    RESOURCE_EXHAUSTED: 429,
    api_error: 500,
    server_error: 500,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    overloaded_error: 529,
  }),
)

function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The text of a message that may be a string, or an object or list that holds strings (Mistral's 422). */
function messageOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  if (value === null || typeof value !== 'object') return undefined
  const text = JSON.stringify(value)
  return text === '{}' || text === '[]' ? undefined : text
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {}
}
