import { createHmac } from 'node:crypto'
import { AccountCipher } from '#base/account-cipher.ts'

const FINGERPRINT_DIGITS = 16

/** Encrypts what is kept of an account's tool calls, and names rows and credentials so that nobody can read them. */
export class SealCipher {
  private readonly cipher: AccountCipher
  private readonly idKey: Buffer
  private readonly credentialKey: Buffer

  constructor(secret: string) {
    this.cipher = new AccountCipher(secret, 'seals')
    this.idKey = this.cipher.derive('ids')
    this.credentialKey = this.cipher.derive('credentials')
  }

  /** What an id is called in the store: ids of calls are written by models and clients, and need not be readable there. */
  rowIdOf(accountId: string, id: string): string {
    return createHmac('sha256', this.idKey).update(`${accountId}\n${id}`).digest('base64url')
  }

  /** See SealArchive. */
  fingerprintOf(credential: string): string {
    return createHmac('sha256', this.credentialKey).update(credential).digest('hex').slice(0, FINGERPRINT_DIGITS)
  }

  /** Base64 of nonce, tag and ciphertext. */
  encrypt(accountId: string, rowId: string, text: string): string {
    return this.cipher.encrypt(accountId, rowId, text)
  }

  /** Null for what was not encrypted here, for this place, with this secret. */
  decrypt(accountId: string, rowId: string, sealed: string): string | null {
    return this.cipher.decrypt(accountId, rowId, sealed)?.toString('utf8') ?? null
  }
}
