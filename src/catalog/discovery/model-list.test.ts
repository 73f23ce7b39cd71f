import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DISCOVERED_MODELS_MAX, readModelList } from './model-list.ts'

const openrouter = {
  id: 'maker/model-1:free',
  name: 'Maker: Model 1',
  context_length: 200_000,
  architecture: { input_modalities: ['text', 'image', 'file'], output_modalities: ['text'] },
  top_provider: { max_completion_tokens: 8192 },
  supported_parameters: ['tools', 'reasoning', 'structured_outputs', 'temperature'],
  pricing: {
    prompt: '0.000003',
    completion: '0.0000150',
    input_cache_read: '0.0000003',
    image: '0.0048',
    request: '0',
    web_search: '0.01',
    internal_reasoning: '0',
  },
}

test('an entry of OpenRouter, with its prices exactly', () => {
  const { models, remarks } = readModelList([openrouter], 'openai')
  assert.deepEqual(remarks, [])
  assert.deepEqual(models, [
    {
      id: 'maker/model-1:free',
      upstream_model: 'maker/model-1:free',
      name: 'Maker: Model 1',
      context_window: 200_000,
      max_output: 8192,
      capabilities: ['streaming', 'tools', 'json_schema', 'reasoning', 'thinking', 'vision', 'pdf'],
      input_modalities: ['text', 'image', 'file'],
      output_modalities: ['text'],
      price: { input: '3', output: '15', cache_read: '0.3', image: '0.0048' },
    },
  ])
})

describe('prices', () => {
  const priceOf = (pricing: object) => readModelList([{ ...openrouter, pricing }], 'openai')

  test('the smallest that can be counted is exact, in any notation', () => {
    const tiny = { prompt: '0.000000000001', completion: '1e-12', input_cache_read: '0.00000010000000000' }
    assert.deepEqual(priceOf(tiny).models[0]?.price, { input: '0.000001', output: '0.000001', cache_read: '0.1' })
    // A binary fraction would have made 0.30000000000000004 of this.
    assert.equal(priceOf({ prompt: '0.0000003', completion: '0.0000001' }).models[0]?.price?.['input'], '0.3')
  })

  test('what cannot be counted exactly, depends on the request or is no number is no price, and is told', () => {
    for (const prompt of ['0.0000000000001', '-1', 'free', true]) {
      const { models, remarks } = priceOf({ prompt, completion: '0' })
      assert.equal(models[0]?.price, undefined)
      assert.deepEqual(remarks, [`maker/model-1:free: no price: prompt is ${JSON.stringify(prompt)}`])
    }
    assert.equal(priceOf({ prompt: '0.1' }).models[0]?.price, undefined)
  })

  test('free is a price', () => {
    assert.deepEqual(priceOf({ prompt: '0', completion: '0' }).models[0]?.price, { input: '0', output: '0' })
  })
})

test("OpenAI's list tells only ids; kinds that are not served are left out", () => {
  const list = ['gpt-5', 'text-embedding-3-large', 'whisper-1', 'dall-e-3'].map((id) => ({ id, object: 'model' }))
  assert.deepEqual(readModelList(list, 'openai').models, [
    { id: 'gpt-5', upstream_model: 'gpt-5' },
    { id: 'text-embedding-3-large', upstream_model: 'text-embedding-3-large', capabilities: ['embeddings'] },
  ])
})

test("Anthropic's and Gemini's lists", () => {
  const anthropic = [{ type: 'model', id: 'claude-x', display_name: 'Claude X', created_at: '2026-01-01T00:00:00Z' }]
  assert.deepEqual(readModelList(anthropic, 'anthropic').models, [
    { id: 'claude-x', upstream_model: 'claude-x', name: 'Claude X' },
  ])
  const gemini = [
    {
      name: 'models/gemini-x',
      inputTokenLimit: 1000,
      outputTokenLimit: 100,
      supportedGenerationMethods: ['generateContent'],
    },
    {
      name: 'models/embed-x',
      inputTokenLimit: 2048,
      outputTokenLimit: 1,
      supportedGenerationMethods: ['embedContent'],
    },
    { name: 'models/aqa', supportedGenerationMethods: ['generateAnswer'] },
  ]
  assert.deepEqual(readModelList(gemini, 'gemini').models, [
    { id: 'gemini-x', upstream_model: 'gemini-x', context_window: 1000, max_output: 100 },
    { id: 'embed-x', upstream_model: 'embed-x', context_window: 2048, capabilities: ['embeddings'] },
  ])
})

test('what cannot be read is counted, a bad member is only left out, and the list is bounded', () => {
  const list = [
    null,
    7,
    {},
    { id: '' },
    { id: 'with space' },
    { id: 'ok', name: 5, context_length: 'long' },
    { id: 'ok' },
  ]
  assert.deepEqual(readModelList(list, 'openai'), {
    models: [{ id: 'ok', upstream_model: 'ok' }],
    remarks: ['5 entries of the list cannot be read'],
  })
  const many = Array.from({ length: DISCOVERED_MODELS_MAX + 1 }, (_, index) => ({ id: `m${index}` }))
  const { models, remarks } = readModelList(many, 'openai')
  assert.equal(models.length, DISCOVERED_MODELS_MAX)
  assert.deepEqual(remarks, [`only the first ${DISCOVERED_MODELS_MAX} models are read`])
})
