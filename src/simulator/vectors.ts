import { createHash } from 'node:crypto'

export const DIMENSIONS_DEFAULT = 384
export const DIMENSIONS_MAX = 4096
const NUMBERS_PER_DIGEST = 8

/** A unit vector that depends on the text and the number of dimensions only, rounded to float32. */
export function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  for (let at = 0; at < dimensions; at += NUMBERS_PER_DIGEST) {
    const bytes = createHash('sha256').update(`${at}\n`).update(text).digest()
    for (let offset = 0; offset < NUMBERS_PER_DIGEST && at + offset < dimensions; offset++) {
      vector[at + offset] = bytes.readInt32LE(offset * 4) / 2 ** 31
    }
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((value) => value / length)
}
