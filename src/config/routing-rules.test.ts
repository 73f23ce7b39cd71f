import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildCatalog } from '#catalog/catalog.ts'
import { writeDiscovered } from '#catalog/discovery/discovered-file.ts'
import { folder, load, model, refusal } from './testbed.ts'

test('R75: rules: their conditions, and what is no rule', () => {
  const rules = (model_rules: unknown) => ({ file: { model_rules } })
  const when = { prompt_tokens_below: 500, tools: false }
  const [short, other] = load(
    rules([
      { name: 'short', when, model: 'gpt-x' },
      { when: { task: 'simple' }, model: 'openrouter:a/b?top_p=0.5' },
    ]),
  ).settings.modelRules
  assert.deepEqual([short?.name, short?.promptTokensBelow, short?.tools, short?.models], ['short', 500, false, null])
  assert.deepEqual([other?.name, other?.task, other?.tools], ['model_rules[1]', 'simple', null])
  for (const [wrong, fault] of [
    // A name that nobody knows is told and left out, and then nothing is asked for.
    [{ when: { mood: 'bad' }, model: 'gpt-x' }, /model_rules\[0\]\.when.*condition/],
    [{ when: { task: 'x' }, model: 'nosuch:gpt-x' }, /model_rules\[0\]\.model.*nosuch/],
    [{ when: { prompt_tokens_below: 0 }, model: 'gpt-x' }, /positive/],
  ] as const)
    assert.match(refusal(rules([wrong])).join('\n'), fault)
})

test('R45: a tier that models ask for has to be there', () => {
  const tiers = [{ name: 'free' }, { name: 'pro' }]
  const { catalog } = load({ file: { tiers, ...model({ min_tier: 'pro' }) } }).settings
  assert.deepEqual([catalog.tiers, catalog.models[0]?.minTier], [['free', 'pro'], 'pro'])
  const fault = /min_tier of "gpt-x": unknown tier "gold"; configured: free, pro/
  assert.match(refusal({ file: { tiers, ...model({ min_tier: 'gold' }) } }).join(), fault)
  const routes = [{ model: 'gpt-x', backend: 'openai', min_tier: 'gold' }]
  assert.match(refusal({ file: { tiers, routes } }).join(), fault)
})

test('a discovered model is priced at its own host only, goes behind the maker, and never has a broken price', () => {
  const dataDir = join(folder, 'discovered-data')
  const models = [
    {
      id: 'gpt-5',
      upstream_model: 'gpt-5-resold',
      status: 'active' as const,
      price: { input: '0.01', output: '0.02' },
    },
    { id: 'own-model', upstream_model: 'own', status: 'active' as const, price: { input: '1', output: '2' } },
    { id: 'broken', upstream_model: 'broken', status: 'active' as const, price: { input: 'free' } },
  ]
  writeDiscovered(dataDir, 'host', { synced_at: '2026-01-01T00:00:00Z', models })
  const host = { type: 'openai-compatible', api_url: 'http://127.0.0.1:9/v1', api_key: 'k' }
  const file = {
    server: { data_dir: dataDir },
    backends: { openai: { api_key: 'k', models: ['gpt-5'] }, host },
    models: [],
  }
  const { settings, warnings } = load({ file })
  const catalog = buildCatalog(settings, { simulatorUrl: null, nowMs: Date.now() })
  const [maker, resold] = catalog.routes.get('gpt-5')!
  assert.deepEqual([maker?.backend.id, maker?.price?.source], ['openai', 'reference'])
  assert.deepEqual([resold?.backend.id, resold?.price?.input, resold?.upstreamModel], ['host', 10_000n, 'gpt-5-resold'])
  assert.equal(catalog.models.get('own-model')?.price?.input, 1_000_000n)
  assert.equal(catalog.routes.get('broken')?.[0]?.price, null)
  assert.ok(warnings.some((line) => line.startsWith('backends.host: discovered: broken.price')))
})
