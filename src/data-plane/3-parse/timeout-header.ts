import { GatewayError } from '#base/errors.ts'

/** The header by which a client waits less long than the operator allows (R76). */
export const TIMEOUT_HEADER = 'x-gateway-timeout-ms'
/** A longer wait than this is nobody's: the configured limits are far below. */
export const TIMEOUT_MS_MAX = 86_400_000

/** Milliseconds; null when the header is absent. Throws GatewayError 400 for anything but a whole number from 1. */
export function readTimeoutHeader(value: string | string[] | undefined): number | null {
  if (value === undefined) return null
  const timeoutMs = typeof value === 'string' && /^\d{1,8}$/.test(value) ? Number(value) : 0
  if (timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX) return timeoutMs
  const message = `The header ${TIMEOUT_HEADER} must be a whole number of milliseconds from 1 to ${TIMEOUT_MS_MAX}.`
  throw new GatewayError('invalid_parameter', message, { param: TIMEOUT_HEADER })
}
