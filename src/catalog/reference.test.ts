import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findProvider } from '@pydantic/genai-prices'
import { formatPricePerMillion } from '#base/money.ts'
import { exactPrice, findReference, referenceModels } from './reference.ts'

const NOW = Date.parse('2026-11-20T12:00:00Z')

test('all eight ids of R25 are known, priced and capable', () => {
  const ids = [
    'gpt-5',
    'gpt-5-mini',
    'o3',
    'claude-opus-4-7',
    'claude-sonnet-4-7',
    'gemini-3-flash-preview',
    'gemini-2.5-pro',
  ]
  for (const id of ids) {
    const row = findReference(id, NOW)
    assert.equal(row?.kind, 'chat', id)
    assert.ok(row.price && row.price.input > 0n && row.price.output > 0n, id)
    assert.ok(row.contextWindow !== null && row.maxOutput !== null, id)
    for (const capability of ['tools', 'vision', 'json_schema', 'reasoning']) {
      assert.ok(row.capabilities.includes(capability), `${id} ${capability}`)
    }
  }
  const embedding = findReference('text-embedding-3-large', NOW)
  assert.equal(embedding?.kind, 'embedding')
  assert.equal(embedding.price?.input, 130_000n)
  assert.deepEqual(embedding.capabilities, ['embeddings', 'dimensions'])
})

test('thinking is a capability of Claude and Gemini that have it', () => {
  assert.ok(findReference('claude-opus-4-7', NOW)?.capabilities.includes('thinking'))
  assert.ok(findReference('gemini-2.5-pro', NOW)?.capabilities.includes('thinking'))
  assert.ok(!findReference('gemini-2.0-flash', NOW)?.capabilities.includes('thinking'))
})

test('known prices, to the last digit', () => {
  const gpt = findReference('gpt-5', NOW)?.price
  assert.deepEqual([gpt?.input, gpt?.cacheRead, gpt?.output], [1_250_000n, 125_000n, 10_000_000n])
  const claude = findReference('claude-opus-4-7', NOW)?.price
  assert.deepEqual([claude?.cacheWrite, claude?.cacheWrite1h, claude?.cacheRead], [6_250_000n, 10_000_000n, 500_000n])
  const gemini = findReference('gemini-2.5-pro', NOW)?.price
  assert.deepEqual(
    gemini?.tiers.map((tier) => [tier.aboveInputTokens, tier.input, tier.output, tier.cacheRead]),
    [[200_000, 2_500_000n, 15_000_000n, 250_000n]],
  )
})

test('every plain number of the data set survives as written', () => {
  let compared = 0
  for (const id of ['openai', 'anthropic', 'google', 'mistral', 'deepseek', 'x-ai', 'cohere', 'groq', 'openrouter']) {
    const data = new Map(findProvider({ providerId: id })!.models.map((info) => [info.id, info.prices]))
    for (const row of referenceModels(id, NOW)) {
      const prices = data.get(row.upstreamModel)
      if (prices === undefined || Array.isArray(prices) || row.id !== row.upstreamModel.toLowerCase()) continue
      for (const [key, price] of [
        ['input_mtok', row.price?.input],
        ['output_mtok', row.price?.output],
      ] as const) {
        const number: unknown = prices[key]
        if (typeof number !== 'number') continue
        assert.equal(formatPricePerMillion(price!), String(number), `${id} ${row.id} ${key}`)
        compared++
      }
    }
  }
  assert.ok(compared > 800, String(compared))
})

test('numbers that are results of divisions are rounded half up in decimal', () => {
  assert.equal(exactPrice(0.08333333333333334), 83_333n)
  assert.equal(exactPrice(0.18000000000000002), 180_000n)
  assert.equal(exactPrice(0.0000005), 1n)
  assert.equal(exactPrice(0.1), 100_000n)
})

test('prices with a start date change on it; hourly prices are the dearest', () => {
  const before = referenceModels('openai', Date.parse('2025-06-09T23:59:59Z')).find((row) => row.id === 'o3')
  const after = referenceModels('openai', Date.parse('2025-06-10T00:00:00Z')).find((row) => row.id === 'o3')
  assert.equal(before?.price?.input, 10_000_000n)
  assert.equal(after?.price?.input, 2_000_000n)
  assert.equal(findReference('deepseek-chat', NOW)?.price?.output, 1_100_000n)
})

test('what no endpoint of ours serves is left out, and ids are lower case and unique', () => {
  for (const provider of ['openai', 'google', 'openrouter', 'together']) {
    const rows = referenceModels(provider, NOW)
    assert.equal(new Set(rows.map((row) => row.id)).size, rows.length)
    for (const row of rows) {
      assert.equal(row.id, row.id.toLowerCase())
      assert.doesNotMatch(row.id, /whisper|tts|realtime|image|moderation|^ft:|^~/)
      assert.doesNotMatch(row.description, /https?:/)
    }
  }
})

test('a hundred models of twenty vendors (R55)', () => {
  const providers = ['openai', 'anthropic', 'google', 'mistral', 'cohere', 'deepseek', 'x-ai', 'openrouter']
  const rows = providers.flatMap((provider) => referenceModels(provider, NOW))
  assert.ok(new Set(rows.map((row) => row.id)).size >= 100)
  assert.ok(new Set(rows.map((row) => row.vendor)).size >= 20)
})

test('OpenRouter serves the bare ids under its own names, and its authors become vendors', () => {
  const rows = new Map(referenceModels('openrouter', NOW).map((row) => [row.id, row]))
  assert.equal(rows.get('claude-opus-4-7')?.upstreamModel, 'anthropic/claude-opus-4.7')
  assert.equal(rows.get('gpt-5')?.upstreamModel, 'openai/gpt-5')
  assert.equal(rows.get('meta-llama/llama-3.3-70b-instruct')?.vendor, 'meta')
  assert.equal(findReference('openai/gpt-5', NOW)?.vendor, 'openai')
  assert.equal(findReference('no-such-model', NOW), undefined)
  assert.deepEqual(referenceModels('no-such-provider', NOW), [])
})
