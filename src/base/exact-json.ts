/**
 * JSON whose money is exact in both directions. A JSON number is decimal text on the wire and binary only in between, so
 * amounts are read from their source text and written from the integer; no float ever holds them (R90).
 */
import { formatUsd, type NanoUsd } from './money.ts'

interface RawJson {
  rawJSON(text: string): unknown
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
  return (JSON as unknown as RawJson).rawJSON(formatUsd(amount))
}

/** As `usdNumber`; null stays null. */
export function usdNumberOrNull(amount: NanoUsd | null): unknown {
  return amount === null ? null : usdNumber(amount)
}

/** Fifteen digits are always exact. */
const EXACT_CHARACTERS = 15

const isRounded = (value: number, source: string): boolean =>
  !Number.isFinite(value) || (source.length > EXACT_CHARACTERS && String(value) !== source)

/**
 * A number with this many digits, exponents and fractions included, may not be what JavaScript makes of it. Asking for each
 * value's source makes reading ten times slower, so only a text with such a number pays for it.
 */
const LONG_NUMBER = /[:,[]\s*-?[0-9][0-9.eE+-]{14}/

/**
 * Parses JSON so that `JSON.stringify` writes every number again as it stood: one that JavaScript would round is kept as
 * its source text (R79). Such a number is an object here and no `number`. Throws SyntaxError as JSON.parse does.
 */
export function parseFaithfulJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text)
  const revive: Reviver = (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && isRounded(value, context.source)
      ? (JSON as unknown as RawJson).rawJSON(context.source)
      : value
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}
