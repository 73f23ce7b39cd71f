/**
 * JSON whose money is exact in both directions. A JSON number is decimal text on the wire and binary only in between, so
 * amounts are read from their source text and written from the integer; no float ever holds them (R90).
 */
import { formatUsd, type NanoUsd } from './money.ts'

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
      ? rawNumber(context.source)
      : value
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}
