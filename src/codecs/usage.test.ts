import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Usage } from '#ir/usage.ts'
import { readMessagesUsage } from './anthropic-messages/usage.ts'
import { readGeminiUsage } from './gemini/answer.ts'
import { CHAT_USAGE, openAiUsageAt, readOpenAiUsage, RESPONSES_USAGE } from './openai-chat/usage.ts'

/** R87, R35, fault M6: what each provider counts, in the one form that is priced. */

type Counts = [
  input: number | null,
  cacheRead: number | null,
  cacheWrite: number | null,
  cacheWrite1h: number | null,
  output: number | null,
  reasoning: number | null,
]
type Row = [name: string, reported: unknown, counts: Counts | null]

const BIG = 2 ** 53
const chat = (prompt_tokens: unknown, completion_tokens: unknown, rest: object = {}) => ({
  prompt_tokens,
  completion_tokens,
  ...rest,
})
const cached = (cached_tokens: unknown) => ({ prompt_tokens_details: { cached_tokens } })
const thought = (reasoning_tokens: unknown) => ({ completion_tokens_details: { reasoning_tokens } })

const OPENAI: Row[] = [
  ['plain', chat(10, 5), [10, null, null, null, 5, null]],
  ['zeros stay zero', chat(0, 0), [0, null, null, null, 0, null]],
  ['cached is part of the prompt', chat(100, 5, cached(80)), [20, 80, null, null, 5, null]],
  ['all of it cached', chat(100, 5, cached(100)), [0, 100, null, null, 5, null]],
  ['a reported zero is zero', chat(10, 5, cached(0)), [10, 0, null, null, 5, null]],
  ['more cached than prompted: the prompt excludes it', chat(29, 6, cached(157)), [29, 157, null, null, 6, null]],
  [
    'written to the cache',
    chat(100, 5, { prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 50 } }),
    [20, 30, 50, null, 5, null],
  ],
  [
    'written to the cache, the other spelling',
    chat(100, 5, { prompt_tokens_details: { cache_creation_tokens: 50 } }),
    [50, null, 50, null, 5, null],
  ],
  [
    'DeepSeek',
    chat(100, 5, { prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }),
    [36, 64, null, null, 5, null],
  ],
  ['Mistral', chat(64, 6, { num_cached_tokens: 32 }), [32, 32, null, null, 6, null]],
  ['Moonshot', chat(20, 30, { cached_tokens: 10 }), [10, 10, null, null, 30, null]],
  [
    'reasoning is part of the output',
    chat(10, 100, { total_tokens: 110, ...thought(90) }),
    [10, null, null, null, 100, 90],
  ],
  [
    'xAI: the total shows it apart',
    chat(10, 10, { total_tokens: 110, ...thought(90) }),
    [10, null, null, null, 100, 90],
  ],
  [
    'apart, named at the top',
    chat(10, 31, { total_tokens: 133, reasoning_tokens: 92 }),
    [10, null, null, null, 123, 92],
  ],
  ['no reasoning, no addition', chat(10, 10, { total_tokens: 20, ...thought(0) }), [10, null, null, null, 10, 0]],
  ['half a report', chat(10, undefined), [10, null, null, null, null, null]],
  ['half a report with null', chat(null, 3), [null, null, null, null, 3, null]],
  ['odd details are not reported', chat(10, 5, { ...cached('3'), ...thought(-1) }), [10, null, null, null, 5, null]],
  ['details that are no object', chat(10, 5, { prompt_tokens_details: 3 }), [10, null, null, null, 5, null]],
  ['the largest count', chat(BIG - 1, 0), [BIG - 1, null, null, null, 0, null]],
  ['negative', chat(-1, 5), null],
  ['fractional', chat(10, 5.5), null],
  ['text', chat('10', 5), null],
  ['beyond what a number holds', chat(10, BIG), null],
  ['nothing', {}, null],
  ['null', null, null],
  ['no object', 5, null],
]

const GEMINI: Row[] = [
  ['plain', { promptTokenCount: 10, candidatesTokenCount: 5 }, [10, null, null, null, 5, null]],
  ['zeros stay zero', { promptTokenCount: 0, candidatesTokenCount: 0 }, [0, null, null, null, 0, null]],
  [
    'thoughts are output that the candidates exclude',
    { promptTokenCount: 10, candidatesTokenCount: 10, thoughtsTokenCount: 90 },
    [10, null, null, null, 100, 90],
  ],
  ['only thoughts', { promptTokenCount: 10, thoughtsTokenCount: 90 }, [10, null, null, null, 90, 90]],
  [
    'cached is part of the prompt',
    { promptTokenCount: 100, cachedContentTokenCount: 80, candidatesTokenCount: 1 },
    [20, 80, null, null, 1, null],
  ],
  ['more cached than prompted', { promptTokenCount: 1, cachedContentTokenCount: 5 }, [0, 5, null, null, null, null]],
  [
    'what tools put into the prompt',
    { promptTokenCount: 20, toolUsePromptTokenCount: 371, candidatesTokenCount: 1 },
    [391, null, null, null, 1, null],
  ],
  ['only a total', { totalTokenCount: 9 }, null],
  ['negative', { promptTokenCount: -1, candidatesTokenCount: 5 }, null],
  ['fractional', { promptTokenCount: 1, candidatesTokenCount: 0.5 }, null],
  ['text', { promptTokenCount: '1', candidatesTokenCount: 5 }, null],
  ['beyond what a number holds', { promptTokenCount: BIG }, null],
  ['two counts that add up beyond it', { candidatesTokenCount: BIG - 1, thoughtsTokenCount: BIG - 1 }, null],
  ['two prompts that add up beyond it', { promptTokenCount: BIG - 1, toolUsePromptTokenCount: 1 }, null],
  ['nothing', {}, null],
  ['null', null, null],
]

