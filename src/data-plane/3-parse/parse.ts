import type { Operation, Surface } from '#base/protocols.ts'
import { GatewayError } from '#base/errors.ts'
import type { RequestFacts } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import { isUtf8 } from 'node:buffer'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import { readTimeoutHeader } from './timeout-header.ts'
import { readWishes, type RoutingWishes } from './routing-wishes.ts'
import type { Gateway } from '#data-plane/gateway.ts'

/** What the client asks for, as far as the gateway must understand it. The body stays as it came. */
export interface Parsed {
  readonly surface: Surface
  readonly operation: Operation
  /** The model as written; empty where none is: the operator may have said what that means (R42). */
  readonly model: string
  readonly stream: boolean
  /** A Gemini stream without `alt=sse` is one JSON array (R6). */
  readonly asJsonArray: boolean
  /** Whether the answer is to say all that was lost on the way (B2). */
  readonly reportsLosses: boolean
  /** How long the client wants to wait at most (R76); null: as long as the operator allows. */
  readonly timeoutMs: number | null
  readonly body: Buffer
  readonly facts: RequestFacts
  /** What the body says about routing; null when it says nothing. */
  readonly wishes: RoutingWishes | null
}

/** Reads and checks the body and what goes with it. Throws 400, 408, 413, 415. */
export function parse(gateway: Gateway, exchange: Exchange): Promise<Parsed> {
  const { limits } = gateway.settings
  const reportsLosses = readReportHeader(exchange.request.headers['x-gateway-report'])
  const timeoutMs = readTimeoutHeader(exchange.request.headers['x-gateway-timeout-ms'])
  const said = { reportsLosses, timeoutMs }
  return exchange.readBody(limits.bodyBytesMax).then((body) => parseBody(exchange, body, limits.jsonDepthMax, said))
}

/** What a path says of the request behind it. */
export type Addressed = Pick<Exchange, 'endpoint' | 'pathModel' | 'query'>

/** As `parse`, for a body that is there. Throws 400. */
export function parseBody(
  { endpoint, pathModel, query }: Addressed,
  body: Buffer,
  jsonDepthMax: number,
  said: Pick<Parsed, 'reportsLosses' | 'timeoutMs'>,
): Parsed {
  if (body.length === 0) throw new GatewayError('invalid_json', 'The body is empty; a JSON object is expected.')
  if (!isUtf8(body)) throw new GatewayError('invalid_json', 'The body is not valid UTF-8.')
  const facts = PASSTHROUGH[endpoint.surface].readRequest(body, jsonDepthMax)
  const model = pathModel ?? facts.model ?? ''
  const isGeminiStream = endpoint.action === 'streamGenerateContent'
  return {
    surface: endpoint.surface,
    operation: endpoint.operation,
    model,
    stream: isGeminiStream || (facts.stream && endpoint.operation === 'generate'),
    asJsonArray: isGeminiStream && new URLSearchParams(query).get('alt') !== 'sse',
    ...said,
    body,
    facts,
    wishes: facts.namesRouting ? readWishes(body, jsonDepthMax) : null,
  }
}

/** A value that nobody knows would be a report that nobody sends. */
function readReportHeader(value: string | string[] | undefined): boolean {
  if (value === undefined) return false
  if (value === 'full') return true
  throw new GatewayError('invalid_parameter', "The header x-gateway-report can only be 'full'.", {
    param: 'x-gateway-report',
  })
}
