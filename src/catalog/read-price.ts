import { decimalText, parsePriceEach, parsePricePerMillion, type PicoUsd } from '#base/money.ts'
import type { PriceNumbers, PriceTierNumbers } from './settings.ts'

/** What a file writes: USD per million tokens, `image` and `request` in USD each; numbers or decimal strings. */
export type PriceText = Readonly<Record<string, unknown>>

const TOKEN_CLASSES = {
  input: 'input',
  output: 'output',
  cache_read: 'cacheRead',
  cache_write: 'cacheWrite',
  cache_write_1h: 'cacheWrite1h',
  reasoning: 'reasoning',
} as const
const EACH_CLASSES = { image: 'image', request: 'request' } as const

export const PRICE_KEYS = [...Object.keys(TOKEN_CLASSES), ...Object.keys(EACH_CLASSES)]

/** Names of one price block's faults are pushed to `faults` as `path: reason`; the result is usable only when there are none. */
export function readPrice(block: PriceText, path: string, faults: string[], outputOptional = false): PriceNumbers {
  // A class left out would be charged as nothing, so the two that every request has must be written (B17).
  for (const key of outputOptional ? ['input'] : ['input', 'output']) {
    if (block[key] === undefined || block[key] === null) faults.push(`${path}.${key}: missing`)
  }
  const base = readClasses(block, path, faults)
  const tiers = Array.isArray(block['tiers']) ? (block['tiers'] as PriceText[]) : []
  return { ...base, tiers: tiers.map((tier, index) => readTier(tier, base, `${path}.tiers[${index}]`, faults)) }
}

/** A tier writes only what changes; the rest is the base price. */
function readTier(tier: PriceText, base: PriceTierBase, path: string, faults: string[]): PriceTierNumbers {
  const merged = { ...base, ...dropNull(readClasses(tier, path, faults, base)) }
  return { ...merged, aboveInputTokens: Number(tier['above_input_tokens']) }
}

type PriceTierBase = Omit<PriceNumbers, 'tiers'>

function readClasses(block: PriceText, path: string, faults: string[], base?: PriceTierBase): PriceTierBase {
  const read = (key: string, parse: (text: string) => PicoUsd | undefined, digits: number): PicoUsd | null => {
    const value = block[key]
    if (value === undefined || value === null) return null
    const text = typeof value === 'number' || typeof value === 'string' ? decimalText(value) : undefined
    const price = text === undefined ? undefined : parse(text)
    if (price === undefined) {
      faults.push(`${path}.${key}: expected a decimal price with at most ${digits} digits behind the point`)
    } else if (price < 0n) faults.push(`${path}.${key}: a price cannot be negative`)
    return price ?? null
  }
  const token = (key: keyof typeof TOKEN_CLASSES): PicoUsd | null => read(key, parsePricePerMillion, 6)
  const each = (key: keyof typeof EACH_CLASSES): PicoUsd | null => read(key, parsePriceEach, 12)
  return {
    input: token('input') ?? base?.input ?? 0n,
    output: token('output') ?? base?.output ?? 0n,
    cacheRead: token('cache_read'),
    cacheWrite: token('cache_write'),
    cacheWrite1h: token('cache_write_1h'),
    reasoning: token('reasoning'),
    image: each('image'),
    request: each('request'),
  }
}

const dropNull = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null)) as Partial<T>
