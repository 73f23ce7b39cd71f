import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '#config/load.ts'
import { buildCatalog, createCatalogSource } from './catalog.ts'
import { isReferenceLoaded } from './reference.ts'
import type { Catalog } from './types.ts'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const folder = mkdtempSync(join(tmpdir(), 'catalog-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

function build(yaml: string, env: Record<string, string> = {}, simulatorUrl: string | null = null): Catalog {
  const cwd = join(folder, String(folders++))
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'config.yaml'), yaml)
  const { settings } = loadConfig({ flags: {}, env, cwd })
  return buildCatalog(settings, { simulatorUrl, nowMs: NOW })
}

const FULL = 'vendor: x, context_window: 10, capabilities: [tools]'
const PRICE = 'price: { input: 1, output: 2 }'

test('a file that says everything needs no reference data', () => {
  const catalog = build(`backends: { o: { type: openai-compatible, api_url: "http://h/v1" } }
models: [ { id: m, ${FULL}, ${PRICE} } ]
routes: [ { model: m, backend: o, upstream_model: up } ]`)
  assert.equal(isReferenceLoaded(), false)
  const route = catalog.routes.get('m')![0]!
  assert.equal(route.upstreamModel, 'up')
  assert.equal(route.backend.auth, 'none')
  assert.deepEqual(route.protocols, ['openai-chat'])
  assert.equal(route.price, catalog.models.get('m')!.price)
  assert.equal(catalog.generatedMs, NOW)
})

test('price: route > config > reference > fallback > none, with source and a version of the numbers', () => {
  const yaml = `backends: { o: { type: ollama } }
models:
  - { id: own, ${FULL}, ${PRICE} }
  - { id: same, ${FULL}, ${PRICE} }
  - { id: gpt-5, ${FULL} }
  - { id: nameless, ${FULL} }
routes:
  - { model: own, backend: o, price_override: { input: 5, output: 6 } }
  - { model: own, backend: o, priority: 1 }
  - { model: same, backend: o }
  - { model: gpt-5, backend: o }
  - { model: nameless, backend: o }
`
  const catalog = build(yaml)
  const price = (id: string, index = 0) => catalog.routes.get(id)![index]!.price
  assert.deepEqual([price('own')?.source, price('own')?.input], ['route', 5_000_000n])
  assert.deepEqual([price('own', 1)?.source, price('own', 1)?.input], ['config', 1_000_000n])
  assert.deepEqual([price('gpt-5')?.source, price('gpt-5')?.input], ['reference', 1_250_000n])
  assert.equal(price('nameless'), null)
  assert.match(price('own')!.version, /^[0-9a-f]{12}$/)
  assert.equal(price('own', 1)!.version, price('same')!.version)
  assert.notEqual(price('own')!.version, price('own', 1)!.version)
  const fallback = build(`${yaml}unpriced: { price: { input: 7, output: 8 } }\n`)
  assert.deepEqual(fallback.routes.get('nameless')![0]!.price?.source, 'fallback')
  assert.equal(fallback.routes.get('gpt-5')![0]!.price?.source, 'reference')
})

test('what a model leaves open comes from the reference data', () => {
  const model = build('backends: { o: { type: ollama, models: [gpt-5, local-thing] } }').models
  assert.equal(model.get('gpt-5')?.vendor, 'openai')
  assert.equal(model.get('gpt-5')?.maxOutput, 128_000)
  assert.deepEqual(model.get('gpt-5')?.inputModalities, ['text', 'image'])
  assert.equal(model.get('local-thing')?.vendor, 'other')
  assert.equal(model.get('local-thing')?.price, null)
})

test('only active routes on enabled backends count, in order of priority; every model stays known', () => {
  const catalog = build(`backends:
  a: { type: ollama }
  b: { type: ollama, enabled: false }
  c: { type: bedrock, region: us-east-1, access_key_id: a }
  d: { type: bedrock, region: us-east-1, access_key_id: a, secret_access_key: b }
models: [ { id: m, ${FULL}, ${PRICE} }, { id: off, ${FULL}, ${PRICE} }, { id: cloud, ${FULL}, ${PRICE} } ]
routes:
  - { model: m, backend: a, upstream_model: second, priority: 20, weight: 3 }
  - { model: m, backend: a, upstream_model: first, priority: 10 }
  - { model: m, backend: b }
  - { model: off, backend: a, status: disabled }
  - { model: cloud, backend: c }
`)
  assert.deepEqual(
    catalog.routes.get('m')!.map((route) => [route.upstreamModel, route.weight]),
    [
      ['first', 1],
      ['second', 3],
    ],
  )
  assert.deepEqual([...catalog.routes.keys()], ['m'])
  assert.deepEqual([...catalog.models.keys()], ['m', 'off', 'cloud'])
  assert.equal(catalog.backends.get('c')?.enabled, false)
  const signed = catalog.backends.get('d')!
  assert.equal(signed.enabled, true)
  assert.equal(signed.apiUrl, 'https://bedrock-runtime.us-east-1.amazonaws.com')
  assert.deepEqual(signed.aws, { region: 'us-east-1', accessKeyId: 'a', secretAccessKey: 'b', sessionToken: null })
})

