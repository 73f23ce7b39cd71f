import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Exchange } from './1-receive/exchange.ts'
import { authenticateAnew } from './2-authenticate/authenticate.ts'
import type { Parsed } from './3-parse/parse.ts'
import type { Gateway } from './gateway.ts'
import { resolve } from './4-resolve/resolve.ts'
import type { Selection } from './4-resolve/selection.ts'

/**
 * Resolves, and does so once more when the account's tier is too low: a top-up at another node may have raised it since the key
 * was read (R22). Then the caller of `seen` is the fresh one.
 */
export function resolveInTier(
  gateway: Gateway,
  seen: { caller?: Caller | undefined },
  parsed: Parsed,
  exchange: Exchange,
): Selection | Promise<Selection> {
  try {
    return resolve(gateway, seen.caller!, parsed, exchange)
  } catch (refusal) {
    if (!(refusal instanceof GatewayError) || refusal.code !== 'tier_required') throw refusal
    return resolveAgain(gateway, seen, parsed, exchange, refusal)
  }
}

async function resolveAgain(
  gateway: Gateway,
  seen: { caller?: Caller | undefined },
  parsed: Parsed,
  exchange: Exchange,
  refusal: GatewayError,
): Promise<Selection> {
  const fresh = await authenticateAnew(gateway, exchange)
  if (!fresh || fresh.account.tier === seen.caller!.account.tier) throw refusal
  seen.caller = fresh
  return resolve(gateway, fresh, parsed, exchange)
}
