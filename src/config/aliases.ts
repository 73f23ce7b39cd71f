import { compileAliasPattern } from '#base/alias-pattern.ts'
import type { AliasRule } from './routing-types.ts'

/** Where alias rules come from, and what is wrong with them (R38, C16). */

/** `PATTERN=REPLACEMENT` of one flag, cut at the first `=`; undefined when a side is empty. */
export function parseAliasFlag(text: string): AliasRule | undefined {
  const cut = text.indexOf('=')
  const pattern = text.slice(0, Math.max(cut, 0))
  const replacement = cut < 0 ? '' : text.slice(cut + 1)
  return pattern === '' || replacement === '' ? undefined : { pattern, replacement }
}

/** The JSON array of MODEL_ALIASES; undefined when it is none. */
export function parseAliasJson(text: string): AliasRule[] | undefined {
  try {
    const rules = JSON.parse(text) as unknown
    return Array.isArray(rules) && rules.every(isRule)
      ? rules.map(({ pattern, replacement }) => ({ pattern, replacement }))
      : undefined
  } catch {
    return undefined
  }
}

function isRule(value: unknown): value is AliasRule {
  if (typeof value !== 'object' || value === null) return false
  const { pattern, replacement } = value as Partial<Record<keyof AliasRule, unknown>>
  return typeof pattern === 'string' && pattern !== '' && typeof replacement === 'string' && replacement !== ''
}

/** What a selector may begin with. */
export interface Known {
  readonly backends: readonly string[]
  readonly isModel: (id: string) => boolean
}

/** Faults and hints of all rules, each with its place. */
export function checkAliases(
  rules: readonly AliasRule[],
  known: Known,
  findings: { readonly errors: string[]; readonly warnings: string[] },
): void {
  for (const [index, { pattern, replacement }] of rules.entries()) {
    const path = `model_aliases[${index}]`
    try {
      compileAliasPattern(pattern)
      // A start-anchored rule drops what stands behind its match, which surprises who expects a replacement in place.
      if (!/(\$|\([^()]*\.[*+][^()]*\))$/.test(pattern)) {
        findings.warnings.push(`${path}.pattern: "${pattern}" drops what follows its match; end it with $ or (.*)`)
      }
    } catch (thrown) {
      findings.errors.push(`${path}.pattern: invalid pattern "${pattern}": ${(thrown as Error).message}`)
    }
    for (const fault of selectorFaults(replacement, known)) findings.errors.push(`${path}.replacement: ${fault}`)
  }
}

/** Prefixes that are no backends. */
const RESERVED = new Set(['alias', 'auto', 'hybrid'])

/**
 * Unknown backends in a selector: `backend:model?query`, `a|b|c` or `hybrid:[a,b]`. A prefix that a group of the pattern
 * fills in is known only later.
 */
export function selectorFaults(selector: string, { backends, isModel }: Known): string[] {
  const faults: string[] = []
  const plain = selector.replace(/^hybrid:\[(.*)\]$/s, '$1')
  for (const leg of plain.split(plain === selector ? '|' : /,(?=[^,?]*[:/])/)) {
    const bare = leg.split('?')[0]!
    const colon = bare.indexOf(':')
    const slash = bare.indexOf('/')
    if (colon < 0 || (slash >= 0 && slash < colon)) continue
    const prefix = bare.slice(0, colon)
    const backend = prefix.replace(/\.\d+$/, '')
    if (/[\\$]/.test(prefix) || RESERVED.has(prefix) || backends.includes(prefix) || backends.includes(backend))
      continue
    // `llama-3:free` is a model and its group, not a backend.
    if (isModel(prefix) || isModel(bare)) continue
    faults.push(`unknown backend "${prefix}"; configured: ${backends.join(', ')}`)
  }
  return faults
}
