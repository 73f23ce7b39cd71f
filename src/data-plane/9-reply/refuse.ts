import type { IncomingMessage } from 'node:http'
import type { GatewayError } from '#base/errors.ts'
import { encodeError } from '#codecs/errors.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { baseHeaders } from '#data-plane/head.ts'
import { JsonArrayFrames } from './json-array-frames.ts'
import { openRouterFailureEvents } from './openrouter-shape.ts'

/** Writes an error in the client's dialect. After the head went out there is no such way: the connection is cut. */
export function refuse(gateway: Gateway, exchange: Exchange, error: GatewayError): void {
  const { response } = exchange
  if (exchange.departure.gone || response.writableEnded) return
  exchange.keepAlive.stop()
  if (response.headersSent) {
    if (exchange.keepAlive.hasOpened) response.end(failureEventsOf(exchange, error))
    else response.destroy()
    return
  }
  // OpenRouter has no Gemini paths, whose errors tell their status in words of their own.
  const isOpenRouter = exchange.openRouter && exchange.dialect !== 'gemini'
  const encoded = encodeError(error, exchange.dialect, exchange.id, isOpenRouter)
  const headers: Record<string, string> = {
    ...baseHeaders(exchange),
    ...encoded.headers,
    'content-length': String(Buffer.byteLength(encoded.body)),
  }
  if (encoded.status === 405) headers['allow'] = 'POST'
  if (!exchange.request.complete && !isSmall(exchange.request)) headers['connection'] = 'close'
  response.writeHead(encoded.status, headers)
  response.end(encoded.body)
  gateway.log.debug({ requestId: exchange.id, status: encoded.status, code: error.code }, 'request refused')
}

/** The error of a stream that was kept alive before its first content. */
function failureEventsOf({ endpoint, openRouter, keepAlive }: Exchange, error: GatewayError): string {
  const { status, code, message } = error
  const failure = { status, code, message }
  const events = openRouter
    ? openRouterFailureEvents(endpoint.surface, failure)
    : PASSTHROUGH[endpoint.surface].failureEvents(failure)
  if (!keepAlive.isJsonArray) return events
  const frames = new JsonArrayFrames()
  return Buffer.concat([frames.elements(Buffer.from(events)), frames.end()]).toString('utf8')
}

/** An unread body up to this size is drained for the sake of the connection; a larger one is not worth its bytes (S16). */
export const DRAINED_BYTES_MAX = 64 * 1024

function isSmall(request: IncomingMessage): boolean {
  const declared = Number(request.headers['content-length'] ?? Number.NaN)
  return declared <= DRAINED_BYTES_MAX
}
