import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findPreset, PRESETS, protocolUrl } from './presets.ts'

const GENERIC = ['openai-compatible', 'anthropic-compatible', 'gemini-compatible', 'simulator']

test('R62: 28 providers and the generic types, each once', () => {
  const types = PRESETS.map((preset) => preset.type)
  assert.equal(new Set(types).size, types.length)
  assert.ok(types.filter((type) => !GENERIC.includes(type)).length >= 28)
  for (const type of GENERIC) assert.ok(types.includes(type))
  const named =
    'openai anthropic gemini vertex azure bedrock openrouter mistral cohere together perplexity deepseek groq fireworks xai qwen dashscope moonshot kimi minimax zai zhipu nvidia cerebras deepinfra sambanova hyperbolic novita huggingface ollama vllm lmstudio'
  for (const type of named.split(' ')) assert.ok(findPreset(type), type)
})

test('variables are not shared between presets', () => {
  const prefixes = PRESETS.flatMap((preset) => preset.envPrefixes)
  assert.equal(new Set(prefixes).size, prefixes.length)
})

test('base URLs have no trailing slash; those of root protocols no version', () => {
  for (const { type, apiUrl, protocols } of PRESETS) {
    if (apiUrl === null) continue
    assert.ok(!apiUrl.endsWith('/'), type)
    if (!protocols.some((protocol) => protocol.startsWith('openai-'))) assert.doesNotMatch(apiUrl, /\/v1/, type)
  }
})

test('a type is found in any case with either separator', () => {
  for (const spelling of ['openai_compatible', 'OpenAI-Compatible', ' openai-compatible ']) {
    assert.equal(findPreset(spelling)?.type, 'openai-compatible')
  }
  assert.equal(findPreset('kimi')?.type, 'moonshot')
  assert.equal(findPreset('nothing'), undefined)
})

test('where a protocol is spoken', () => {
  const rows: [type: string, protocol: Parameters<typeof protocolUrl>[1], base: string, moved: boolean, url: string][] =
    [
      ['openai', 'openai-chat', 'https://api.openai.com/v1', false, 'https://api.openai.com/v1'],
      ['openrouter', 'anthropic-messages', 'https://openrouter.ai/api/v1', false, 'https://openrouter.ai/api'],
      ['openrouter', 'anthropic-messages', 'http://mock:1/api/v1', true, 'http://mock:1/api'],
      ['deepseek', 'anthropic-messages', 'https://api.deepseek.com/v1', false, 'https://api.deepseek.com/anthropic'],
      ['deepseek', 'anthropic-messages', 'http://mock:1/v1', true, 'http://mock:1/anthropic'],
      ['cohere', 'cohere-chat', 'https://api.cohere.com', false, 'https://api.cohere.com'],
      ['cohere', 'cohere-chat', 'http://mock:1/compatibility/v1', true, 'http://mock:1'],
      ['cohere', 'openai-chat', 'https://api.cohere.com', false, 'https://api.cohere.com/compatibility/v1'],
      ['cohere', 'openai-chat', 'http://mock:1', true, 'http://mock:1/compatibility/v1'],
      ['cohere', 'openai-chat', 'http://mock:1/compatibility/v1', true, 'http://mock:1/compatibility/v1'],
      ['openai-compatible', 'openai-chat', 'http://mock:1/custom', true, 'http://mock:1/custom'],
      ['openai-compatible', 'anthropic-messages', 'http://mock:1/v1', true, 'http://mock:1'],
      ['anthropic', 'anthropic-messages', 'http://mock:1/v1', true, 'http://mock:1'],
      ['anthropic', 'openai-chat', 'http://mock:1', true, 'http://mock:1/v1'],
      ['gemini', 'gemini', 'http://mock:1/v1beta', true, 'http://mock:1'],
      ['simulator', 'openai-chat', 'http://mock:1', true, 'http://mock:1/v1'],
      ['simulator', 'gemini', 'http://mock:1', true, 'http://mock:1'],
    ]
  for (const [type, protocol, base, moved, url] of rows) {
    assert.equal(protocolUrl(findPreset(type)!, protocol, base, moved), url, `${type} ${protocol} ${base}`)
  }
})
