import type { NanoUsd } from '#base/money.ts'

const NANO_DIGITS = 9n
/** Currencies that payment providers count in whole units, and in thousandths; all others in hundredths. */
const WHOLE = new Set('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF'.split(' '))
const THOUSANDTHS = new Set('BHD JOD KWD OMR TND'.split(' '))

const unitNano = (currency: string): bigint =>
  10n ** (NANO_DIGITS - (WHOLE.has(currency) ? 0n : THOUSANDTHS.has(currency) ? 3n : 2n))

/** An amount as a payment provider counts it: cents. Undefined when it is no whole number of them, or too many to be exact. */
export function minorUnits(amountNano: NanoUsd, currency: string): number | undefined {
  const unit = unitNano(currency)
  const units = Number(amountNano / unit)
  return amountNano % unit === 0n && Number.isSafeInteger(units) ? units : undefined
}

/** Cents as nano-USD, or of whatever currency it is. Undefined for what is no amount. */
export function fromMinorUnits(units: unknown, currency: string): NanoUsd | undefined {
  if (typeof units !== 'number' || !Number.isSafeInteger(units) || units < 0) return undefined
  return BigInt(units) * unitNano(currency)
}
