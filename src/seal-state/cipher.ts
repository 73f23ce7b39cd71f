import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const FINGERPRINT_DIGITS = 16

/**
 * Encrypts what is kept of an account. Every account has a key of its own, made from one secret, and each text is bound to
 * the account and the id that it stands under: a row that is moved to another place cannot be opened there.
 */
export class SealCipher {
  private readonly secret: string
  private readonly idKey: Buffer
  private readonly credentialKey: Buffer

  constructor(secret: string) {
    this.secret = secret
    this.idKey = this.derive('ids')
    this.credentialKey = this.derive('credentials')
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
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.keyOf(accountId), nonce).setAAD(placeOf(accountId, rowId))
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  /** Null for what was not encrypted here, for this place, with this secret. */
  decrypt(accountId: string, rowId: string, sealed: string): string | null {
    const bytes = Buffer.from(sealed, 'base64')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv(ALGORITHM, this.keyOf(accountId), nonce, options)
      .setAAD(placeOf(accountId, rowId))
      .setAuthTag(tag)
    try {
      const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch {
      return null
    }
  }

  private keyOf(accountId: string): Buffer {
    return this.derive(`account ${accountId}`)
  }

  private derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, '', `trivium seals: ${purpose}`, KEY_BYTES))
  }
}

const placeOf = (accountId: string, rowId: string): Buffer => Buffer.from(`${accountId}\n${rowId}`)
