import { createHash } from 'node:crypto'
import { ONE_PPM, timesFactor } from '#base/factors.ts'
import type { PriceNumbers } from './settings.ts'
import type { Price, PriceTier } from './types.ts'

/** Characters of the digest: enough to tell the prices of one gateway apart, short enough for a receipt. */
const VERSION_LENGTH = 12

/** Numbers with the source they came from; the version depends on the numbers only, so a reload does not change it. */
export function toPrice(numbers: PriceNumbers, source: Price['source'], updatedAt: string | null = null): Price {
  return { ...numbers, source, version: priceVersion(numbers), updatedAt }
}

/** What an account sees of a price: the list price times its factor, half a pico-dollar rounded up. */
export function chargedPrice(price: Price): Price {
  if (!price.factors) return price
  const { charged, account = ONE_PPM } = price.factors
  const of = (value: bigint): bigint => timesFactor(timesFactor(value, charged), account)
  const all = <T extends PriceTier | Price>(part: T): T => ({
    ...part,
    input: of(part.input),
    output: of(part.output),
    cacheRead: part.cacheRead === null ? null : of(part.cacheRead),
    cacheWrite: part.cacheWrite === null ? null : of(part.cacheWrite),
    cacheWrite1h: part.cacheWrite1h === null ? null : of(part.cacheWrite1h),
    reasoning: part.reasoning === null ? null : of(part.reasoning),
    image: part.image === null ? null : of(part.image),
    request: part.request === null ? null : of(part.request),
  })
  return { ...all(price), tiers: price.tiers.map(all) }
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
