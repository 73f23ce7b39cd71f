/** Finds the numbers of a JSON text that JavaScript would not write again as they stand, and where in its value they are. */

/** Fifteen digits are always exact. */
const EXACT_CHARACTERS = 15

/** An object or array of the text that has such a number somewhere in it. */
export interface Holder {
  /** Null: the text's outermost value. */
  readonly parent: Holder | null
  /** Its name or position in the parent. */
  readonly key: string | number
}

export interface RoundedNumber {
  readonly holder: Holder
  readonly key: string | number
  /** Where it stands in the text. */
  readonly start: number
  readonly end: number
}

const isRounded = (source: string): boolean => {
  const value = Number(source)
  return !Number.isFinite(value) || (source.length > EXACT_CHARACTERS && String(value) !== source)
}

/** By character code: what a number consists of. */
const IN_NUMBER = new Uint8Array(0x1_0000)
for (const character of '0123456789.eE+-') IN_NUMBER[character.charCodeAt(0)] = 1
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const ZERO = 0x30
const NINE = 0x39
const MINUS = 0x2d
/** Set in letters only, of what a number consists of: it has an exponent. */
const LETTER = 0x40
const ARRAY_OPEN = 0x5b
const ARRAY_CLOSE = 0x5d
const OBJECT_OPEN = 0x7b
const OBJECT_CLOSE = 0x7d

/** An exponent of three digits may make a short number infinite. */
const LARGE_EXPONENT = /[0-9][eE]\+?[0-9]{3}/

/**
 * Whether something in the text may be such a number: false for nearly all. What stands in a string counts too, where it looks
 * alike. Looks at one character in fifteen, because no shorter run is of interest: the whole is read many times faster than parsed.
 */
export function mayHoldRoundedNumbers(text: string): boolean {
  let isLongSeen = false
  for (let at = EXACT_CHARACTERS - 1; at < text.length; at += EXACT_CHARACTERS) {
    if (IN_NUMBER[text.charCodeAt(at)] === 0) continue
    let start = at
    while (start > 0 && IN_NUMBER[text.charCodeAt(start - 1)] === 1) start--
    while (at + 1 < text.length && IN_NUMBER[text.charCodeAt(at + 1)] === 1) at++
    if (at + 1 - start < EXACT_CHARACTERS || !isAtValue(text, start)) continue
    isLongSeen = true
    if (isRounded(text.slice(start, at + 1))) return true
  }
  return isLongSeen && LARGE_EXPONENT.test(text)
}

/** Whether a value may begin there. */
function isAtValue(text: string, start: number): boolean {
  let at = start - 1
  while (at >= 0 && text.charCodeAt(at) <= 0x20) at--
  const before = text.charCodeAt(at)
  return before === COLON || before === COMMA || before === ARRAY_OPEN
}

/** Those numbers of the text in their order. What it gives for a text that is no JSON means nothing. */
export function roundedNumbersOf(text: string): RoundedNumber[] {
  const found: RoundedNumber[] = []
  const places = new Places(text)
  const { length } = text
  // Of what the scan is inside of; in an array it counts the elements, elsewhere it is -1.
  let position = -1
  let isNameNext = false
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code === COMMA) {
      if (position >= 0) position++
      else isNameNext = true
    } else if ((code >= ZERO && code <= NINE) || code === MINUS) {
      const end = numberEnd(text, at)
      if (mayBeRounded(text, at, end) && isRounded(text.slice(at, end))) {
        const holder = places.holder(position)
        if (holder) found.push({ holder, key: places.key(), start: at, end })
      }
      at = end - 1
    } else if (code === QUOTE) {
      const end = stringEnd(text, at)
      if (isNameNext) places.name(at, end)
      isNameNext = false
      at = end - 1
    } else if (code === OBJECT_OPEN || code === ARRAY_OPEN) {
      places.open(position)
      isNameNext = code === OBJECT_OPEN
      position = isNameNext ? -1 : 0
    } else if (code === OBJECT_CLOSE || code === ARRAY_CLOSE) {
      position = places.close()
      isNameNext = false
    }
  }
  return found
}

function numberEnd(text: string, start: number): number {
  const { length } = text
  let at = start + 1
  while (at < length && IN_NUMBER[text.charCodeAt(at)] === 1) at++
  return at
}

/** A short number is what it says, unless its exponent is large. */
function mayBeRounded(text: string, start: number, end: number): boolean {
  if (end - start > EXACT_CHARACTERS) return true
  // The shortest is 1e309.
  if (end - start < 5) return false
  for (let at = start; at < end; at++) if ((text.charCodeAt(at) & LETTER) !== 0) return true
  return false
}

/** Strings are read by the character up to here: a call costs more. */
const SHORT_STRING = 24

/** Behind the closing quote of the string that opens at `open`. */
function stringEnd(text: string, open: number): number {
  const { length } = text
  let at = open + 1
  while (at < length) {
    const near = Math.min(length, at + SHORT_STRING)
    for (; at < near; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) return at + 1
      if (code === BACKSLASH) at++
    }
    const quote = text.indexOf('"', at)
    if (quote < 0) return length
    let escapes = quote
    while (escapes > at && text.charCodeAt(escapes - 1) === BACKSLASH) escapes--
    at = quote + 1
    if ((quote - escapes) % 2 === 0) return at
  }
  return length
}

/** What the scan is inside of; the first place is outside of all. Holders are made only where a number is found. */
class Places {
  private readonly text: string
  private depth = 0
  /** By depth: the position in an array when its element was opened; -1: an object. */
  private readonly positions: number[] = [-1]
  /** By depth: where the name of an object's member stands. */
  private readonly nameStarts: number[] = [0]
  private readonly nameEnds: number[] = [0]
  private readonly holders: (Holder | null)[] = [null]

  constructor(text: string) {
    this.text = text
  }

  /** Goes into the value at this position of the current place. */
  open(position: number): void {
    this.positions[this.depth] = position
    const depth = ++this.depth
    this.nameStarts[depth] = 0
    this.nameEnds[depth] = 0
    this.holders[depth] = null
  }

  /** Goes back, and tells the position there. */
  close(): number {
    if (this.depth > 0) this.depth--
    return this.positions[this.depth]!
  }

  name(start: number, end: number): void {
    this.nameStarts[this.depth] = start
    this.nameEnds[this.depth] = end
  }

  /** Of the member or element that `holder` was asked for. */
  key(depth = this.depth): string | number {
    const position = this.positions[depth]!
    if (position >= 0) return position
    const name = this.text.slice(this.nameStarts[depth]! + 1, this.nameEnds[depth]! - 1)
    return name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name
  }

  /** The innermost object or array, and the position in it; null outside of all. */
  holder(position: number): Holder | null {
    const { depth, holders } = this
    this.positions[depth] = position
    let made = depth
    while (made > 0 && !holders[made]) made--
    for (made++; made <= depth; made++)
      holders[made] = { parent: holders[made - 1]!, key: made === 1 ? '' : this.key(made - 1) }
    return holders[depth]!
  }
}
