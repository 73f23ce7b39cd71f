import { type Factors, ONE_PPM } from '#base/factors.ts'
import type { NanoUsd, PicoUsd } from '#base/money.ts'
import { reportedUsd, roundToNano } from '#base/money.ts'
import type { Price, PriceTier } from '#catalog/types.ts'
import type { Usage } from '#ir/usage.ts'

/** One class of a receipt: so many tokens (or images, or requests) at a price each. */
export interface CostLine {
  readonly class:
    | 'input'
    | 'cache_read'
    | 'cache_write'
    | 'cache_write_1h'
    | 'output'
    | 'reasoning'
    | 'image'
    | 'request'
  readonly count: number
  readonly price: PicoUsd
  readonly pico: PicoUsd
}

/** One usage in three amounts (R93). They differ only where the operator set factors. */
export interface Cost {
  /** At the vendor's public price, exact. */
  readonly pico: PicoUsd
  /** What the account pays: rounded half up, once (R91). */
  readonly nano: NanoUsd
  /** `pico` rounded. */
  readonly listNano: NanoUsd
  /** What the operator pays. */
  readonly meteredNano: NanoUsd
  /** At list prices. Only classes that were used. */
  readonly lines: readonly CostLine[]
}

export interface BoundInput {
  /** At least as many tokens as the prompt has. */
  readonly inputTokensMax: number
  /** The output limit of one candidate. */
  readonly outputTokensMax: number
  /** Candidates asked for. */
  readonly n: number
  readonly price: Price
  readonly images?: number
}

/**
 * Stands where only the upstream knows the price and tells it with each answer (OpenRouter, R27; another gateway, B11): a hold
 * is computed from it, above every list price that is known, and the reported cost is what is booked.
 */
export const REPORTED_PRICE: Price = {
  input: 150_000_000n,
  output: 600_000_000n,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  reasoning: null,
  image: null,
  request: null,
  tiers: [],
  source: 'reported',
  version: 'reported',
  updatedAt: null,
}

/** The cost that the upstream reported; null when it reported none. */
export function reportedCost({ costUsd }: Usage, { factors }: Price = REPORTED_PRICE): Cost | null {
  if (costUsd === undefined) return null
  const listNano = reportedUsd(costUsd)
  const pico = listNano * 1000n
  // What is reported is what the operator paid: its discounts are in it.
  const nano = factors ? accountNano(pico, factors) : listNano
  return { pico, nano, listNano, meteredNano: listNano, lines: [] }
}

const NANO_PPM = 1000n * ONE_PPM

/** A factor is applied to the exact sum, before the one rounding (R93). */
const factoredNano = (pico: PicoUsd, factor: bigint): NanoUsd => (pico * factor + NANO_PPM / 2n) / NANO_PPM

/** What an account pays: all its factors on the exact sum, and one rounding. */
const accountNano = (pico: PicoUsd, { charged, account }: Factors): NanoUsd =>
  account === undefined
    ? factoredNano(pico, charged)
    : (pico * charged * account + (NANO_PPM * ONE_PPM) / 2n) / (NANO_PPM * ONE_PPM)

/** Rounded as a charge is. */
const chargedNano = (pico: PicoUsd, { factors }: Price): NanoUsd =>
  factors ? accountNano(pico, factors) : roundToNano(pico)

type Rates = Omit<PriceTier, 'aboveInputTokens'>

/**
 * What a usage costs (R91). A count that was not reported costs nothing; a count that is no non-negative safe integer
 * throws RangeError, because it would be booked. More reasoning than output is taken as all of the output.
 */
export function costOf(told: Usage, price: Price, images = 0): Cost {
  const usage = told.billed ? billedUsage(told, told.billed) : told
  const input = checked(usage.input)
  const cacheRead = checked(usage.cacheRead)
  const cacheWrite = checked(usage.cacheWrite)
  const cacheWrite1h = checked(usage.cacheWrite1h)
  const output = checked(usage.output)
  // Four safe integers may add up to more than a safe one, hence bigint; most prices have one tier.
  const rates =
    price.tiers.length === 0
      ? price
      : ratesFor(price, BigInt(input) + BigInt(cacheRead) + BigInt(cacheWrite) + BigInt(cacheWrite1h))
  const reasoning = rates.reasoning === null ? 0 : Math.min(checked(usage.reasoning), output)
  const cacheWriteRate = rates.cacheWrite ?? rates.input
  const lines: CostLine[] = []
  add(lines, 'input', input, rates.input)
  add(lines, 'cache_read', cacheRead, rates.cacheRead ?? rates.input)
  add(lines, 'cache_write', cacheWrite, cacheWriteRate)
  add(lines, 'cache_write_1h', cacheWrite1h, rates.cacheWrite1h ?? cacheWriteRate)
  add(lines, 'output', output - reasoning, rates.output)
  add(lines, 'reasoning', reasoning, rates.reasoning ?? 0n)
  add(lines, 'image', checked(images), rates.image ?? 0n)
  add(lines, 'request', rates.request === null ? 0 : 1, rates.request ?? 0n)
  let pico = 0n
  for (const entry of lines) pico += entry.pico
  const listNano = roundToNano(pico)
  const { factors } = price
  if (!factors) return { pico, nano: listNano, listNano, meteredNano: listNano, lines }
  const meteredNano = factoredNano(pico, factors.metered)
  return { pico, nano: accountNano(pico, factors), listNano, meteredNano, lines }
}

