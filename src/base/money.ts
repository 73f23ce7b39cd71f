/**
 * Money is integers. Amounts are bigint nano-USD (10^-9), prices are bigint pico-USD (10^-12) per token, so one USD per
 * million tokens is 1_000_000 pico-USD per token. On the wire money is a decimal string (requirements, "Money").
 */

export type NanoUsd = bigint
export type PicoUsd = bigint

const NANO_DIGITS = 9
const PICO_DIGITS = 12
const DECIMAL = /^([+-]?)(\d{1,15})(?:\.(\d+))?$/

/** `"10.00"` -> 10_000_000_000n. Undefined when it is no plain decimal or has more than nine digits behind the point. */
export function parseUsd(text: string): NanoUsd | undefined {
  return parseDecimal(text, NANO_DIGITS)
}

/** 13_500_000n -> `"0.0135"`: no exponent, no trailing zeros. */
export function formatUsd(amount: NanoUsd): string {
  if (amount !== lastAmount) {
    lastText = formatDecimal(amount, NANO_DIGITS)
    lastAmount = amount
  }
  return lastText
}

/** An answer tells its cost twice: in its head and in its body. */
let lastAmount: NanoUsd = 0n
let lastText = '0'

/** A price in USD per million tokens (`3`, `"0.30"`) as pico-USD per token. Undefined when it has more than six digits behind the point. */
export function parsePricePerMillion(text: string): PicoUsd | undefined {
  return parseDecimal(text, 6)
}

/** Pico-USD per token as USD per million tokens. */
export function formatPricePerMillion(price: PicoUsd): string {
  return formatDecimal(price, 6)
}

/** A price in USD per request or per image as pico-USD. */
export function parsePriceEach(text: string): PicoUsd | undefined {
  return parseDecimal(text, PICO_DIGITS)
}

/** Pico-USD as USD (per token, per request, per image). */
export function formatPriceEach(price: PicoUsd): string {
  return formatDecimal(price, PICO_DIGITS)
}

/** The one rounding of a request: pico-USD to nano-USD, half up (R91). Costs are never negative. */
export function roundToNano(pico: PicoUsd): NanoUsd {
  return (pico + 500n) / 1000n
}

/** The decimal text of a JavaScript number or string without going through binary arithmetic; undefined when there is none. */
export function decimalText(value: number | string): string | undefined {
  const text = String(value).trim()
  if (!/[eE]/.test(text)) return text
  const match = /^([+-]?)(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,3})$/.exec(text)
  if (!match) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`
  return `${sign}${digits.padEnd(point, '0').slice(0, point)}${digits.length > point ? `.${digits.slice(point)}` : ''}`
}

function parseDecimal(text: string, digits: number): bigint | undefined {
  const match = DECIMAL.exec(text)
  if (!match) return undefined
  const fraction = (match[3] ?? '').replace(/0+$/, '')
  if (fraction.length > digits) return undefined
  const value = BigInt(`${match[2]}${fraction.padEnd(digits, '0')}`)
  return match[1] === '-' ? -value : value
}

const ZERO = 0x30

function formatDecimal(value: bigint, digits: number): string {
  const text = (value < 0n ? -value : value).toString().padStart(digits + 1, '0')
  const point = text.length - digits
  let end = text.length
  while (end > point && text.charCodeAt(end - 1) === ZERO) end--
  const amount = end === point ? text.slice(0, point) : `${text.slice(0, point)}.${text.slice(point, end)}`
  return value < 0n ? `-${amount}` : amount
}

/** Digits of a reported amount that still count; more are cut. */
const REPORTED_DIGITS = 12

/** An amount in USD that another gateway wrote as a JSON number, as decimal text; undefined for what is no amount. */
export function costText(value: unknown): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const text = decimalText(value) ?? ''
  return REPORTED.test(text) ? text : undefined
}

const REPORTED = /^(\d{1,12})(?:\.(\d*))?$/

/** A reported amount, rounded half up. Throws RangeError for a text that `costText` did not give. */
export function reportedUsd(text: string): NanoUsd {
  const match = REPORTED.exec(text)
  if (!match) throw new RangeError(`no amount: ${text}`)
  const fraction = (match[2] ?? '').slice(0, REPORTED_DIGITS).padEnd(REPORTED_DIGITS, '0')
  return roundToNano(BigInt(match[1]! + fraction))
}
