import { hash, randomBytes } from 'node:crypto'
import { GatewayError } from '#base/errors.ts'
import { id as newId } from '#base/ids.ts'
import type { NanoUsd } from '#base/money.ts'
import type { VoucherTable } from '#store/billing-schema.ts'
import { checkLimit } from '#store/reads.ts'
import { AMOUNT_NANO_MAX } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'

/** Vouchers of one call. */
export const VOUCHERS_AT_ONCE_MAX = 100

/** Crockford's alphabet: no letter that people take for a digit. 20 of them are 100 bits, so that nobody guesses one. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LETTERS = 20
const GROUP = 5
const SHAPE = new RegExp(`^TV[${ALPHABET}]{${LETTERS}}$`)

export interface Voucher {
  readonly id: string
  readonly amountNano: NanoUsd
  readonly note: string | null
  readonly actor: string
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
  readonly redeemedBy: string | null
  readonly redeemedMs: number | null
}

export interface Vouchers {
  /** `code` is shown once and stored nowhere. Throws GatewayError('invalid_parameter'). */
  create(wish: {
    amountNano: NanoUsd
    count: number
    note: string | null
    expiresMs: number | null
    actor: string
  }): Promise<readonly { voucher: Voucher; code: string }[]>
  /** Newest first. */
  list(page: { limit: number; cursor?: string | undefined }): Promise<{ data: Voucher[]; nextCursor: string | null }>
  /** Throws GatewayError('not_found') when it does not exist or cannot be redeemed any more. */
  revoke(id: string): Promise<void>
  /** Credits the account. Throws GatewayError('voucher_invalid'), the same for unknown, used, revoked and expired codes. */
  redeem(
    code: string,
    accountId: string,
    actor: string,
  ): Promise<{ id: string; amountNano: NanoUsd; balanceNano: NanoUsd }>
}

/** Vouchers over a store (R95). What is stored of a code is a digest with the pepper of the keys. */
export function createVouchers(
  store: Store,
  pepper: string,
  now: () => number,
  onPurchase: (accountId: string) => void,
): Vouchers {
  return {
    async create({ amountNano, count, note, expiresMs, actor }) {
      checkAmount(amountNano)
      if (expiresMs !== null && expiresMs <= now()) throw invalid('expires_at', 'A voucher must expire in the future.')
      if (count < 1 || count > VOUCHERS_AT_ONCE_MAX) {
        throw invalid('count', `At most ${VOUCHERS_AT_ONCE_MAX} vouchers are made at once.`)
      }
      const made = Array.from({ length: count }, () => {
        const code = newCode()
        const row = { id: newId('vou'), code_hash: digestOf(pepper, code), amount_nano: amountNano, note, actor }
        return { code, row: { ...row, created_ms: now(), expires_ms: expiresMs } }
      })
      await store.execute(
        'createVouchers',
        made.map(({ row }) => row),
      )
      return made.map(({ code, row }) => ({
        code,
        voucher: voucherOf({ ...row, revoked_ms: null, redeemed_by: null, redeemed_ms: null }),
      }))
    },
    async list({ limit, cursor }) {
      let rows = store.read.selectFrom('vouchers').selectAll()
      if (cursor !== undefined) rows = rows.where('id', '<', cursor)
      const found = await rows
        .orderBy('id', 'desc')
        .limit(checkLimit(limit) + 1)
        .execute()
      const data = found.slice(0, limit).map(voucherOf)
      return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
    },
    async revoke(id) {
      if (await store.execute('revokeVoucher', { id, nowMs: now() })) return
      throw new GatewayError('not_found', 'There is no such voucher that could still be redeemed.')
    },
    async redeem(code, accountId, actor) {
      const text = normalise(code)
      // What cannot be a code costs no look-up.
      const codeHash = SHAPE.test(text) ? digestOf(pepper, text) : null
      const done = codeHash && (await store.execute('redeemVoucher', { codeHash, accountId, actor, nowMs: now() }))
      if (done) {
        onPurchase(accountId)
        return done
      }
      throw new GatewayError('voucher_invalid', 'This code is not valid, or it was used before.', { param: 'code' })
    },
  }
}

/** `TV-XXXXX-XXXXX-XXXXX-XXXXX`. */
function newCode(): string {
  const letters = Array.from(randomBytes(LETTERS), (byte) => ALPHABET[byte & 31]!).join('')
  return `TV-${letters.match(new RegExp(`.{${GROUP}}`, 'g'))!.join('-')}`
}

/** As people type it: small letters, no or other separators, O for 0 and I or L for 1. */
function normalise(code: string): string {
  const text = code.toUpperCase().replaceAll(/[^0-9A-Z]/g, '')
  return text.slice(0, 2) + text.slice(2).replaceAll('O', '0').replaceAll(/[IL]/g, '1')
}

const digestOf = (pepper: string, code: string): string => hash('sha256', `${pepper}voucher:${normalise(code)}`, 'hex')

function voucherOf(row: VoucherTable): Voucher {
  return {
    id: row.id,
    amountNano: row.amount_nano,
    note: row.note,
    actor: row.actor,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
    redeemedBy: row.redeemed_by,
    redeemedMs: row.redeemed_ms,
  }
}

function checkAmount(amountNano: NanoUsd): void {
  if (amountNano > 0n && amountNano <= AMOUNT_NANO_MAX) return
  throw invalid('amount', 'A voucher is worth more than 0 and at most a billion USD.')
}

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
