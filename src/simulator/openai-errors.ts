import type { Fields, Refusal } from './fields.ts'

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
}
const CODES: Readonly<Record<number, string>> = { 401: 'invalid_api_key', 429: 'rate_limit_exceeded' }

/** The error body that Chat Completions, Responses and Embeddings share. */
export function refuseOpenAi(refusal: Refusal): Fields {
  const { status, message, param } = refusal
  const type = TYPES[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error')
  return { error: { message, type, param, code: refusal.code ?? CODES[status] ?? null } }
}
