import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { LimitAnswer } from '#limits/rate-limits.ts'

/**
 * The limits of the client's address (R78), before its key is looked at: guessing keys is limited too. Null where addresses
 * are not limited. Throws 429 rate_limit_exceeded.
 */
export function admitAddress(gateway: Gateway, exchange: Exchange): LimitAnswer | null | Promise<LimitAnswer> {
  if (gateway.settings.rateLimits.ip === null) return null
  const ip = exchange.request.socket.remoteAddress ?? null
  const answer = gateway.limits.admitAddress(ip, exchange.dialect === 'anthropic')
  if (answer === null) return null
  const tell = (told: LimitAnswer): LimitAnswer => {
    exchange.limitHeaders = told.headers
    if (told.error) throw told.error
    return told
  }
  return answer instanceof Promise ? answer.then(tell) : tell(answer)
}
