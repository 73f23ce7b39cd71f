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
