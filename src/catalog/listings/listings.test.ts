import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OldAnthropic from 'anthropic-sdk-07x'
import OpenAI from 'openai'
import { buildCatalog } from '#catalog/catalog.ts'
import type { Catalog } from '#catalog/types.ts'
import { loadConfig } from '#config/load.ts'
import { ANTHROPIC_LIMIT_MAX, anthropicModel, anthropicModels, parseAnthropicPage } from './anthropic-models.ts'
import { GEMINI_PAGE_MAX, geminiModel, geminiModels, parseGeminiPage } from './gemini-models.ts'
import { openaiModel, openaiModels } from './openai-models.ts'
import {
  OPENROUTER_LIMIT_DEFAULT,
  OPENROUTER_LIMIT_MAX,
  openrouterModel,
  openrouterModelCount,
  openrouterModels,
  parseOpenRouterQuery,
} from './openrouter-models.ts'
import { publicCatalog, publicModel } from './public-catalog.ts'
import { parseKind, parseRouteGroups } from './select.ts'

const folder = mkdtempSync(join(tmpdir(), 'listings-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

function build(yaml: string): Catalog {
  const cwd = join(folder, String(folders++))
  mkdirSync(cwd)
  writeFileSync(join(cwd, 'config.yaml'), yaml)
  const { settings } = loadConfig({ flags: {}, env: {}, cwd })
  return buildCatalog(settings, { simulatorUrl: null, nowMs: Date.parse('2026-11-20T12:00:00Z') })
}

const FACTS = 'context_window: 1000, max_output: 100, capabilities: [tools, vision, json_schema, reasoning]'
const PRICE = 'price: { input: 3, output: 15, cache_read: 0.3, tiers: [ { above_input_tokens: 200000, input: 6 } ] }'
const CATALOG = build(`backends:
  secret-claude: { type: anthropic, api_url: "http://secret-host:1", api_key: secret-key }
  secret-openai: { type: openai, api_url: "http://secret-host:2/v1", api_key: secret-key }
  secret-gemini: { type: gemini, api_url: "http://secret-host:3", api_key: secret-key }
  secret-router: { type: openrouter, api_url: "http://secret-host:4/api/v1", api_key: secret-key }
  secret-deepseek: { type: deepseek, api_key: secret-key, protocols: [openai-chat, anthropic-messages] }
groups: { free: {}, Team: {}, hidden: { public: false } }
models:
  - { id: claude-native, name: Claude Native, vendor: anthropic, released_at: 2026-01-31, description: Text., tags: [new], ${FACTS}, ${PRICE} }
  - { id: claude-compatible, vendor: anthropic, ${FACTS}, ${PRICE} }
  - { id: gemini-native, vendor: google, ${FACTS}, ${PRICE} }
  - { id: deepseek-chat, vendor: deepseek, context_window: 5, capabilities: [], ${PRICE} }
  - { id: embedder, vendor: openai, context_window: 8, capabilities: [embeddings, dimensions], price: { input: 0.13 } }
  - { id: meta/unpriced, vendor: meta, context_window: 8, capabilities: [] }
  - { id: private, vendor: openai, ${FACTS}, ${PRICE} }
routes:
  - { model: claude-native, backend: secret-claude, upstream_model: upstream-name }
  - { model: claude-native, backend: secret-router, upstream_model: anthropic/claude-x, group: Team, priority: 5 }
  - { model: claude-compatible, backend: secret-openai, group: free }
  - { model: gemini-native, backend: secret-gemini }
  - { model: deepseek-chat, backend: secret-deepseek, group: Team }
  - { model: embedder, backend: secret-openai }
  - { model: meta/unpriced, backend: secret-openai, group: free }
  - { model: private, backend: secret-openai, group: hidden }
`)

const PUBLIC_IDS = ['claude-native', 'claude-compatible', 'gemini-native', 'deepseek-chat', 'embedder', 'meta/unpriced']
const ids = (list: { data: readonly { id: string }[] }): string[] => list.data.map((item) => item.id)

test('public catalog: the fields of R46, nothing secret, hidden groups left out', () => {
  const listing = publicCatalog(CATALOG)
  assert.equal(listing.object, 'list')
  assert.equal(listing.generated_at, '2026-11-20T12:00:00.000Z')
  assert.deepEqual(ids(listing).sort(), PUBLIC_IDS.toSorted())
  assert.doesNotMatch(JSON.stringify(listing), /secret|upstream-name|claude-x|private|hidden/)
  const { pricing_profile: profile, ...item } = listing.data.find((entry) => entry.id === 'claude-native')!
  assert.deepEqual(item, {
    id: 'claude-native',
    display_name: 'Claude Native',
    vendor: 'anthropic',
    context_window: 1000,
    max_tokens: 100,
    tags: ['new'],
    route_groups: ['default', 'Team'],
    protocols: ['openai', 'anthropic'],
    protocols_by_group: { default: ['openai', 'anthropic'], Team: ['openai', 'anthropic'] },
    translated_protocols: ['gemini'],
    recommended_protocol: 'anthropic',
    description: 'Text.',
    input_modalities: ['text', 'image'],
    output_modalities: ['text'],
    released_at: '2026-01-31',
    supports_thinking: true,
    vendor_prefixes_by_group: { default: [], Team: ['anthropic'] },
    cheaper_alternatives: [],
    free: false,
    verified: [],
    stats: null,
  })
  const classes = {
    output: '15',
    cache_read: '0.3',
    cache_write: null,
    cache_write_1h: null,
    reasoning: null,
    image: null,
    request: null,
  }
  assert.deepEqual(profile, {
    currency: 'USD',
    input: '3',
    ...classes,
    tiers: [{ above_input_tokens: 200_000, input: '6', ...classes }],
    source: 'config',
    version: profile?.version,
    updated_at: null,
  })
  assert.equal(publicModel(CATALOG, 'meta/unpriced')?.pricing_profile, null)
  assert.equal(publicModel(CATALOG, 'private'), undefined)
})

test('recommended protocol (R47)', () => {
  const recommended = (id: string) => publicModel(CATALOG, id)?.recommended_protocol
  assert.equal(recommended('claude-native'), 'anthropic')
  assert.equal(recommended('claude-compatible'), 'openai')
  assert.equal(recommended('gemini-native'), 'gemini')
  assert.equal(recommended('deepseek-chat'), 'openai')
  assert.deepEqual(publicModel(CATALOG, 'deepseek-chat')?.protocols, ['openai', 'anthropic'])
  assert.deepEqual(publicModel(CATALOG, 'gemini-native')?.protocols, ['openai', 'gemini'])
  assert.deepEqual(publicModel(CATALOG, 'embedder')?.translated_protocols, [])
})

test('route_groups (R48)', () => {
  const list = (routeGroups?: string) => publicCatalog(CATALOG, { routeGroups })
  assert.deepEqual(list('FREE, ,free'), list('free'))
  assert.deepEqual(ids(list('free')), ['claude-compatible', 'meta/unpriced'])
  assert.deepEqual(list(''), list())
  assert.deepEqual(list(' , '), list())
  assert.deepEqual(list('nowhere').data, [])
  assert.deepEqual(list('hidden').data, [])
  const team = list('team').data
  assert.deepEqual(
    team.map((item) => [item.id, item.route_groups]),
    [
      ['claude-native', ['Team']],
      ['deepseek-chat', ['Team']],
    ],
  )
  assert.deepEqual(Object.keys(team[0]!.protocols_by_group), ['Team'])
  assert.deepEqual([...parseRouteGroups('a,B, a')!], ['a', 'b'])
})

test('a disabled last route takes the model out', () => {
  const yaml = (status: string): string =>
    `backends: { o: { type: ollama } }\nmodels: [ { id: m, vendor: x, context_window: 1, capabilities: [], ${PRICE} } ]\nroutes: [ { model: m, backend: o, status: ${status} } ]`
  assert.deepEqual(ids(publicCatalog(build(yaml('active')))), ['m'])
  assert.deepEqual(ids(publicCatalog(build(yaml('disabled')))), [])
})

test('OpenAI list: groups, kinds, allow-list, extension fields', () => {
  assert.deepEqual(ids(openaiModels(CATALOG, { groups: new Set(['HIDDEN']) })), ['private'])
  assert.deepEqual(ids(openaiModels(CATALOG, { groups: new Set(['default']), kind: 'embedding' })), ['embedder'])
  assert.deepEqual(ids(openaiModels(CATALOG, { groups: new Set(['default']), kind: 'llm' })), [
    'claude-native',
    'gemini-native',
  ])
  assert.deepEqual(ids(openaiModels(CATALOG, { kind: 'image' })), [])
  assert.deepEqual(ids(openaiModels(CATALOG, { permits: (id) => id.startsWith('gemini') })), ['gemini-native'])
  assert.deepEqual(openaiModel(CATALOG, 'claude-native'), {
    id: 'claude-native',
    object: 'model',
    created: 1_769_817_600,
    owned_by: 'anthropic',
    name: 'Claude Native',
    context_length: 1000,
    max_output_tokens: 100,
    input_price: '3',
    output_price: '15',
    supports_stream: true,
    supports_tools: true,
    supports_vision: true,
    supports_json_schema: true,
    supports_thinking: true,
  })
  assert.equal(openaiModel(CATALOG, 'meta/unpriced')?.input_price, null)
  assert.equal(openaiModel(CATALOG, 'claude-native', { groups: new Set(['free']) }), undefined)
  assert.equal(parseKind(undefined), 'all')
  assert.throws(() => parseKind('video'), { code: 'invalid_parameter' })
})

const REQUIRED = {
  model:
    'id canonical_slug name created pricing context_length architecture top_provider per_request_limits supported_parameters default_parameters supported_voices links',
  pricing: 'prompt completion',
  architecture: 'input_modalities output_modalities modality',
}

test('OpenRouter list: all required keys on every item, prices per token as strings', () => {
  const listing = openrouterModels(CATALOG)
  assert.equal(listing.total_count, listing.data.length)
  assert.deepEqual(listing.links, { next: null })
  for (const item of listing.data) {
    for (const key of REQUIRED.model.split(' ')) assert.ok(key in item, `${item.id} ${key}`)
    for (const key of REQUIRED.pricing.split(' ')) assert.match(item.pricing[key as 'prompt'], /^-?\d+(\.\d+)?$/)
    for (const key of REQUIRED.architecture.split(' ')) assert.ok(key in item.architecture)
    assert.equal(typeof item.top_provider.is_moderated, 'boolean')
    assert.match(item.links.details, /^\/api\/v1\/models\/[^/]+\/[^/]+\/endpoints$/)
    assert.ok(Number.isInteger(item.created))
    assert.equal(item.object, 'model')
  }
  const item = openrouterModel(CATALOG, 'anthropic/claude-native')?.data
  assert.deepEqual(item, openrouterModel(CATALOG, 'claude-native')?.data)
  assert.equal(item?.canonical_slug, 'anthropic/claude-native')
  assert.deepEqual(item?.pricing, {
    prompt: '0.000003',
    completion: '0.000015',
    input_cache_read: '0.0000003',
    overrides: [
      { min_prompt_tokens: 200_001, prompt: '0.000006', completion: '0.000015', input_cache_read: '0.0000003' },
    ],
  })
  assert.equal(item?.architecture.modality, 'text+image->text')
  assert.equal(openrouterModel(CATALOG, 'google/claude-native'), undefined)
  assert.deepEqual(openrouterModel(CATALOG, 'meta/unpriced')?.data.pricing, { prompt: '-1', completion: '-1' })
})

test('OpenRouter list: filters and paging', () => {
  const list = (query: Record<string, unknown>) =>
    openrouterModels(CATALOG, { publicOnly: true }, parseOpenRouterQuery(query))
  assert.ok(!ids(list({})).includes('embedder'))
  assert.deepEqual(ids(list({ output_modalities: 'embeddings' })), ['embedder'])
  assert.deepEqual(ids(list({ output_modalities: 'all' })).sort(), PUBLIC_IDS.toSorted())
  assert.deepEqual(ids(list({ q: 'GEMINI' })), ['gemini-native'])
  assert.deepEqual(ids(list({ supported_parameters: ['tools', 'reasoning'] })), [
    'claude-native',
    'claude-compatible',
    'gemini-native',
  ])
  const page = list({ offset: '1', limit: '2', q: 'a' })
  assert.equal(page.data.length, 2)
  assert.equal(page.links.next, '/api/v1/models?q=a&output_modalities=text&offset=3&limit=2')
  assert.equal(list({ offset: '4', limit: '2' }).links.next, null)
  assert.equal(parseOpenRouterQuery({ offset: '0' }).limit, undefined)
  assert.equal(OPENROUTER_LIMIT_DEFAULT, 500)
  assert.equal(parseOpenRouterQuery({ limit: String(OPENROUTER_LIMIT_MAX) }).limit, OPENROUTER_LIMIT_MAX)
  for (const limit of ['0', String(OPENROUTER_LIMIT_MAX + 1), 'x']) {
    assert.throws(() => parseOpenRouterQuery({ limit }), { code: 'invalid_parameter' })
  }
  assert.deepEqual(openrouterModelCount(CATALOG, { publicOnly: true }, { outputModalities: null }), {
    data: { count: 6 },
  })
})

test('Anthropic and Gemini pages', () => {
  const all = ids(anthropicModels(CATALOG))
  const first = anthropicModels(CATALOG, {}, { limit: 2 })
  assert.deepEqual([first.has_more, first.first_id, first.last_id], [true, all[0], all[1]])
  assert.deepEqual(ids(anthropicModels(CATALOG, {}, { afterId: all[1]!, limit: 2 })), all.slice(2, 4))
  assert.deepEqual(ids(anthropicModels(CATALOG, {}, { beforeId: all[3]!, limit: 2 })), all.slice(1, 3))
  assert.equal(anthropicModel(CATALOG, 'claude-native')?.created_at, '2026-01-31T00:00:00Z')
  assert.equal(anthropicModel(CATALOG, 'embedder')?.created_at, '1970-01-01T00:00:00Z')
  assert.equal(anthropicModels(CATALOG, { kind: 'image' }).first_id, null)
  assert.equal(parseAnthropicPage({ limit: String(ANTHROPIC_LIMIT_MAX) }).limit, ANTHROPIC_LIMIT_MAX)
  assert.throws(() => parseAnthropicPage({ limit: String(ANTHROPIC_LIMIT_MAX + 1) }), { code: 'invalid_parameter' })
  const page = geminiModels(CATALOG, {}, { pageSize: 3 })
  assert.equal(page.nextPageToken, '3')
  assert.equal(geminiModels(CATALOG, {}, parseGeminiPage({ pageSize: '9', pageToken: '3' })).nextPageToken, undefined)
  assert.deepEqual(geminiModel(CATALOG, 'models/gemini-native'), {
    name: 'models/gemini-native',
    baseModelId: 'gemini-native',
    displayName: 'gemini-native',
    inputTokenLimit: 1000,
    outputTokenLimit: 100,
    supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens'],
    thinking: true,
  })
  assert.equal(parseGeminiPage({ pageSize: String(GEMINI_PAGE_MAX) }).pageSize, GEMINI_PAGE_MAX)
  assert.throws(() => parseGeminiPage({ pageSize: String(GEMINI_PAGE_MAX + 1) }), { code: 'invalid_parameter' })
  assert.throws(() => parseGeminiPage({ pageToken: 'x' }), { code: 'invalid_parameter' })
})

/** Serves the three shapes by the rule of C36; answers pages so that the SDKs have to turn them. */
async function serve(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    const query = Object.fromEntries(new URL(request.url ?? '/', 'http://h').searchParams)
    const filter = { groups: new Set(['default', 'free']) }
    const body = request.headers['anthropic-version']
      ? anthropicModels(CATALOG, filter, parseAnthropicPage({ limit: '2', ...query }))
      : request.headers['x-goog-api-key']
        ? geminiModels(CATALOG, filter, parseGeminiPage({ pageSize: '2', ...query }))
        : openaiModels(CATALOG, filter)
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('the official SDKs read the same set of ids (R54)', async (t) => {
  const url = await serve(t)
  const expected = ['claude-native', 'claude-compatible', 'gemini-native', 'embedder', 'meta/unpriced']
  const collect = async (list: AsyncIterable<{ id?: string; name?: string }>): Promise<string[]> => {
    const found: string[] = []
    for await (const model of list) found.push(model.id ?? model.name?.replace(/^models\//, '') ?? '')
    return found
  }
  const openai = new OpenAI({ apiKey: 'k', baseURL: `${url}/v1` })
  assert.deepEqual(await collect(await openai.models.list()), expected)
  assert.deepEqual(await collect(await new Anthropic({ apiKey: 'k', baseURL: url }).models.list()), expected)
  assert.deepEqual(await collect(await new OldAnthropic({ apiKey: 'k', baseURL: url }).models.list()), expected)
  const google = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: url } })
  assert.deepEqual(await collect(await google.models.list()), expected)
})
