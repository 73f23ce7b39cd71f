import { GatewayError } from '#base/errors.ts'
import type { Backend } from '#catalog/types.ts'
import type { Exchange } from './1-receive/exchange.ts'

/** How many gateways of this kind a request has come through (B11). */
export const HOPS_HEADER = 'x-trivium-hops'

/** A request that has come through so many goes no further: two gateways may be each other's fallback. */
export const HOPS_MAX = 3

/** Throws 502 upstream_unavailable for a request that goes round in a circle, 400 for a number that is none. */
export function checkHops({ request }: Exchange): void {
  const value = request.headers[HOPS_HEADER]
  if (value === undefined) return
  if (typeof value !== 'string' || !/^\d{1,3}$/.test(value))
    throw new GatewayError('invalid_parameter', `${HOPS_HEADER} must be a number.`, { param: HOPS_HEADER })
  if (Number(value) < HOPS_MAX) return
  const message = `The request has come through ${HOPS_MAX} gateways; it seems that they are each other's backend.`
  throw new GatewayError('upstream_unavailable', message)
}

/** What a backend that may be such a gateway is told; vendors themselves are told nothing. */
export function hopHeaders({ type }: Backend, { request }: Exchange): readonly string[] {
  if (!type.endsWith('-compatible')) return NONE
  return [HOPS_HEADER, String(Number(request.headers[HOPS_HEADER] ?? 0) + 1)]
}

const NONE: readonly string[] = []
