import { createHash } from 'node:crypto'
import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Exchange } from './1-receive/exchange.ts'
import type { Parsed } from './3-parse/parse.ts'
import type { Gateway } from './gateway.ts'
import type { Kept, Leading } from './replays.ts'

/** The length that others allow as well. */
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 255
/** When another node is at it: about as long as an answer takes. */
const RETRY_AFTER_SECONDS = 5

/** Whether the request is told to be the same as others; one look-up, which is all that the rest pay. */
export const isKeyed = ({ request }: Exchange): boolean => request.headers['idempotency-key'] !== undefined

/**
 * One upstream call and one charge for all requests of an account with the same key (M5): the first is run, those beside it
 * wait and get its bytes, and so do later ones while they are kept. Gives the request that is to be run, or null when it
 * was answered here. Throws 400 idempotency_key_reused, 409 idempotency_answered and idempotency_in_progress.
 */
export async function claimKey(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
): Promise<Leading | null> {
  const key = checkKey(exchange.request.headers['idempotency-key'])
  const keyDigest = digest(key)
  const bodyDigest = digest(`${exchange.path} ${exchange.query}\n`, parsed.body)
  const accountId = caller.account.id
  const id = `${accountId} ${keyDigest}`
  for (let known = gateway.replays.get(id); known; known = gateway.replays.get(id)) {
    if (known.bodyDigest !== bodyDigest) throw reused()
    const kept = await known.answer
    if (kept) {
      replay(exchange, kept, known.requestId)
      return null
    }
    // It ended without an answer: the next one in line is run.
    if (gateway.replays.get(id) === known) break
  }
  const release = (): void => {
    const mine = { accountId, keyDigest, requestId: exchange.id }
    gateway.idempotency
      .release(mine)
      .catch((err: unknown) => gateway.log.error({ err }, 'an idempotency key stays taken'))
  }
  const leading = gateway.replays.begin(id, bodyDigest, exchange.id, release)
  try {
    const claim = await gateway.idempotency.claim({ accountId, keyDigest, bodyDigest, requestId: exchange.id })
    if (claim.kind === 'claimed') {
      leading.listen(exchange.response)
      // A client that lost its connection will ask again; until then the answer is made and kept.
      exchange.departure.ignore()
      return leading
    }
    if (claim.kind === 'mismatch') throw reused()
    if (claim.kind === 'answered') throw answered(claim.requestId)
    throw new GatewayError('idempotency_in_progress', `${claim.requestId} with this idempotency key is under way.`, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    })
  } catch (error) {
    leading.finish()
    throw error
  }
}

function replay({ id, response }: Exchange, { status, headers, body }: Kept, requestId: string): void {
  const own = { ...headers, 'x-request-id': id, 'idempotent-replayed': 'true', 'x-gateway-replay-of': requestId }
  response.writeHead(status, own)
  response.end(body)
}

function checkKey(key: string | string[] | undefined): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= IDEMPOTENCY_KEY_CHARACTERS_MAX) return key
  const message = `An idempotency key has 1 to ${IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.`
  throw new GatewayError('invalid_parameter', message, { param: 'idempotency-key' })
}

const reused = (): GatewayError =>
  new GatewayError('idempotency_key_reused', 'This idempotency key was used for another request.', {
    param: 'idempotency-key',
  })

const answered = (requestId: string): GatewayError =>
  new GatewayError(
    'idempotency_answered',
    `${requestId} with this idempotency key was answered and charged; its answer is no longer kept.`,
  )

function digest(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('base64url')
}
