import { indexAt } from './bytes-at.ts'
import { CLOSE_OBJECT, COLON, COMMA, DEPTH_MAX, OPEN_OBJECT, QUOTE, skipSpace, skipValue } from './json-skip.ts'
import { hasLength, lengthBits } from './watched-strings.ts'

const BACKSLASH = 0x5c
const ZERO = 0x30
const LETTER_N = 0x6e
const NULL_LENGTH = 4
/** Fifteen digits are a safe integer whatever they are. */
const DIGITS_MAX = 15

/** The members that are looked for in one object. */
class Members {
  readonly keys: Buffer[] = []
  /** Where the count of each key goes; -1: it is an object with members of its own. */
  readonly targets: number[] = []
  readonly inner: (Members | null)[] = []
  /** Where the counts of this object and of those in it go. */
  readonly all: number[] = []
  lengths = 0

  add(path: string, target: number): void {
    this.all.push(target)
    const point = path.indexOf('.')
    const key = Buffer.from(point < 0 ? path : path.slice(0, point))
    let index = this.keys.findIndex((one) => one.equals(key))
    if (index < 0) {
      index = this.keys.push(key) - 1
      this.targets.push(point < 0 ? target : -1)
      this.inner.push(point < 0 ? null : new Members())
      this.lengths = lengthBits(this.keys)
    }
    this.inner[index]?.add(path.slice(point + 1), target)
  }
}

/**
 * Reads counts out of the JSON of an object, by name, and by `outer.inner` those of an object in it, without building either: under
 * load, the ten numbers of a usage report take about half of what JSON.parse takes for them. One instance is reused for many texts.
 */
export class CountScan {
  /** What the last `read` found, in the order of the names; -1 for a member that is absent or null. */
  readonly counts: Float64Array
  private readonly root = new Members()

  constructor(names: readonly string[]) {
    this.counts = new Float64Array(names.length)
    for (const [index, name] of names.entries()) this.root.add(name, index)
  }

  /**
   * Reads the object that starts at `open` and whose JSON is known to be valid. False when a named member is neither a plain whole number nor
   * null, or a key is written with an escape: then JSON.parse has to tell.
   */
  read(bytes: Uint8Array, open: number): boolean {
    this.counts.fill(-1)
    return this.readMembers(bytes, open, this.root) >= 0
  }

  /** Offset behind the object, or -1. */
  private readMembers(bytes: Uint8Array, open: number, members: Members): number {
    const limit = bytes.length
    let at = skipSpace(bytes, open + 1, limit)
    if (bytes[at] === CLOSE_OBJECT) return at + 1
    for (;;) {
      const from = at + 1
      let to = from
      while (bytes[to] !== QUOTE) if (to >= limit || bytes[to++] === BACKSLASH) return -1
      const index = hasLength(members.lengths, to - from) ? indexAt(members.keys, bytes, from, to) : -1
      at = skipSpace(bytes, to + 1, limit)
      if (bytes[at] !== COLON) return -1
      at = skipSpace(bytes, at + 1, limit)
      at = index < 0 ? skipValue(bytes, at, limit, DEPTH_MAX) : this.readNamed(bytes, at, members, index)
      if (at < 0) return -1
      at = skipSpace(bytes, at, limit)
      if (bytes[at] === CLOSE_OBJECT) return at + 1
      if (bytes[at] !== COMMA) return -1
      at = skipSpace(bytes, at + 1, limit)
    }
  }

  /** As JSON.parse does, it lets the last of several members of one name count. */
  private readNamed(bytes: Uint8Array, at: number, members: Members, index: number): number {
    const inner = members.inner[index]!
    const target = members.targets[index]!
    if (inner) for (const one of inner.all) this.counts[one] = -1
    else this.counts[target] = -1
    if (bytes[at] === LETTER_N) return at + NULL_LENGTH
    if (inner) return bytes[at] === OPEN_OBJECT ? this.readMembers(bytes, at, inner) : -1
    let end = at
    let count = 0
    for (let digit = bytes[end]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++end]! - ZERO)
      count = count * 10 + digit
    if (end === at || end - at > DIGITS_MAX) return -1
    this.counts[target] = count
    return end
  }
}
