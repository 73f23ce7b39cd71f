import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatRequest } from '#ir/chat-request.ts'
import { bareName, countTokens, familyOf } from './count-tokens.ts'
import { FAMILIES } from './families/index.ts'
import { answer, call, declare, media, requestOf, say, turn } from './testbed.ts'

const HELLO = requestOf({ turns: [turn('user', say('Hello'))] })
const count = (request: ChatRequest, id: string, vendor = '') => countTokens(request, { id, vendor })
const tokens = async (request: ChatRequest, id: string) => (await count(request, id)).tokens
const longText = (words: number): ChatRequest => requestOf({ turns: [turn('user', say(' word'.repeat(words)))] })

test('names lead to families, whoever serves the model', () => {
  const rows: [string, string][] = [
    ['gpt-3.5-turbo-0125', 'openai-classic'],
    ['gpt-4-0613', 'openai-classic'],
    ['openai/gpt-4o-mini', 'openai-4o'],
    ['gpt-4.1', 'openai-4o'],
    ['ft:gpt-4o-mini:acme', 'openai-4o'],
    ['gpt-5.2-codex', 'openai-reasoning'],
    ['o4-mini', 'openai-reasoning'],
    ['openai.gpt-oss-120b-1:0', 'gpt-oss'],
    ['claude-3-5-sonnet-20241022', 'claude-3'],
    ['anthropic/claude-3.7-sonnet:thinking', 'claude-4'],
    ['claude-sonnet-4-20250514', 'claude-4'],
    ['claude-opus-4-1', 'claude-4'],
    ['us.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-4.5'],
    ['anthropic/claude-4.6-sonnet-20260217', 'claude-4.5'],
    ['claude-opus-4-7', 'claude-4.7'],
    ['claude-sonnet-5', 'claude-5'],
    ['google/gemini-2.0-flash', 'gemini-2.0'],
    ['models/gemini-2.5-pro', 'gemini-2.5'],
    ['gemini-3-flash-preview', 'gemini-3'],
    ['deepseek-ai/DeepSeek-V3.2', 'deepseek'],
    ['x-ai/grok-4-fast', 'grok'],
    ['mistral-small-latest', 'mistral'],
    ['us.meta.llama4-maverick-17b-instruct-v1:0', 'llama-4'],
    ['meta.llama3-8b-instruct-v1:0', 'llama-3.0'],
    ['meta-llama/Llama-3.3-70B-Instruct', 'llama'],
    ['Qwen/Qwen3-8B', 'qwen-3'],
    ['Qwen/Qwen3.5-397B-A17B', 'qwen'],
    ['qwen3-coder', 'qwen'],
    ['moonshotai/kimi-k2.5', 'kimi'],
    ['zai-org/GLM-5.2', 'glm'],
    ['command-a-03-2025', 'command'],
    ['us.amazon.nova-2-lite-v1:0', 'nova-2'],
    ['amazon.nova-micro-v1:0', 'nova'],
    ['something-new', 'other'],
  ]
  for (const [id, family] of rows) assert.equal(familyOf(bareName(id), '').family.name, family, id)
})

test('families have names of their own, a bound, and one for everything else', () => {
  assert.equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length)
  for (const { name, errorBoundPercent } of FAMILIES)
    assert.ok(errorBoundPercent >= 10 && errorBoundPercent <= 100, name)
  assert.equal(FAMILIES.at(-1)?.model.test(''), true)
})

test('a model known by its vendor alone is counted as its newest, within a wider bound', async () => {
  const request = longText(1_000)
  const known = await count(request, 'claude-sonnet-5')
  const guessed = await count(request, 'private-preview', 'anthropic')
  assert.deepEqual([known.tokens, guessed.tokens], [1_408, 1_408])
  assert.deepEqual([known.errorBoundPercent, guessed.errorBoundPercent], [35, 50])
  assert.equal((await count(request, 'private-preview', 'nobody')).errorBoundPercent, 100)
})

test('a short prompt is its text and its frame', async () => {
  assert.equal(await tokens(requestOf({}), 'gemini-2.5-flash'), 1)
  assert.equal(await tokens(HELLO, 'gpt-4o'), 8)
  assert.equal(await tokens(HELLO, 'gpt-5'), 7)
  assert.equal(await tokens(HELLO, 'gpt-3.5-turbo'), 8)
  const instructed = { ...HELLO, instructions: [{ type: 'text', path: '', text: 'Be brief' }] } as const
  assert.equal(await tokens(instructed, 'gpt-4o'), 8 + 4 + 2)
})

test('a short prompt is allowed twelve tokens', async () => {
  assert.equal((await count(HELLO, 'gpt-4o')).errorBoundPercent, 150)
  assert.equal((await count(longText(30), 'gpt-4o')).errorBoundPercent, Math.ceil(1200 / 37))
  assert.equal((await count(longText(60), 'gpt-4o')).errorBoundPercent, 20)
})

test('the encoding is the family’s', async () => {
  const text = requestOf({ turns: [turn('user', say('こんにちは、世界'))] })
  assert.equal(await tokens(text, 'gpt-4o'), 7 + 3)
  assert.equal(await tokens(text, 'gpt-4-turbo'), 7 + 5)
})

