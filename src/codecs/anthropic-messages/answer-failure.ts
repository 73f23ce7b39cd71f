import type { Failure } from '#codecs/codec.ts'

/** The API's types by status; a status that is not here is told by its hundred. Source: API reference, "Errors". */
const TYPES: ReadonlyMap<number, string> = new Map([
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [408, 'timeout_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [529, 'overloaded_error'],
])

/** A provider's own type stays where it is one of the API's vocabulary (R11). */
const OWN_TYPE = /^[a-z_]{1,40}_error$/

export interface ErrorBody {
  readonly type: 'error'
  readonly error: { readonly type: string; readonly message: string }
}

export function errorBody({ status, message, upstreamType }: Failure): ErrorBody {
  const byStatus = TYPES.get(status) ?? (status >= 400 && status < 500 ? 'invalid_request_error' : 'api_error')
  const type = upstreamType !== undefined && OWN_TYPE.test(upstreamType) ? upstreamType : byStatus
  return { type: 'error', error: { type, message } }
}

/** What an answer is that its model could not bring to an end: the API has no word for it but an error. */
export function brokenAnswer(raw: string | null): ErrorBody {
  const message = raw === null ? 'The model did not finish its answer.' : `The model's answer ended with ${raw}.`
  return { type: 'error', error: { type: 'api_error', message } }
}