const split = (five: unknown, hour: unknown) => ({
  cache_creation: { ephemeral_5m_input_tokens: five, ephemeral_1h_input_tokens: hour },
})
const messages = (input_tokens: unknown, output_tokens: unknown, rest: object = {}) => ({
  input_tokens,
  output_tokens,
  ...rest,
})
const ANTHROPIC: Row[] = [
  ['plain', messages(10, 5), [10, null, null, null, 5, null]],
  [
    'the cache is beside the input',
    messages(10, 5, { cache_read_input_tokens: 80, cache_creation_input_tokens: 0 }),
    [10, 80, 0, null, 5, null],
  ],
  ['written without a split', messages(10, 5, { cache_creation_input_tokens: 50 }), [10, null, 50, null, 5, null]],
  [
    'written in both classes',
    messages(10, 5, { cache_creation_input_tokens: 300, ...split(100, 200) }),
    [10, null, 100, 200, 5, null],
  ],
  ['only the split', messages(10, 5, split(100, 200)), [10, null, 100, 200, 5, null]],
  [
    'a split of zeros beside a total',
    messages(10, 5, { cache_creation_input_tokens: 1200, ...split(0, 0) }),
    [10, null, 1200, 0, 5, null],
  ],
  [
    'a total below its split',
    messages(10, 5, { cache_creation_input_tokens: 0, ...split(7, 0) }),
    [10, null, 7, 0, 5, null],
  ],
  ['thinking', messages(10, 100, { output_tokens_details: { thinking_tokens: 90 } }), [10, null, null, null, 100, 90]],
  ['negative', messages(-1, 5), null],
  ['fractional', messages(1, 5.5), null],
  ['text', messages(1, '5'), null],
  ['beyond what a number holds', messages(BIG, 1), null],
  ['nothing', {}, null],
]

function assertCounts(usage: Usage | null, counts: Counts | null, name: string): void {
  const [input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning] = counts ?? []
  const expected = counts && { input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning, source: 'upstream' }
  assert.deepEqual(usage, expected, name)
}

test('OpenAI-style usage in the normal form', () => {
  for (const [name, reported, counts] of OPENAI) assertCounts(readOpenAiUsage(reported, CHAT_USAGE), counts, name)
})

test('OpenAI-style usage is read the same from its bytes, however they are written', () => {
  const spellings = [
    (reported: unknown) => JSON.stringify(reported),
    (reported: unknown) => JSON.stringify(reported, null, 2),
    (reported: unknown) => JSON.stringify(reported).replaceAll('_', String.raw`\u005f`),
  ]
  for (const [name, reported, counts] of OPENAI) {
    if (reported === null || typeof reported !== 'object') continue
    for (const spell of spellings) {
      const bytes = Buffer.from(`{"usage":${spell(reported)},"prompt_tokens":77}`)
      assertCounts(openAiUsageAt(bytes, '{"usage":'.length, bytes.lastIndexOf(','), CHAT_USAGE), counts, name)
    }
  }
})

test('a reported cost is kept whether it is a whole number or not', () => {
  for (const [cost, expected] of [
    ['0', '0'],
    ['2', '2'],
    ['0.00012', '0.00012'],
    ['"1.5"', '1.5'],
    ['null', undefined],
  ] as const) {
    const bytes = Buffer.from(`{"prompt_tokens":1,"cost":${cost}}`)
    assert.equal(openAiUsageAt(bytes, 0, bytes.length, CHAT_USAGE)?.costUsd, expected, cost)
  }
})

test('the Responses API counts alike under other names', () => {
  const reported = {
    input_tokens: 100,
    output_tokens: 9,
    input_tokens_details: { cached_tokens: 40 },
    output_tokens_details: { reasoning_tokens: 8 },
  }
  assertCounts(readOpenAiUsage(reported, RESPONSES_USAGE), [60, 40, null, null, 9, 8], 'responses')
})

test('Gemini usage in the normal form', () => {
  for (const [name, reported, counts] of GEMINI) assertCounts(readGeminiUsage(reported), counts, name)
})

test('Anthropic usage in the normal form', () => {
  for (const [name, reported, counts] of ANTHROPIC) {
    assertCounts(readMessagesUsage(reported as Record<string, unknown>, null), counts, name)
  }
})

test('a later Anthropic report replaces what it names and keeps the rest', () => {
  const start = readMessagesUsage(
    messages(10, 1, { cache_read_input_tokens: 4, cache_creation_input_tokens: 300, ...split(100, 200) }),
    null,
  )
  const then = (fields: Record<string, unknown>, counts: Counts | null, name: string) =>
    assertCounts(readMessagesUsage(fields, start), counts, name)
  then({ output_tokens: 25 }, [10, 4, 100, 200, 25, null], 'only the output')
  then({}, [10, 4, 100, 200, 1, null], 'nothing new')
  then(messages(12, 25, { cache_read_input_tokens: 9 }), [12, 9, 100, 200, 25, null], 'repeated input')
  // The total counts both classes, of which only the first report tells the hour's.
  then(messages(10, 25, { cache_creation_input_tokens: 300 }), [10, 4, 100, 200, 25, null], 'repeated total')
  then(messages(0, 0, { cache_read_input_tokens: 0 }), [0, 0, 100, 200, 0, null], 'zeros replace')
  then({ output_tokens: -25 }, null, 'what is no count takes all back')
})
