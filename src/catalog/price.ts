import { createHash } from 'node:crypto'
import type { PriceNumbers } from './settings.ts'
import type { Price } from './types.ts'

/** Characters of the digest: enough to tell the prices of one gateway apart, short enough for a receipt. */
const VERSION_LENGTH = 12

/** Numbers with the source they came from; the version depends on the numbers only, so a reload does not change it. */
export function toPrice(numbers: PriceNumbers, source: Price['source'], updatedAt: string | null = null): Price {
  return { ...numbers, source, version: priceVersion(numbers), updatedAt }
}

function priceVersion(numbers: PriceNumbers): string {
  const text = JSON.stringify(numbers, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
  return createHash('sha256').update(text).digest('hex').slice(0, VERSION_LENGTH)
}

/** Whether nothing that a request can use costs anything. */
export const isFree = (price: PriceNumbers): boolean =>
  [price, ...price.tiers].every((part) =>
    [
      part.input,
      part.output,
      part.cacheRead,
      part.cacheWrite,
      part.cacheWrite1h,
      part.reasoning,
      part.image,
      part.request,
    ].every((value) => value === null || value === 0n),
  )

/**
 * A price times a decimal factor (`1.25`), exactly but for one rounding of each number, half up, to whole pico-USD. A price that
 * only the upstream knows stays unknown.
 */
export function scaledPrice(price: Price, factor: string): Price {
  if (price.source === 'reported') return price
  const [whole = '0', fraction = ''] = factor.split('.')
  const multiplier = BigInt(whole + fraction)
  const unit = 10n ** BigInt(fraction.length)
  const times = (value: bigint): bigint => (value * multiplier * 2n + unit) / (unit * 2n)
  const orNull = (value: bigint | null): bigint | null => (value === null ? null : times(value))
  const scaled = <Rates extends Omit<PriceNumbers, 'tiers'>>(rates: Rates): Rates => ({
    ...rates,
    input: times(rates.input),
    output: times(rates.output),
    cacheRead: orNull(rates.cacheRead),
    cacheWrite: orNull(rates.cacheWrite),
    cacheWrite1h: orNull(rates.cacheWrite1h),
    reasoning: orNull(rates.reasoning),
    image: orNull(rates.image),
    request: orNull(rates.request),
  })
  const { source: _source, version: _version, updatedAt, ...numbers } = price
  return toPrice({ ...scaled(numbers), tiers: price.tiers.map(scaled) }, 'route', updatedAt)
}
