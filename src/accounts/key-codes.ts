import { hash, randomBytes } from 'node:crypto'
import type { Command } from '#store/command.ts'
import type { KeyCodeTable } from '#store/schema.ts'
import { run, statement } from '#store/statement.ts'
import type { Store } from '#store/store.ts'
import type { KeyCode, KeyCodes } from './types.ts'

/** Codes that an application exchanges for a key of the user who allowed it (OpenRouter's PKCE flow). */

/** From the user's consent to the exchange. */
export const CODE_TTL_MS = 600_000
const CODE_BYTES = 32

type CodeColumn = 'digest' | 'account' | 'wish' | 'challenge' | 'method' | 'expires'

const insertCode = statement<CodeColumn>()((db, param) =>
  db.insertInto('key_codes').values({
    digest: param('digest'),
    account_id: param('account'),
    wish: param('wish'),
    challenge: param('challenge'),
    challenge_method: param('method'),
    expires_ms: param('expires'),
  }),
)

const sweepCodes = statement<'now'>()((db, param) => db.deleteFrom('key_codes').where('expires_ms', '<=', param('now')))

const takeCode = statement<'digest'>()((db, param) =>
  db.deleteFrom('key_codes').where('digest', '=', param('digest')).returningAll(),
)

/** Stores a code, and drops those that nobody came for. */
export const saveKeyCode: Command<KeyCodeTable & { readonly nowMs: number }, void> = {
  *work({ digest, account_id: account, wish, challenge, challenge_method: method, expires_ms: expires, nowMs: now }) {
    yield* run(sweepCodes, { now })
    yield* run(insertCode, { digest, account, wish, challenge, method, expires })
  },
  accounts: () => [],
  repeatable: false,
}

/** The code's row, which is gone with it: a code counts once, also for two who come together. */
export const takeKeyCode: Command<{ readonly digest: string }, KeyCodeTable | undefined> = {
  *work({ digest }) {
    const { rows } = yield* run(takeCode, { digest })
    return rows[0]
  },
  accounts: () => [],
  repeatable: false,
}

/** Codes over a store. Only their digests are kept. */
export function createKeyCodes(store: Store): KeyCodes {
  return {
    async createCode({ accountId, wish, challenge, nowMs }) {
      const code = randomBytes(CODE_BYTES).toString('base64url')
      await store.execute('saveKeyCode', {
        digest: digestOf(code),
        account_id: accountId,
        wish: JSON.stringify(wish),
        challenge: challenge?.text ?? null,
        challenge_method: challenge?.method ?? null,
        expires_ms: nowMs + CODE_TTL_MS,
        nowMs,
      })
      return code
    },
    async takeCode(code, verifier, nowMs) {
      const row = await store.execute('takeKeyCode', { digest: digestOf(code) })
      if (!row || row.expires_ms <= nowMs || !provesIt(row, verifier)) return null
      return { accountId: row.account_id, wish: JSON.parse(row.wish) as KeyCode['wish'] }
    },
  }
}

const digestOf = (code: string): string => hash('sha256', code, 'hex')

/** RFC 7636: the verifier itself, or what its SHA-256 is in base64url. A code without a challenge needs none. */
function provesIt({ challenge, challenge_method: method }: KeyCodeTable, verifier: string | undefined): boolean {
  if (challenge === null) return true
  if (verifier === undefined) return false
  return (method === 'S256' ? hash('sha256', verifier, 'base64url') : verifier) === challenge
}
