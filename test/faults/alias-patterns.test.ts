import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ALIAS_INSTRUCTIONS_MAX, ALIAS_PATTERN_CHARACTERS_MAX, compileAliasPattern } from '#base/alias-pattern.ts'
import { ALIAS_STEPS_MAX, ALIASED_CHARACTERS_MAX, rewriteAlias } from '#data-plane/4-resolve/aliases.ts'

/** Fault S19: no pattern of an alias takes long, whatever is matched against it. */

const MS_MAX = 5
/** The best of so many, because the machine may do something else meanwhile. */
const RUNS = 7

/** Patterns that take an engine with backtracking time without an end, and the text that makes them do so. */
const EVIL: readonly (readonly [pattern: string, unit: string, end: string])[] = [
  ['^(a+)+$', 'a', '!'],
  ['^([a-zA-Z]+)*$', 'a', '!'],
  ['^(a|aa)+$', 'a', '!'],
  ['^(a|a?)+$', 'a', '!'],
  ['^(.*a){20}$', 'a', '!'],
  ['^(.*?a){30}b', 'a', '!'],
  ['^((ab)*)*$', 'ab', '!'],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a', '!'],
  ['^(\\w+\\s?)*$', 'a', '!'],
  ['^(\\d+)*[^\\d]x', '1', '!'],
  ['^(x+x+)+y', 'x', '!'],
  ['^(a*)*b', 'a', '!'],
  ['^(a?){64}a{64}', 'a', '!'],
  ['^([^/]*/)*([^/]+)z$', 'a/', '!'],
  ['^(gpt-)*(gpt-)*(gpt-)*(gpt-)*!', 'gpt-', '?'],
  ['^(.+)+:(.+)+:(.+)+$', 'a', '!'],
  ['^(?:(?:a{1,20}){1,20})$', 'a', '!'],
  ['^(a|b|ab)*(c)$', 'ab', '!'],
  ['^([\\w.-]+)+@([\\w.-]+)+$', 'a.', '!'],
  ['^(?i:(a|A)*)*(?:(a|A)*)*$', 'aA', '!'],
  // As long and as large as they may be, every instruction live at every character.
  [`^${'a*'.repeat((ALIAS_PATTERN_CHARACTERS_MAX - 1) / 2)}`, 'a', '!'],
  [`^(?:a?){${ALIAS_INSTRUCTIONS_MAX / 2 - 2}}$`, 'a', '!'],
]

const hostile = (unit: string, end: string, charactersMax: number): string =>
  unit.repeat(Math.floor((charactersMax - end.length) / unit.length)) + end

suite('fault S19: ReDoS', () => {
  for (const [pattern, unit, end] of EVIL) {
    test(`${pattern.slice(0, 40)} takes at most ${MS_MAX} ms`, () => {
      // What is refused, or not even looked at, would be quick as well.
      const instructions = compileAliasPattern(pattern).programSize()
      const charactersMax = Math.min(ALIASED_CHARACTERS_MAX, Math.floor(ALIAS_STEPS_MAX / instructions))
      const rules = [{ pattern, replacement: 'x' }]
      const text = hostile(unit, end, charactersMax)
      let best = Infinity
      for (let run = 0; run < RUNS; run++) {
        const startedAt = performance.now()
        rewriteAlias(rules, text)
        best = Math.min(best, performance.now() - startedAt)
      }
      assert.ok(best <= MS_MAX, `${best} ms`)
    })
  }

  test('what is looked at has bounds, and what RE2 cannot do is refused', () => {
    const matches = (pattern: string, text: string) => rewriteAlias([{ pattern, replacement: 'x' }], text) !== null
    assert.ok(matches('^a+$', 'a'.repeat(ALIASED_CHARACTERS_MAX)))
    assert.ok(!matches('^a+$', 'a'.repeat(ALIASED_CHARACTERS_MAX + 1)))
    const longest = 'a*'.repeat(ALIAS_PATTERN_CHARACTERS_MAX / 2)
    const reachable = Math.floor(ALIAS_STEPS_MAX / compileAliasPattern(longest).programSize())
    assert.ok(matches(longest, 'a'.repeat(reachable)))
    assert.ok(!matches(longest, 'a'.repeat(reachable + 1)))
    // One instruction for each `a`, one for each question mark, and two around them.
    const repeated = (times: number): string => `(?:a?){${times}}`
    assert.ok(matches(repeated((ALIAS_INSTRUCTIONS_MAX - 2) / 2), 'a'))
    assert.ok(!matches(repeated(ALIAS_INSTRUCTIONS_MAX / 2), 'a'))
    assert.ok(!matches(`a${'a?'.repeat(ALIAS_PATTERN_CHARACTERS_MAX / 2)}`, 'a'))
    for (const pattern of ['(?=a)a', '(?<!b)a', '(a)\\1']) assert.ok(!matches(pattern, 'aa'))
  })
})