test('an embedding model is reached through embeddings only, a chat model never', () => {
  const catalog = build(`backends: { o: { type: openai, api_key: k } }
models: [ { id: e, ${FULL.replace('tools', 'embeddings')}, price: { input: 1 } }, { id: c, ${FULL}, ${PRICE} } ]
routes: [ { model: e, backend: o }, { model: c, backend: o } ]`)
  assert.equal(catalog.models.get('e')?.kind, 'embedding')
  assert.deepEqual(catalog.routes.get('e')![0]!.protocols, ['openai-embeddings'])
  assert.deepEqual(catalog.routes.get('c')![0]!.protocols, ['openai-chat', 'openai-responses'])
})

test('time limits: model over backend over global', () => {
  const catalog = build(`backends: { o: { type: ollama, timeout: 7, timeouts: { ttft_timeout: 3 } } }
models: [ { id: m, ${FULL}, ${PRICE}, timeouts: { stream_idle_timeout: 0 } }, { id: n, ${FULL}, ${PRICE} } ]
routes: [ { model: m, backend: o }, { model: n, backend: o } ]
timeouts: { connect_timeout: 1 }`)
  const expected = { connectMs: 1000, ttftMs: 3000, streamIdleMs: 30_000, totalMs: 600_000, requestMs: 7000 }
  assert.deepEqual(catalog.backends.get('o')?.timeouts, expected)
  assert.deepEqual(catalog.routes.get('m')![0]!.timeouts, { ...expected, streamIdleMs: 0 })
  assert.equal(catalog.routes.get('n')![0]!.timeouts, undefined)
})

test('zero config: vendors first, then the reseller with its own names and prices', () => {
  const env = { OPENAI_API_KEY: 'a', ANTHROPIC_API_KEY: 'b', GEMINI_API_KEY: 'c', OPENROUTER_API_KEY: 'd' }
  const catalog = build('', env)
  const routes = (id: string) =>
    catalog.routes.get(id)!.map((route) => [route.backend.id, route.upstreamModel, route.group])
  assert.deepEqual(routes('gpt-5'), [
    ['openai', 'gpt-5', 'default'],
    ['openrouter', 'openai/gpt-5', 'default'],
  ])
  assert.deepEqual(routes('claude-sonnet-4-7'), [['anthropic', 'claude-sonnet-4-7', 'default']])
  assert.deepEqual(routes('gemini-2.5-pro')[0], ['gemini', 'gemini-2.5-pro', 'default'])
  assert.deepEqual(routes('text-embedding-3-large')[0], ['openai', 'text-embedding-3-large', 'default'])
  assert.deepEqual(routes('openai/gpt-5'), [['openrouter', 'openai/gpt-5', 'default']])
  assert.ok(catalog.models.size > 300)
})

test('a configured price stands above the list price of a backend that offers everything', () => {
  const catalog = build(`models: [ { id: gpt-5, price: { input: 9, output: 9 } } ]`, { OPENAI_API_KEY: 'a' })
  assert.equal(catalog.routes.get('gpt-5')![0]!.price?.input, 9_000_000n)
  assert.equal(catalog.routes.get('gpt-5-mini')![0]!.price?.source, 'reference')
})

test('without any key the simulator serves its models, where it runs', () => {
  const catalog = build('', {}, 'http://127.0.0.1:1234')
  const route = catalog.routes.get('sim/echo')![0]!
  assert.equal(route.backend.apiUrl, 'http://127.0.0.1:1234')
  assert.equal(route.backend.protocolUrls?.['openai-responses'], 'http://127.0.0.1:1234/v1')
  assert.equal(route.backend.protocolUrls?.['anthropic-messages'], undefined)
  assert.equal(route.backend.auth, 'none')
  assert.deepEqual(
    [route.price?.input, route.price?.output, route.price?.cacheRead, route.price?.cacheWrite, route.price?.source],
    [1_000_000n, 2_000_000n, 100_000n, 1_250_000n, 'simulator'],
  )
  assert.deepEqual(catalog.routes.get('sim/embed')![0]!.protocols, ['openai-embeddings', 'gemini'])
  assert.equal(build('', {}).routes.size, 0)
})

