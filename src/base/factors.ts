import { parsePricePerMillion } from './money.ts'

/** Factors of money are whole numbers of parts per million, so that they are exact (R93). */
export const ONE_PPM = 1_000_000n

/** A factor as a file writes it; null is 1. */
export const factorOf = (text: string | null): bigint =>
  text === null ? ONE_PPM : (parsePricePerMillion(text) ?? ONE_PPM)

/** An amount times a factor, or one factor upon another: half a part is rounded up. */
export const timesFactor = (amount: bigint, factor: bigint): bigint => (amount * factor + ONE_PPM / 2n) / ONE_PPM

/** What a cost at list prices is multiplied by. */
export interface Factors {
  /** What the operator pays. */
  readonly metered: bigint
  /** What the account pays. */
  readonly charged: bigint
}

/** The price with its factors, and with a version that names them; itself where both are 1. */
export function withFactors<P extends { readonly version: string; readonly factors?: Factors }>(
  price: P,
  metered: bigint,
  charged: bigint,
): P {
  if (metered === ONE_PPM && charged === ONE_PPM) return price
  return { ...price, factors: { metered, charged }, version: `${price.version}*${metered}*${charged}` }
}
