import { GatewayError } from '#base/errors.ts'
import type { Backend } from '#catalog/types.ts'
import type { Failure } from '#codecs/codec.ts'
import type { AttemptRecord } from '#observe/request-row.ts'

/** A failed call: what the client is told, and the attempts for the log row. */
export class UpstreamError extends GatewayError {
  readonly attempts: readonly AttemptRecord[]

  constructor(error: GatewayError, attempts: readonly AttemptRecord[]) {
    super(error.code, error.message, error.details)
    this.attempts = attempts
  }
}

/** Proxies in front of a backend name it in their own errors; where a backend lives is no business of a client (R11). */
export function withoutHost(message: string, backend: Backend): string {
  let text = message
  for (const url of [backend.apiUrl, ...Object.values(backend.protocolUrls ?? {})]) {
    const { host, hostname } = new URL(url)
    text = text.replaceAll(host, 'the backend').replaceAll(hostname, 'the backend')
  }
  return text
}

/** A stream broke after its first content: it can only be told to the client, not repaired. */
export class StreamBrokenError extends Error {
  readonly failure: Failure

  constructor(failure: Failure, cause?: Error) {
    super(failure.message, cause ? { cause } : undefined)
    this.failure = failure
  }
}
