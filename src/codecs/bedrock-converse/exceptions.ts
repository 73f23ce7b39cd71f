import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import { fieldsOf } from '#ir/counts.ts'

/**
 * The status that each of Bedrock's exceptions stands for, by its name in lower case. A model that fails is the provider's
 * fault and no client's, whatever 4xx AWS gives it: 424 for the model, 408 for its time.
 */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['accessdeniedexception', 403],
  ['conflictexception', 409],
  ['expiredtokenexception', 403],
  ['internalserverexception', 500],
  ['modelerrorexception', 502],
  ['modelnotreadyexception', 503],
  ['modelstreamerrorexception', 502],
  ['modeltimeoutexception', 504],
  ['resourcenotfoundexception', 404],
  ['servicequotaexceededexception', 429],
  ['serviceunavailableexception', 503],
  ['throttlingexception', 429],
  ['unrecognizedclientexception', 403],
  ['validationexception', 400],
])

/** An exception inside a stream: its name, and the payload that came with it. */
export function failureOfException(name: string, payload: unknown): Failure {
  const { originalStatusCode, originalMessage, message } = fieldsOf(payload)
  const known = STATUSES.get(name.toLowerCase())
  const status = isErrorStatus(originalStatusCode) ? originalStatusCode : (known ?? 502)
  const told = typeof message === 'string' && message !== '' ? payload : { message: originalMessage ?? name }
  return { ...failureOf(status, told), upstreamType: name }
}

/** What the model itself answered with, where Bedrock tells it. */
function isErrorStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status < 600
}

/** What came is no message of this protocol. */
export function unreadable(what: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message: `The upstream sent ${what}.` }
}

/** What is no JSON is told as it is. */
export function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return { message: text }
  }
}
