import type { Caller } from '#accounts/types.ts'
import { mayComeFrom } from '#base/addresses.ts'
import { ACCEPTED_HEADERS, readCredential } from '#base/credential.ts'
import { GatewayError } from '#base/errors.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Gateway } from '#data-plane/gateway.ts'

/**
 * Who calls. Runs before the body is read, so that a stranger costs neither memory nor parsing. The same keys work on every
 * surface (R14). A warm key answers at once. Throws 400 api_key_in_query, 401, 403, 503 store_unavailable.
 */
export function authenticate(gateway: Gateway, exchange: Exchange): Caller | Promise<Caller> {
  if (exchange.method !== 'POST') {
    throw new GatewayError('method_not_allowed', `${exchange.path} takes POST, not ${exchange.method}.`)
  }
  if (gateway.localCaller) return gateway.localCaller
  const queryKey = exchange.query.includes('key=') ? new URLSearchParams(exchange.query).get('key') : null
  const isGemini = exchange.endpoint.surface === 'gemini'
  if (queryKey && !isGemini) {
    const message = `A key in the query would end up in access logs; send it as ${ACCEPTED_HEADERS}.`
    throw new GatewayError('api_key_in_query', message, { param: 'key' })
  }
  const credential = readCredential(exchange.request.headers, { queryKey: queryKey ?? undefined })
  if (!credential) throw new GatewayError('api_key_required', `No API key was sent; send it as ${ACCEPTED_HEADERS}.`)
  const found = gateway.keyRing.find(credential.text, exchange.startedMs, exchange.request.socket)
  if (found instanceof Promise) return found.then((caller) => checkUse(caller, exchange))
  return checkUse(found, exchange)
}

/**
 * The caller once more, past what is kept of the key: a top-up at another node may have changed the account's tier (R22).
 * Throws like `authenticate`; null where there is nothing to read again.
 */
export async function authenticateAnew(gateway: Gateway, exchange: Exchange): Promise<Caller | null> {
  if (gateway.localCaller) return null
  const queryKey = new URLSearchParams(exchange.query).get('key') ?? undefined
  const credential = readCredential(exchange.request.headers, { queryKey })
  return credential && checkUse(await gateway.keyRing.findFresh(credential.text, exchange.startedMs), exchange)
}

function checkUse(caller: Caller, exchange: Exchange): Caller {
  if (caller.key?.kind === 'management') {
    throw new GatewayError(
      'permission_denied',
      'A management key cannot run inference; use an inference key of the account.',
    )
  }
  const policy = caller.key?.policy
  if (policy && !mayComeFrom(policy, exchange.request.socket.remoteAddress)) {
    throw new GatewayError('permission_denied', 'This API key may not be used from this address.')
  }
  return caller
}