test('a further protocol at another place (R59)', () => {
  const catalog = build(`backends:
  deepseek: { api_key: k, protocols: [openai-chat, anthropic-messages], models: [deepseek-chat] }
  own: { type: openai-compatible, api_url: "http://h/v1", protocols: [openai-chat, gemini], protocol_urls: { gemini: "http://g/" }, models: [x] }`)
  assert.deepEqual(catalog.backends.get('deepseek')?.protocolUrls, {
    'anthropic-messages': 'https://api.deepseek.com/anthropic',
  })
  assert.deepEqual(catalog.backends.get('own')?.protocolUrls, { gemini: 'http://g' })
})

test('the source hands out the current snapshot and swaps it', () => {
  const [first, second] = [build(''), build('')]
  const source = createCatalogSource(first)
  const taken = source.current
  source.swap(second)
  assert.equal(taken, first)
  assert.equal(source.current, second)
})

test('clouds: hosts by place, ways to authenticate, protocols by model', () => {
  const catalog = build(`backends:
  v: { type: vertex, project: p, location: us-east5 }
  g: { type: vertex, project: p }
  e: { type: vertex, project: p, location: eu }
  n: { type: vertex, api_key: express }
  a: { type: azure, api_url: "https://r.openai.azure.com/openai/v1/", api_key: k }
  d: { type: azure, api_url: "https://r.openai.azure.com", api_key: k, api_version: 2024-10-21 }
  t: { type: azure, api_url: "https://r.openai.azure.com", tenant_id: t, client_id: c, client_secret: s }
  b: { type: bedrock, region: us-east-1, api_key: k }
models: [ { id: c, ${FULL}, ${PRICE} }, { id: x, ${FULL}, ${PRICE} }, { id: m, ${FULL.replace('tools', 'embeddings')}, price: { input: 1 } } ]
routes:
  - { model: c, backend: b, upstream_model: us.anthropic.claude-sonnet-4-6 }
  - { model: x, backend: b, upstream_model: amazon.nova-lite-v1 }
  - { model: m, backend: b, upstream_model: amazon.titan-embed-text-v2 }
  - { model: x, backend: v, upstream_model: gemini-3-pro }
  - { model: x, backend: g, upstream_model: gemini-3-pro }
  - { model: x, backend: e, upstream_model: gemini-3-pro }
  - { model: x, backend: n, upstream_model: gemini-3-pro }
  - { model: x, backend: a }
  - { model: x, backend: d }
  - { model: x, backend: t }
`)
  const told = [...catalog.backends.values()].map(({ id, apiUrl, auth, enabled }) => [id, apiUrl, auth, enabled])
  assert.deepEqual(told, [
    ['v', 'https://us-east5-aiplatform.googleapis.com', 'bearer', true],
    ['g', 'https://aiplatform.googleapis.com', 'bearer', true],
    ['e', 'https://aiplatform.eu.rep.googleapis.com', 'bearer', true],
    ['n', 'https://aiplatform.googleapis.com', 'x-goog-api-key', true],
    ['a', 'https://r.openai.azure.com', 'api-key', true],
    ['d', 'https://r.openai.azure.com', 'api-key', true],
    ['t', 'https://r.openai.azure.com', 'bearer', true],
    ['b', 'https://bedrock-runtime.us-east-1.amazonaws.com', 'bearer', true],
  ])
  const spoken = (model: string, backend: string) =>
    catalog.routes.get(model)!.find((route) => route.backend.id === backend)!.protocols
  assert.deepEqual(spoken('c', 'b'), ['anthropic-messages', 'bedrock-converse'])
  assert.deepEqual(spoken('x', 'b'), ['bedrock-converse'])
  assert.deepEqual(spoken('m', 'b'), ['bedrock-converse'])
  assert.deepEqual(spoken('x', 'v'), ['gemini'])
  assert.deepEqual(spoken('x', 'a'), ['openai-chat', 'openai-responses'])
  assert.deepEqual(spoken('x', 'd'), ['openai-chat'])
})
