/** Forms of a model string that name several models (R40, R68). */

/** More elements of a chain than this are not looked at. */
export const CHAIN_ELEMENTS_MAX = 16

/** The elements of `a|b|c`; a string without a bar is its only element. */
export function splitChain(text: string): readonly string[] {
  if (!text.includes('|')) return [text]
  const elements = text
    .split('|')
    .map((element) => element.trim())
    .filter((element) => element !== '')
  return elements.slice(0, CHAIN_ELEMENTS_MAX)
}

const HYBRID = /^hybrid:\[(.*)\]$/s

export interface HybridLegs {
  readonly reasoning: string
  readonly execution: string
}

/**
 * The two legs of `hybrid:[a,b]`; null for any other string, and `'malformed'` for one that has not exactly two. A comma inside a
 * leg's query parts nothing: the part behind it must look like a selector, with a colon or slash before any `=`.
 */
export function readHybrid(text: string): HybridLegs | 'malformed' | null {
  if (!text.startsWith('hybrid:')) return null
  const inside = HYBRID.exec(text)?.[1]
  if (inside === undefined) return 'malformed'
  // A comma may be in a leg's query: of several, one with a backend or a vendor behind it is meant.
  const parts = inside.split(',')
  const legs = (parts.length === 2 ? parts : inside.split(/,(?=[^,=?&]*[:/])/)).map((leg) => leg.trim())
  const [reasoning, execution] = legs
  if (legs.length !== 2 || !reasoning || !execution) return 'malformed'
  return { reasoning, execution }
}
