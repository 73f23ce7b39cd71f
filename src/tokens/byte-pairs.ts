/** Pieces longer than this are cut: merging takes quadratic time, and nothing a person writes is this long without a break. */
const PIECE_BYTES_MAX = 128

const NOT_ASCII = /[^\0-\x7f]/
/** No pair of these two merges. */
const NEVER = 2 ** 31

/**
 * Byte pair encoding, for counting alone: how many tokens a text has, without making them. The same algorithm as tiktoken's
 * (https://github.com/openai/tiktoken) but for pieces beyond 128 bytes, where it may be off by one token per cut. Special
 * tokens are ordinary text here, as they are in a prompt.
 */
export class BytePairs {
  private readonly ranks: ReadonlyMap<string, number>
  private readonly pattern: RegExp

  /** `ranks`: the bytes of each token, one character per byte (latin1), with its rank. `pattern`: global; its matches are the pieces. */
  constructor(ranks: ReadonlyMap<string, number>, pattern: RegExp) {
    this.ranks = ranks
    this.pattern = pattern
  }

  count(text: string): number {
    let tokens = 0
    for (const piece of text.match(this.pattern) ?? []) {
      const bytes = NOT_ASCII.test(piece) ? Buffer.from(piece).toString('latin1') : piece
      if (this.ranks.has(bytes)) tokens++
      else
        for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX)
          tokens += this.merge(bytes.slice(at, at + PIECE_BYTES_MAX))
    }
    return tokens
  }

  /** Tokens of one piece: the pair of lowest rank becomes one until no pair is a token. */
  private merge(bytes: string): number {
    const starts: number[] = []
    const ranks: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      starts.push(at)
      ranks.push(this.rankOf(bytes, at, at + 2))
    }
    starts.push(bytes.length)
    for (;;) {
      let lowest = NEVER
      let at = -1
      for (let index = 0; index < ranks.length - 1; index++) {
        if (ranks[index]! >= lowest) continue
        lowest = ranks[index]!
        at = index
      }
      if (at < 0) return ranks.length
      starts.splice(at + 1, 1)
      ranks.splice(at + 1, 1)
      ranks[at] = this.pairAt(bytes, starts, at)
      if (at > 0) ranks[at - 1] = this.pairAt(bytes, starts, at - 1)
    }
  }

  /** Rank of what part `index` and the one behind it would be together. */
  private pairAt(bytes: string, starts: readonly number[], index: number): number {
    const end = starts[index + 2]
    return end === undefined ? NEVER : this.rankOf(bytes, starts[index]!, end)
  }

  private rankOf(bytes: string, start: number, end: number): number {
    return this.ranks.get(bytes.slice(start, end)) ?? NEVER
  }
}
