import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ALLOWANCE_TOKENS,
  bareName,
  countTokens,
  familyOf,
  SHORT_TOKENS_MAX,
  type TokenCount,
} from '#tokens/count-tokens.ts'
import { ABSENCE } from './corpus.ts'
import { loadPrompts, type RecordedPrompt } from './recorded-prompts.ts'

/** Counting without the upstream, held against what the upstreams said that recorded prompts cost (B4). */

const PROMPTS: readonly RecordedPrompt[] = ABSENCE ? [] : loadPrompts()
const PROMPTS_MIN = 500
/** One prompt in twenty may be outside of the bound; of a family with few recordings, one. */
const OUTSIDE_PART_MAX = 0.05

interface Trial {
  readonly prompt: RecordedPrompt
  readonly family: string
  readonly counted: TokenCount
  /** Of the provider's count. */
  readonly errorPercent: number
}

const law = (name: string, check: () => void | Promise<void>): void => {
  test(name, { skip: ABSENCE }, check)
}

async function tryOut(prompt: RecordedPrompt): Promise<Trial> {
  const { model, protocol, request, tokens } = prompt
  const counted = await countTokens(request, { id: model, vendor: '', ...(protocol && { protocol }) })
  const family = familyOf(bareName(model), '').family.name
  return { prompt, family, counted, errorPercent: (100 * Math.abs(counted.tokens - tokens)) / tokens }
}

const isOutside = ({ counted, errorPercent }: Trial): boolean => errorPercent > counted.errorBoundPercent
const describeTrial = ({ prompt, counted, errorPercent }: Trial): string =>
  `${prompt.id}: ${counted.tokens} for ${prompt.tokens}, off by ${errorPercent.toFixed(0)} % of ${counted.errorBoundPercent} %`

function assertFew(trials: readonly Trial[], outside: readonly Trial[], what: string): void {
  const allowed = Math.max(1, Math.floor(trials.length * OUTSIDE_PART_MAX))
  assert.ok(
    outside.length <= allowed,
    `${what}: ${outside.length} of ${trials.length} are outside\n${outside.map(describeTrial).join('\n')}`,
  )
}

const trials: readonly Trial[] = await Promise.all(PROMPTS.map(tryOut))
const texts = trials.filter(({ prompt }) => !prompt.hasMedia)

law('there is something to hold the law against', () => {
  assert.ok(texts.length >= PROMPTS_MIN, String(texts.length))
})

law('of every family, 19 of 20 prompts lie within the declared bound', () => {
  const long = texts.filter(({ prompt }) => prompt.tokens > SHORT_TOKENS_MAX)
  for (const [family, group] of Map.groupBy(long, (trial) => trial.family))
    assertFew(group, group.filter(isOutside), family)
  // Together there is no allowance for small families.
  const outside = long.filter(isOutside)
  assert.ok(outside.length <= long.length * OUTSIDE_PART_MAX, outside.map(describeTrial).join('\n'))
})

law('19 of 20 short prompts are off by twelve tokens at most', () => {
  const short = texts.filter(({ prompt }) => prompt.tokens <= SHORT_TOKENS_MAX)
  const outside = short.filter(({ prompt, counted }) => Math.abs(counted.tokens - prompt.tokens) > ALLOWANCE_TOKENS)
  assertFew(short, outside, 'short')
})

law('prompts with pictures of known size lie within the bound that is told with them', () => {
  const pictured = trials.filter(({ prompt }) => prompt.hasMedia && prompt.hasPicturesOnly)
  assertFew(pictured, pictured.filter(isOutside), 'pictures')
})
