import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'

/** A longer pattern is refused (R37). */
export const ALIAS_PATTERN_CHARACTERS_MAX = 512

/** So is one that counted repetitions blow up to more instructions: its time for each character is as long. */
export const ALIAS_INSTRUCTIONS_MAX = 1000

// Most configurations have no alias, so the engine is loaded by the first that has one.
let engine: typeof import('re2js') | undefined

/**
 * The pattern of an alias in linear time (RE2 syntax; names as `(?P<n>..)` or `(?<n>..)`). Throws an Error that says what
 * RE2 cannot do: look-around and back-references within a pattern (C16).
 */
export function compileAliasPattern(pattern: string): RE2JS {
  if (pattern.length > ALIAS_PATTERN_CHARACTERS_MAX) {
    throw new Error(`a pattern has at most ${ALIAS_PATTERN_CHARACTERS_MAX} characters`)
  }
  if (/\(\?<?[=!]/.test(pattern)) throw new Error('look-around is not supported')
  if (/(?<!\\)(?:\\\\)*\\[1-9]/.test(pattern)) throw new Error('a back-reference within the pattern is not supported')
  engine ??= createRequire(import.meta.url)('re2js') as typeof import('re2js')
  const compiled = compile(engine, pattern)
  if (compiled.programSize() > ALIAS_INSTRUCTIONS_MAX) throw new Error('its repetitions make it too large')
  return compiled
}

function compile({ RE2JS }: typeof import('re2js'), pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (thrown) {
    throw new Error((thrown as Error).message.replace(/^error parsing regexp: /, ''), { cause: thrown })
  }
}