/** Only what is charged for, at the plain prices: it is not told what of it came from a cache. */
function billedUsage(usage: Usage, { input, output }: NonNullable<Usage['billed']>): Usage {
  return { ...usage, input, output, cacheRead: null, cacheWrite: null, cacheWrite1h: null }
}

/**
 * The most that a request can cost (R94): every prompt token in its dearest class, every candidate as long as it may be,
 * at the dearest tier that the prompt can reach.
 */
export function boundOf(bound: BoundInput): NanoUsd {
  const { fixed, each } = boundParts(bound)
  return chargedNano(fixed + BigInt(checked(bound.outputTokensMax)) * each, bound.price)
}

/**
 * The largest output limit per candidate whose bound an amount pays for (R94); negative when not even the prompt fits,
 * Number.MAX_SAFE_INTEGER when output is free.
 */
export function outputTokensWithin(amount: NanoUsd, bound: Omit<BoundInput, 'outputTokensMax'>): number {
  const { fixed, each } = boundParts(bound)
  const { charged = ONE_PPM, account } = bound.price.factors ?? {}
  const [factor, whole] = account === undefined ? [charged, NANO_PPM] : [charged * account, NANO_PPM * ONE_PPM]
  // Nothing of it is charged for.
  if (factor === 0n) return Number.MAX_SAFE_INTEGER
  // Half-up rounding: the bound fits as long as it stays below the amount and a half.
  const room = (amount * whole + whole / 2n - 1n) / factor - fixed
  if (room < 0n) return -1
  if (each === 0n) return Number.MAX_SAFE_INTEGER
  const tokens = room / each
  return tokens > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(tokens)
}

function boundParts(bound: Omit<BoundInput, 'outputTokensMax'>): { fixed: PicoUsd; each: PicoUsd } {
  const { inputTokensMax, n, price, images = 0 } = bound
  const tokens = BigInt(checked(inputTokensMax))
  const { input, output, request, image } = dearestRates(price, tokens)
  return {
    fixed: tokens * input + request + (images === 0 ? 0n : BigInt(checked(images)) * image),
    each: output * BigInt(checked(n)),
  }
}

interface Dearest {
  readonly input: PicoUsd
  readonly output: PicoUsd
  readonly request: PicoUsd
  readonly image: PicoUsd
}

/** Prices are immutable, and most have one tier: their dearest rates are found once. */
const flat = new WeakMap<Price, Dearest>()

function dearestRates(price: Price, tokens: bigint): Dearest {
  if (price.tiers.length > 0) {
    return dearestOf([price, ...price.tiers.filter((tier) => tokens > BigInt(tier.aboveInputTokens))])
  }
  let rates = flat.get(price)
  if (!rates) flat.set(price, (rates = dearestOf([price])))
  return rates
}

function dearestOf(reachable: readonly Rates[]): Dearest {
  const dearest = (read: (rates: Rates) => (PicoUsd | null)[]): PicoUsd =>
    reachable.flatMap(read).reduce<PicoUsd>((top, rate) => (rate !== null && rate > top ? rate : top), 0n)
  return {
    input: dearest((rates) => [rates.input, rates.cacheRead, rates.cacheWrite, rates.cacheWrite1h]),
    output: dearest((rates) => [rates.output, rates.reasoning]),
    request: dearest((rates) => [rates.request]),
    image: dearest((rates) => [rates.image]),
  }
}

/** The tier with the highest threshold below the prompt replaces the base prices as a whole. */
function ratesFor(price: Price, promptTokens: bigint): Rates {
  return price.tiers.findLast((tier) => promptTokens > BigInt(tier.aboveInputTokens)) ?? price
}

/** Adds a class that was used. */
function add(lines: CostLine[], name: CostLine['class'], count: number, price: PicoUsd): void {
  if (count > 0) lines.push({ class: name, count, price, pico: BigInt(count) * price })
}

function checked(count: number | null): number {
  if (count === null) return 0
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw new RangeError('A token count must be a whole number from 0 to 2^53 - 1.')
}
