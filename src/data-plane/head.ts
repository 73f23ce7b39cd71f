import type { Exchange } from './1-receive/exchange.ts'

/** Headers that every answer of the data plane carries (R12, attack S33). */
export function baseHeaders(exchange: Exchange): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': exchange.id,
    'cache-control': 'private, no-store',
    // Said also where no page is let in, so that who asks by which way costs nothing here.
    vary: 'Authorization, Origin',
  }
  // Each SDK reads the id from its own vendor's header.
  if (exchange.dialect === 'anthropic') headers['request-id'] = exchange.id
  if (exchange.openRouter) headers['x-generation-id'] = exchange.id
  if (exchange.limitHeaders) Object.assign(headers, exchange.limitHeaders)
  return headers
}

/** The head of every streamed answer; `asJsonArray` is Gemini's other form of a stream. */
export function streamHeaders(exchange: Exchange, asJsonArray: boolean): Record<string, string> {
  const headers = baseHeaders(exchange)
  headers['content-type'] = asJsonArray ? 'application/json' : 'text/event-stream; charset=utf-8'
  headers['cache-control'] = 'no-cache'
  headers['x-accel-buffering'] = 'no'
  return headers
}
