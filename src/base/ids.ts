import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const RANDOM_BYTES = 10
const pool = Buffer.alloc(RANDOM_BYTES * 256)
let cursor = pool.length

/** A ULID: 48 bits of milliseconds and 80 random bits, sortable by time. */
export function ulid(nowMs: number = Date.now()): string {
  if (cursor === pool.length) {
    randomFillSync(pool)
    cursor = 0
  }
  let time = ''
  for (let rest = nowMs, digit = 0; digit < 10; digit++) {
    time = ALPHABET[rest % 32] + time
    rest = Math.floor(rest / 32)
  }
  let random = ''
  for (let group = 0; group < RANDOM_BYTES; group += 5) {
    const at = cursor + group
    const high = pool.readUInt16BE(at) * 16 + (pool[at + 2]! >> 4)
    const low = (pool[at + 2]! & 15) * 65536 + pool.readUInt16BE(at + 3)
    for (const part of [high, low]) {
      for (let shift = 15; shift >= 0; shift -= 5) random += ALPHABET[(part >> shift) & 31]
    }
  }
  cursor += RANDOM_BYTES
  return time + random
}

/** `id('req')` -> `req_01J…`. */
export const id = (prefix: string): string => `${prefix}_${ulid()}`
