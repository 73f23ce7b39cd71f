import { hash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const PREFIX = 'sk-tv-'
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_BYTES = 32
/** 62^43 > 2^256, and 62^6 > 2^32. */
const RANDOM_LENGTH = 43
const CHECKSUM_LENGTH = 6
const KEY_LENGTH = PREFIX.length + RANDOM_LENGTH + CHECKSUM_LENGTH
const SHAPE = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`)

/** A new key: `sk-tv-`, 256 random bits in base62, and a checksum of all before it. */
export function newKeyText(): string {
  const body = PREFIX + base62(BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`), RANDOM_LENGTH)
  return body + checksum(body)
}

/** Whether a text can be a key of ours at all. Typing errors and foreign keys never reach the store (R8). */
export function keyChecksumHolds(text: string): boolean {
  if (text.length !== KEY_LENGTH || !SHAPE.test(text)) return false
  const body = text.slice(0, -CHECKSUM_LENGTH)
  return text.endsWith(checksum(body))
}

/** What is stored of a key: SHA-256 of pepper and key, in hex. 256 random bits need no slow hash. */
export const keyDigest = (pepper: string, text: string): string => hash('sha256', pepper + text, 'hex')

/** For display: the first 8 and the last 4 characters. */
export const keyLabel = (text: string): string => `${text.slice(0, 8)}...${text.slice(-4)}`

/** 32 bits fit into a number, which is far cheaper than a bigint: every unknown key is checked. */
function checksum(body: string): string {
  let text = ''
  for (let rest = crc32(body), at = 0; at < CHECKSUM_LENGTH; at++) {
    text = ALPHABET[rest % 62] + text
    rest = Math.floor(rest / 62)
  }
  return text
}

function base62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value, at = 0; at < length; at++) {
    text = ALPHABET[Number(rest % 62n)] + text
    rest /= 62n
  }
  return text
}
