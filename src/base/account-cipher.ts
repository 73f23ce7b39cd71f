import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts what is kept of an account (AES-256-GCM). Every account has a key of its own, made from one secret and the name of
 * what is kept, and each text is bound to the account and the id that it stands under: a row that is moved to another place
 * cannot be opened there.
 */
export class AccountCipher {
  private readonly secret: string
  private readonly name: string

  /** `name` tells apart what is kept under one secret, `seals` for example; it is part of every key. */
  constructor(secret: string, name: string) {
    this.secret = secret
    this.name = name
  }

  /** Base64 of nonce, tag and ciphertext. */
  encrypt(accountId: string, rowId: string, plain: string | Buffer): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.keyOf(accountId), nonce).setAAD(placeOf(accountId, rowId))
    const first = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain)
    const body = Buffer.concat([first, cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
  }

  /** Null for what was not encrypted here, for this place, with this secret. */
  decrypt(accountId: string, rowId: string, sealed: string): Buffer | null {
    const bytes = Buffer.from(sealed, 'base64')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv(ALGORITHM, this.keyOf(accountId), nonce, options)
      .setAAD(placeOf(accountId, rowId))
      .setAuthTag(tag)
    try {
      const plain = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([plain, decipher.final()])
    } catch {
      return null
    }
  }

  /** A keyed digest in base64url: the same for the same bytes of an account, and nothing without the secret. */
  digestOf(accountId: string, bytes: Buffer): string {
    return createHmac('sha256', this.derive(`digest ${accountId}`))
      .update(bytes)
      .digest('base64url')
  }

  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.secret, '', `trivium ${this.name}: ${purpose}`, KEY_BYTES))
  }

  private keyOf(accountId: string): Buffer {
    return this.derive(`account ${accountId}`)
  }
}

const placeOf = (accountId: string, rowId: string): Buffer => Buffer.from(`${accountId}\n${rowId}`)
