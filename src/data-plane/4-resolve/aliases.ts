import { compileAliasPattern } from '#base/alias-pattern.ts'

export interface AliasRule {
  readonly pattern: string
  readonly replacement: string
}

export interface Rewritten {
  readonly text: string
  /** Index of the rule. */
  readonly rule: number
}

/** A longer model string is matched against no alias. */
export const ALIASED_CHARACTERS_MAX = 512

/**
 * What matching may cost: characters of the model string times instructions of the pattern, about one for each of its own
 * characters. That much takes one or two milliseconds; a pattern that could take more does not match.
 */
export const ALIAS_STEPS_MAX = 50_000

type Pattern = ReturnType<typeof compileAliasPattern>

// Rules live as long as the settings they belong to.
const compiled = new WeakMap<readonly AliasRule[], readonly (Pattern | null)[]>()

/**
 * Applies the first rule whose pattern matches at the start of the string; null when none does (R37). The result is the
 * expanded replacement alone, as Python's `match.expand` gives it: what stands behind the match is dropped, and the result is not
 * rewritten again.
 */
export function rewriteAlias(rules: readonly AliasRule[], text: string): Rewritten | null {
  if (rules.length === 0 || text.length > ALIASED_CHARACTERS_MAX) return null
  for (const [rule, pattern] of patternsOf(rules).entries()) {
    if (pattern === null || text.length * pattern.programSize() > ALIAS_STEPS_MAX) continue
    const matcher = pattern.matcher(text)
    if (matcher.lookingAt()) return { text: expand(rules[rule]!.replacement, (group) => groupOf(matcher, group)), rule }
  }
  return null
}

function patternsOf(rules: readonly AliasRule[]): readonly (Pattern | null)[] {
  let patterns = compiled.get(rules)
  if (!patterns) compiled.set(rules, (patterns = rules.map(({ pattern }) => compileOrSkip(pattern))))
  return patterns
}

/** The settings were checked at their loading; what turns out invalid all the same is skipped (R38). */
function compileOrSkip(pattern: string): Pattern | null {
  try {
    return compileAliasPattern(pattern)
  } catch {
    return null
  }
}

/** `\1` to `\99`, `\g<1>`, `\g<name>`, `$1`, `$<name>`; `\\` is a backslash. */
const REFERENCE = /\\(?:(\d{1,2})|g<(\w+)>|(\\))|\$(?:(\d{1,2})|<(\w+)>)/g

function expand(replacement: string, groupOf: (group: string) => string): string {
  return replacement.replace(REFERENCE, (whole, ...parts: (string | undefined)[]) => {
    const [python, named, backslash, dollar, dollarNamed] = parts
    if (backslash !== undefined) return backslash
    return groupOf(python ?? named ?? dollar ?? dollarNamed ?? whole)
  })
}

/** A group that took no part is empty; so is one that the pattern does not have. */
function groupOf(matcher: ReturnType<Pattern['matcher']>, group: string): string {
  try {
    return (/^\d+$/.test(group) ? matcher.group(Number(group)) : matcher.group(group)) ?? ''
  } catch {
    return ''
  }
}
