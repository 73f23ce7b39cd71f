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
