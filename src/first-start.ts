import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { ensureSecret, hasSecret } from '#accounts/secrets.ts'
import { type Keys, OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'

/** What the very first start makes for its operator, shown once. */

export interface MasterKey {
  readonly value: string
  /** Made by this data folder and never shown before. */
  readonly fresh: boolean
  /** Call once it was shown: a start that fails before keeps it fresh. */
  markShown(): void
}

const SECRETS_FILE = 'secrets.json'
const SHOWN = 'master_key_shown'
const MASTER_KEY_BYTES = 24

/** The configured master key, else one that is made once and kept in the data folder (R111). */
export function masterKeyOf(settings: { masterKey: string | null; dataDir: string }): MasterKey {
  if (settings.masterKey !== null) return { value: settings.masterKey, fresh: false, markShown() {} }
  const file = join(settings.dataDir, SECRETS_FILE)
  const value = ensureSecret(file, 'master_key', () => `mk-${randomBytes(MASTER_KEY_BYTES).toString('base64url')}`)
  const markShown = () => void ensureSecret(file, SHOWN, () => new Date().toISOString())
  return { value, fresh: !hasSecret(file, SHOWN), markShown }
}

/** One key of the operator's own account, so that the first request needs no second command; null once there is any key. */
export async function createFirstKey(keys: Keys): Promise<string | null> {
  const existing = await keys.list({ limit: 1, offset: 0, includeDisabled: true })
  if (existing.length > 0) return null
  return (await keys.create({ name: 'first key', accountId: OPERATOR_ACCOUNT_ID })).plaintext
}
