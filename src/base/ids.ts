import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_BYTES = 10
const TIME_LETTERS = 10
const pool = Buffer.alloc(RANDOM_BYTES * 256)
let cursor = pool.length

const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0))

let timeMs = -1
let timeText = ''

/** A ULID: 48 bits of milliseconds and 80 random bits, sortable by time. */
export function ulid(nowMs: number = Date.now()): string {
  if (nowMs !== timeMs) {
    timeMs = nowMs
    timeText = timeOf(nowMs)
  }
  if (cursor === pool.length) {
    randomFillSync(pool)
    cursor = 0
  }
  const at = cursor
  cursor += RANDOM_BYTES
  return timeText + lettersAt(at) + lettersAt(at + 5)
}

/** Five bytes are eight letters, made at once: a text put together from pieces is a tree that is made flat later. */
function lettersAt(at: number): string {
  const first = pool[at]!
  const second = pool[at + 1]!
  const third = pool[at + 2]!
  const fourth = pool[at + 3]!
  const fifth = pool[at + 4]!
  return String.fromCharCode(
    LETTERS[first >> 3]!,
    LETTERS[((first & 7) << 2) | (second >> 6)]!,
    LETTERS[(second >> 1) & 31]!,
    LETTERS[((second & 1) << 4) | (third >> 4)]!,
    LETTERS[((third & 15) << 1) | (fourth >> 7)]!,
    LETTERS[(fourth >> 2) & 31]!,
    LETTERS[((fourth & 3) << 3) | (fifth >> 5)]!,
    LETTERS[fifth & 31]!,
  )
}

function timeOf(nowMs: number): string {
  let text = ''
  for (let rest = nowMs, letter = 0; letter < TIME_LETTERS; letter++) {
    text = ALPHABET[rest % 32]! + text
    rest = Math.floor(rest / 32)
  }
  return text
}

/** `id('req')` -> `req_01J…`. */
export const id = (prefix: string): string => `${prefix}_${ulid()}`
