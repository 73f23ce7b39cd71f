import type { Model } from '#catalog/types.ts'
import type { ListedModel } from './select.ts'

/** Cheaper models that are named for one. */
export const ALTERNATIVES_MAX = 3

/** Input and output, three to one as most traffic is; only ever compared. */
const blended = ({ price }: ListedModel): bigint | null => price && price.input * 3n + price.output

/**
 * For each model the cheapest ones that can do all it can (R75): the same kind and modalities, every capability, no smaller window,
 * a lower price. Only named: nobody is sent there.
 */
export function cheaperAlternatives(listed: readonly ListedModel[]): ReadonlyMap<string, readonly string[]> {
  const priced = listed.flatMap((entry) => {
    const price = blended(entry)
    return price === null ? [] : [{ model: entry.model, price }]
  })
  const ascending = priced.toSorted((left, right) => (left.price < right.price ? -1 : Number(left.price > right.price)))
  const found = new Map<string, readonly string[]>()
  for (const { model, price } of ascending) {
    const names: string[] = []
    for (const other of ascending) {
      if (other.price >= price || names.length === ALTERNATIVES_MAX) break
      if (canStandFor(other.model, model)) names.push(other.model.id)
    }
    found.set(model.id, names)
  }
  return found
}

function canStandFor(other: Model, model: Model): boolean {
  if (other.kind !== model.kind || (other.contextWindow ?? 0) < (model.contextWindow ?? 0)) return false
  const hasAll = (needed: Iterable<string>, has: readonly string[]): boolean =>
    [...needed].every((each) => has.includes(each))
  return (
    hasAll(model.inputModalities, other.inputModalities) &&
    hasAll(model.outputModalities, other.outputModalities) &&
    [...model.capabilities].every((each) => other.capabilities.has(each))
  )
}
