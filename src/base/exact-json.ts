/**
 * JSON whose money is exact in both directions. A JSON number is decimal text on the wire and binary only in between, so
 * amounts are read from their source text and written from the integer; no float ever holds them (R90).
 */
import { formatUsd, type NanoUsd } from './money.ts'
import { type Holder, mayHoldRoundedNumbers, roundedNumbersOf } from './rounded-numbers.ts'

/** A number that is kept as its source text; `JSON.stringify` writes it as it stood. */
export interface RawNumber {
  readonly rawJSON: string
}

/** The types of the library do not know these yet. */
const RAW = JSON as unknown as { rawJSON(text: string): RawNumber; isRawJSON(value: unknown): value is RawNumber }

/** Decimal text that `JSON.stringify` writes as a number, digit for digit. Throws SyntaxError for what is no JSON. */
export function rawNumber(text: string): RawNumber {
  return RAW.rawJSON(text)
}

/** Whether this is a number that is kept as its source text. It is an object to `typeof`. */
export function isRawNumber(value: unknown): value is RawNumber {
  return RAW.isRawJSON(value)
}

interface ReviverContext {
  /** The literal as it stands in the text; only for primitives. */
  readonly source?: string
}

type Reviver = (key: string, value: unknown, context: ReviverContext) => unknown

/** Parses JSON; numbers under one of `exactKeys` become their own source text. Throws SyntaxError as JSON.parse does. */
export function parseExactJson(text: string, exactKeys: ReadonlySet<string>): unknown {
  const revive: Reviver = (key, value, context) =>
    typeof value === 'number' && exactKeys.has(key) ? (context.source ?? String(value)) : value
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}

/** An amount that `JSON.stringify` writes as a plain JSON number in USD, digit for digit. */
export function usdNumber(amount: NanoUsd): unknown {
  return rawNumber(formatUsd(amount))
}

/** As `usdNumber`; null stays null. */
export function usdNumberOrNull(amount: NanoUsd | null): unknown {
  return amount === null ? null : usdNumber(amount)
}

/** What stands for a number while the rest is parsed. Nothing else becomes infinite, because such numbers are replaced too. */
const PLACEHOLDER = '1e999'

/**
 * Parses JSON so that `JSON.stringify` writes every number again as it stood: one that JavaScript would round is kept as
 * its source text (R79). Such a number is an object here and no `number`. Throws SyntaxError as JSON.parse does.
 *
 * Asking JSON.parse for each value's source would make reading up to seventy times slower, so the few numbers are found in
 * the text and put into the parsed value.
 */
export function parseFaithfulJson(text: string): unknown {
  if (!mayHoldRoundedNumbers(text)) return JSON.parse(text)
  const numbers = roundedNumbersOf(text)
  if (numbers.length === 0) return JSON.parse(text)
  const pieces: string[] = []
  let from = 0
  for (const { start, end } of numbers) {
    pieces.push(text.slice(from, start))
    from = end
  }
  pieces.push(text.slice(from))
  const value: unknown = JSON.parse(pieces.join(PLACEHOLDER))
  const nodes = new Map<Holder, unknown>()
  // From the end: of members of one name the last counts, and where it stands there is no placeholder for the others.
  for (const { holder, key, start, end } of numbers.toReversed()) {
    // Throws for what is no number of JSON, as the text's parse would have.
    const number = rawNumber(text.slice(start, end))
    const node = nodeOf(holder, value, nodes)
    if (memberOf(node, key) === Infinity) (node as Record<string | number, unknown>)[key] = number
  }
  return value
}

/** The object or array in the parsed value; undefined where another of the same name took its place. */
function nodeOf(holder: Holder, value: unknown, nodes: Map<Holder, unknown>): unknown {
  // Not by recursion: a text may be nested deeper than the stack.
  const path: Holder[] = []
  for (let at: Holder | null = holder; at && !nodes.has(at); at = at.parent) path.push(at)
  for (const at of path.toReversed()) nodes.set(at, at.parent ? memberOf(nodes.get(at.parent), at.key) : value)
  return nodes.get(holder)
}

const memberOf = (node: unknown, key: string | number): unknown =>
  node !== null && typeof node === 'object' && Object.hasOwn(node, key)
    ? (node as Record<string | number, unknown>)[key]
    : undefined
