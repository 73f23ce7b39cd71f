import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_BYTES = 10
const pool = Buffer.alloc(RANDOM_BYTES * 256)
let cursor = pool.length

/** Two letters for every ten bits: an id is put together from pairs, which halves the work. */
const PAIRS = Array.from({ length: 1024 }, (_, bits) => ALPHABET[bits >> 5]! + ALPHABET[bits & 31]!)

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
  let text = timeText
  // Five bytes are four pairs.
  for (const end = cursor + RANDOM_BYTES; cursor < end; cursor += 5) {
    const first = pool[cursor]!
    const second = pool[cursor + 1]!
    const third = pool[cursor + 2]!
    const fourth = pool[cursor + 3]!
    text +=
      PAIRS[(first << 2) | (second >> 6)]! +
      PAIRS[((second & 63) << 4) | (third >> 4)]! +
      PAIRS[((third & 15) << 6) | (fourth >> 2)]! +
      PAIRS[((fourth & 3) << 8) | pool[cursor + 4]!]!
  }
  return text
}

function timeOf(nowMs: number): string {
  let text = ''
  for (let rest = nowMs, pair = 0; pair < 5; pair++) {
    text = PAIRS[rest % 1024]! + text
    rest = Math.floor(rest / 1024)
  }
  return text
}

/** `id('req')` -> `req_01J…`. */
export const id = (prefix: string): string => `${prefix}_${ulid()}`
