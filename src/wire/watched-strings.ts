import { indexAt } from './bytes-at.ts'

/** Strings to be counted wherever they stand, as keys or as values. They match by their bytes: none is written with an escape. */
export class WatchedStrings {
  readonly counts: Uint32Array
  /** Where the last of each begins, behind its quote; says nothing where the count is 0. */
  readonly lastAt: Uint32Array
  /** One bit per length that one of them has. */
  readonly lengths: number
  private readonly strings: readonly Buffer[]

  constructor(strings: readonly string[]) {
    this.strings = strings.map((string) => Buffer.from(string))
    this.lengths = lengthBits(this.strings)
    this.counts = new Uint32Array(strings.length)
    this.lastAt = new Uint32Array(strings.length)
  }

  /** The string between the quotes at `from - 1` and `to`. */
  count(bytes: Uint8Array, from: number, to: number): void {
    const index = indexAt(this.strings, bytes, from, to)
    if (index < 0) return
    this.counts[index]!++
    this.lastAt[index] = from
  }
}

/** All longer strings share a bit. */
const LENGTH_BIT_MAX = 31

/** A set of lengths, one bit for each. */
export const lengthBits = (strings: readonly Buffer[]): number =>
  strings.reduce((bits, { length }) => bits | (1 << Math.min(length, LENGTH_BIT_MAX)), 0)

export const hasLength = (bits: number, length: number): boolean =>
  ((bits >>> Math.min(length, LENGTH_BIT_MAX)) & 1) === 1

export const NOTHING_WATCHED = new WatchedStrings([])
