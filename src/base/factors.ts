import { parsePricePerMillion } from './money.ts'

/** Factors of money are whole numbers of parts per million, so that they are exact (R93). */
export const ONE_PPM = 1_000_000n

/** The largest factor. */
export const FACTOR_PPM_MAX = 999_999_999n

/** A factor as a file writes it; null is 1. */
export const factorOf = (text: string | null): bigint =>
  text === null ? ONE_PPM : (parsePricePerMillion(text) ?? ONE_PPM)

/** An amount times a factor, or one factor upon another: half a part is rounded up. */
export const timesFactor = (amount: bigint, factor: bigint): bigint => (amount * factor + ONE_PPM / 2n) / ONE_PPM

/** What a cost at list prices is multiplied by. */
export interface Factors {
  /** What the operator pays. */
  readonly metered: bigint
  /** What the account pays, by its group and the route. */
  readonly charged: bigint
  /** What the account has agreed upon, upon all that; absent: 1. It is kept apart, so that no product is rounded. */
  readonly account?: bigint
}

/** Between the version of a price and the factor of an account. */
const ACCOUNT_MARK = '@'

/** The price that an account with this factor pays, with a version that names it; itself where it is 1. */
export function withAccountFactor<P extends { readonly version: string; readonly factors?: Factors }>(
  price: P,
  account: bigint,
): P {
  if (account === ONE_PPM) return price
  const { metered, charged } = price.factors ?? { metered: ONE_PPM, charged: ONE_PPM }
  return { ...price, factors: { metered, charged, account }, version: `${price.version}${ACCOUNT_MARK}${account}` }
}

/** The version of a price as the catalog has it, and the factor of the account. */
export function splitVersion(version: string): { readonly version: string; readonly account: bigint } {
  const at = version.lastIndexOf(ACCOUNT_MARK)
  const digits = version.slice(at + 1)
  if (at < 0 || !/^\d{1,12}$/.test(digits)) return { version, account: ONE_PPM }
  return { version: version.slice(0, at), account: BigInt(digits) }
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