test('tools cost their declarations and an introduction', async () => {
  const tools = [declare('find')]
  // "type find = () => any;\n" is seven tokens.
  assert.equal(await tokens({ ...HELLO, tools }, 'gpt-4o'), 8 + 11 + 7)
  assert.equal(await tokens({ ...HELLO, tools, toolChoice: { type: 'required' } }, 'gpt-4o'), 8 + 11 + 7 + 3)
  const claude = await tokens({ ...HELLO, tools }, 'claude-sonnet-4-6')
  assert.equal(claude - (await tokens({ ...HELLO, tools, parallelToolCalls: false }, 'claude-sonnet-4-6')), 205)
  assert.equal(
    await tokens({ ...HELLO, parallelToolCalls: false }, 'claude-sonnet-4-6'),
    await tokens(HELLO, 'claude-sonnet-4-6'),
  )
})

test('some upstreams keep tools from the model when none may be called', async () => {
  const request = { ...HELLO, tools: [declare('find')], toolChoice: { type: 'none' } } as const
  assert.equal(await tokens(request, 'deepseek-chat'), await tokens(HELLO, 'deepseek-chat'))
  assert.notEqual(await tokens(request, 'gpt-4o'), await tokens(HELLO, 'gpt-4o'))
})

test('the protocol that the upstream is asked in makes a difference', async () => {
  const request = { ...HELLO, tools: [declare('find')] }
  const ask = async (protocol?: 'openai-chat' | 'openai-responses') =>
    (await countTokens(request, { id: 'gpt-5', vendor: 'openai', ...(protocol && { protocol }) })).tokens
  assert.equal(await ask('openai-responses'), await ask())
  assert.equal(await ask('openai-chat'), (await ask())! + 82)
})

test('earlier calls cost their text and a frame', async () => {
  const turns = [turn('user', say('Hello')), turn('assistant', call('find', '{}')), turn('user', answer(say('one')))]
  // "find", "{}" and "one" are a token each.
  assert.equal(await tokens(requestOf({ turns }), 'gpt-4o'), Math.round(8 + 3 + 17.5))
})

test('switches that make the provider explain something', async () => {
  const base = await tokens(HELLO, 'claude-sonnet-4-6')
  const thinking = { enabled: true, effort: null, budgetTokens: 1024, isAdaptive: false, isShown: null, summary: null }
  const more = async (some: Partial<ChatRequest>) => (await tokens({ ...HELLO, ...some }, 'claude-sonnet-4-6')) - base
  assert.equal(await more({ reasoning: thinking }), 28)
  assert.equal(await more({ reasoning: { ...thinking, enabled: null, isAdaptive: true } }), 0)
  assert.equal(await more({ reasoning: { ...thinking, enabled: false } }), 0)
  assert.equal(await more({ reasoning: { ...thinking, enabled: null, budgetTokens: 0 } }), 0)
  assert.equal(await more({ reasoning: { ...thinking, enabled: null, budgetTokens: null, effort: 'none' } }), 0)
  const json = { ...HELLO, format: { type: 'json' } } as const
  assert.equal((await tokens(json, 'deepseek-chat')) - (await tokens(HELLO, 'deepseek-chat')), 20)
})

test('reasoning of before counts where the provider keeps it', async () => {
  const think = { type: 'reasoning', path: '', text: ' word'.repeat(100), seal: null, id: null } as const
  const turns = [turn('user', say('Hello')), turn('assistant', think, say('Hi')), turn('user', say('Hello'))]
  const without = turns.map((each) => ({ ...each, blocks: each.blocks.filter(({ type }) => type !== 'reasoning') }))
  const cost = async (id: string) =>
    (await tokens(requestOf({ turns }), id)) - (await tokens(requestOf({ turns: without }), id))
  assert.equal(await cost('gpt-5'), 0)
  assert.equal(await cost('mistral-small'), 100)
})

test('what is unknown is said to be uncertain', async () => {
  const search = { type: 'server', path: '', name: 's', kind: 'web-search', issuer: 'gemini', value: {} } as const
  assert.equal((await count({ ...longText(100), tools: [search] }, 'gemini-2.5-flash')).errorBoundPercent, 100)
})

test('the bound of a guessed picture weighs as much as its tokens', async () => {
  const link = media('image', { type: 'url', mimeType: null, url: 'https://example.com/a.png' })
  const request = requestOf({ turns: [turn('user', say(' word'.repeat(3_996)), link)] })
  // 4,003 tokens of text within 20 %, 425 of a picture within 100 %.
  assert.deepEqual(await count(request, 'gpt-4o'), { tokens: 4_003 + 425, errorBoundPercent: 28 })
})

test('a very long prompt is estimated, and says so', async () => {
  const { tokens: counted, errorBoundPercent } = await count(longText(200_000), 'gpt-4o')
  assert.equal(errorBoundPercent, 25)
  assert.ok(Math.abs(counted / 200_007 - 1) < 0.01, String(counted))
})
