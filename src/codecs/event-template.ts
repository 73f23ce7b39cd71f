import { stringBytes } from './event-text.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
const ZERO = 0x30
const NINE = 0x39
const LF = 0x0a

/**
 * The last event that carried text, and the places in it where the next one may differ: the text, a sequence number,
 * padding. Most events of a stream are the one before with another word in it, and comparing two is several times cheaper
 * than framing, scanning and walking each anew. An event that differs anywhere else, or holds an escape, does not match.
 */
export class EventTemplate {
  private event: Buffer = NOTHING
  /** Start and end of each hole in `event`, ascending. A plain array: the fewer objects an event touches, the better. */
  private readonly holes = [0, 0, 0, 0, 0, 0]
  private holesCount = 0
  /** Behind the text of the event that matched last. */
  textEnd = -1
  private textStart = -1

  /**
   * Keeps a complete event, its blank line included. `text` is the offset of a JSON string in it, `second` and `third`
   * are those of other strings or whole numbers that vary; -1 stands for none. Without a text nothing is kept.
   */
  keep(event: Buffer, text: number, second: number, third: number): void {
    this.clear()
    // A last CR may still be followed by its LF.
    if (event[text] !== QUOTE || event[event.length - 1] !== LF) return
    this.textStart = text + 1
    if (!this.addHole(event, text) || !this.addHole(event, second) || !this.addHole(event, third)) this.clear()
    else this.event = event
  }

  clear(): void {
    this.event = NOTHING
    this.holesCount = 0
  }

  /** Where the first hole is: what stands before it stands at the same offset in every event that matches. */
  get firstHole(): number {
    return this.holesCount === 0 ? 0 : this.holes[0]!
  }

  /** Bytes of the text when `event` is the kept one again but for its holes; -1 when it is not, or its text is empty. */
  match(event: Buffer): number {
    const { event: kept, holes } = this
    const holesEnd = 2 * this.holesCount
    let at = 0
    let from = 0
    let textBytes = -1
    for (let hole = 0; hole < holesEnd; hole += 2) {
      const start = holes[hole]!
      if (!goesOnAs(event, at, kept, from, start)) return -1
      at += start - from
      const end = event[at - 1] === QUOTE ? plainTextEnd(event, at) : wholeNumberEnd(event, at)
      if (end < 0) return -1
      if (start === this.textStart) {
        textBytes = end - at
        this.textEnd = end
      }
      at = end
      from = holes[hole + 1]!
    }
    const isSameEnd = event.length - at === kept.length - from && goesOnAs(event, at, kept, from, kept.length)
    return isSameEnd && textBytes > 0 ? textBytes : -1
  }

  /** In its place among the holes; false for a value that is neither a string nor a whole number. */
  private addHole(event: Buffer, value: number): boolean {
    if (value < 0) return true
    const isText = event[value] === QUOTE
    const start = isText ? value + 1 : value
    const end = isText ? value + 1 + stringBytes(event, value) : wholeNumberEnd(event, value)
    if (end < 0) return false
    const { holes } = this
    let place = 2 * this.holesCount++
    for (; place > 0 && holes[place - 2]! > start; place -= 2) {
      holes[place] = holes[place - 2]!
      holes[place + 1] = holes[place - 1]!
    }
    holes[place] = start
    holes[place + 1] = end
    return true
  }
}

const NOTHING = Buffer.alloc(0)

/** Whether `event` goes on at `at` as `kept` does from `from` to `to`. */
function goesOnAs(event: Buffer, at: number, kept: Buffer, from: number, to: number): boolean {
  if (event.length - at < to - from) return false
  for (let index = from, other = at; index < to; index++, other++) if (kept[index] !== event[other]) return false
  return true
}

/** Where the text that starts at `start` meets its closing quote; -1 when an escape or a control character comes first. */
function plainTextEnd(event: Buffer, start: number): number {
  for (let at = start; at < event.length; at++) {
    const byte = event[at]!
    if (byte === QUOTE) return at
    if (byte === BACKSLASH || byte < SPACE) return -1
  }
  return -1
}

function wholeNumberEnd(event: Buffer, start: number): number {
  let at = start
  while (at < event.length && event[at]! >= ZERO && event[at]! <= NINE) at++
  const hasLeadingZero = event[start] === ZERO && at > start + 1
  return at === start || hasLeadingZero ? -1 : at
}
