import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventsOf, type Json, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'
import { ABSENCE } from './corpus.ts'
import {
  markerOf,
  type Replay,
  type Replayed,
  replayExchange,
  replayIndex,
  type ReplayLine,
  type ReplaySummary,
  startReplay,
} from './replay.ts'

/**
 * Every recorded chat answer of ten vendors through a backend of the vendor's own type, asked for by a client of Chat
 * Completions: the call has the vendor's path, credential and shape, and the client reads what the vendor had said.
 */

const KEY = 'key-of-the-vendor-0123456789'
const bearer = ({ headers }: Replayed): boolean => headers['authorization'] === `Bearer ${KEY}`

interface Vendor {
  readonly settings: (url: string) => object
  readonly isAuthorised: (received: Replayed) => boolean
  /** Per protocol of the recordings: the protocol of ours, the path that is asked, the members that its body must have. */
  readonly places: Readonly<Record<string, Place>>
  /** Exchanges that must be there, so that no vendor is passed over in silence. */
  readonly casesMin: number
  readonly model?: string
}

interface Place {
  readonly protocol: string
  readonly path: RegExp
  readonly members: readonly string[]
  readonly model?: string
}

const chatAt = (path: RegExp): Place => ({ protocol: 'openai-chat', path, members: ['model', 'messages'] })
const responsesAt = (path: RegExp): Place => ({ protocol: 'openai-responses', path, members: ['model', 'input'] })
const geminiAt = (action: string): Place => ({
  protocol: 'gemini',
  path: new RegExp(`^/v1/projects/p-1/locations/us-east5/publishers/google/models/[^/]+:${action}$`),
  members: ['contents'],
})
const converseAt = (action: string): Place => ({
  protocol: 'bedrock-converse',
  path: new RegExp(`^/model/amazon\\.nova-lite-v1%3A0/${action}$`),
  members: ['messages'],
  model: 'amazon.nova-lite-v1:0',
})
const preset = (type: string, base: string, casesMin: number, responses = false): Vendor => ({
  settings: (url) => ({
    type,
    api_url: url + base,
    api_key: KEY,
    ...(responses ? { protocols: ['openai-chat', 'openai-responses'] } : {}),
  }),
  isAuthorised: bearer,
  places: {
    'openai-chat': chatAt(new RegExp(`^${base}/chat/completions$`)),
    ...(responses ? { 'openai-responses': responsesAt(new RegExp(`^${base}/responses$`)) } : {}),
  },
  casesMin,
})

const VENDORS: Readonly<Record<string, Vendor>> = {
  'azure-openai': {
    settings: (url) => ({
      type: 'azure',
      api_url: url,
      api_key: KEY,
      api_version: '2025-04-01-preview',
      protocols: ['openai-chat', 'openai-responses'],
    }),
    isAuthorised: ({ headers }) => headers['api-key'] === KEY,
    places: {
      'openai-chat': chatAt(/^\/openai\/deployments\/[^/]+\/chat\/completions\?api-version=2025-04-01-preview$/),
      'openai-responses': responsesAt(/^\/openai\/responses\?api-version=2025-04-01-preview$/),
    },
    casesMin: 60,
  },
  'google-vertex': {
    settings: (url) => ({ type: 'vertex', api_url: url, api_key: KEY, project: 'p-1', location: 'us-east5' }),
    isAuthorised: ({ headers }) => headers['x-goog-api-key'] === KEY,
    places: {
      'gemini-generate': geminiAt('generateContent'),
      'gemini-stream': geminiAt('streamGenerateContent\\?alt=sse'),
      'anthropic-messages': {
        protocol: 'anthropic-messages',
        path: /\/publishers\/anthropic\/models\/claude-sonnet-4-5@20250929:(?:rawPredict|streamRawPredict)$/,
        members: ['anthropic_version', 'messages', 'max_tokens'],
        model: 'claude-sonnet-4-5@20250929',
      },
    },
    casesMin: 100,
  },
  'aws-bedrock': {
    settings: (url) => ({
      type: 'bedrock',
      api_url: url,
      region: 'us-east-1',
      access_key_id: 'AKIDEXAMPLE',
      secret_access_key: KEY,
    }),
    isAuthorised: ({ headers }) =>
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request/.test(
        headers['authorization'] ?? '',
      ),
    places: {
      'bedrock-converse': converseAt('converse'),
      'bedrock-converse-stream': converseAt('converse-stream'),
    },
    casesMin: 100,
  },
  openrouter: preset('openrouter', '/api/v1', 80, true),
  mistral: preset('mistral', '/v1', 50),
  groq: preset('groq', '/openai/v1', 50),
  deepseek: preset('deepseek', '/v1', 40, true),
  xai: preset('xai', '/v1', 50, true),
  cohere: {
    settings: (url) => ({ type: 'cohere', api_url: url, api_key: KEY }),
    isAuthorised: bearer,
    places: {
      'cohere.chat.v2': { protocol: 'cohere-chat', path: /^\/v2\/chat$/, members: ['model', 'messages', 'stream'] },
    },
    casesMin: 40,
  },
  together: preset('together', '/v1', 8),
}

/** Answers that are broken on purpose, that have several candidates, or whose tools the provider ran itself: other tests have those. */
const LEFT_OUT = new Set([
  'truncated_stream',
  'unterminated_event',
  'unparseable_event',
  'error_in_stream',
  'error_in_200',
  'json_array_stream',
  'sdk_rejects',
  'n_gt_1',
  'server_tool',
  'refusal',
])

/** A chat answer that was filed under Responses, and a file with the streams of several calls. */
const MISFILED = /\.(?:azure-deepseek-reasoning-1|azure-reasoning-encrypted-content-1-chunks)\./

interface Case {
  readonly line: ReplayLine
  readonly vendor: string
  readonly place: Place
  readonly publicId: string
}

const cases: readonly Case[] = ABSENCE ? [] : replayIndex().flatMap(caseOf)

function caseOf(line: ReplayLine): Case[] {
  const key = line.endpoint.startsWith('cohere.') ? line.endpoint : line.protocol
  const place = VENDORS[line.provider]?.places[key]
  if (!place || MISFILED.test(line.id) || line.features.some((feature) => LEFT_OUT.has(feature))) return []
  return [{ line, vendor: line.provider, place, publicId: `${line.provider}/${place.protocol}` }]
}

let replay: Replay
let gateway: TestGateway

before(async () => {
  if (ABSENCE) return
  replay = await startReplay()
  const models = new Map(cases.map((each) => [each.publicId, each]))
  gateway = await startTestGateway({
    flags: { 'disable-auth': true },
    config: {
      models: [...models.keys()].map((id) => ({
        id,
        vendor: 'any',
        context_window: 2_000_000,
        max_output: 200_000,
        capabilities: ['streaming', 'tools', 'reasoning'],
        price: { input: 0, output: 0 },
      })) as Json,
      routes: [...models].map(([id, { vendor, place }]) => ({
        model: id,
        backend: vendor,
        upstream_model: place.model ?? 'upstream-model',
        protocols: [place.protocol],
      })) as Json,
      backends: Object.fromEntries(Object.entries(VENDORS).map(([name, { settings }]) => [name, settings(replay.url)])),
    },
  })
})

after(async () => {
  await gateway?.close()
  await replay?.close()
})

for (const [name, vendor] of Object.entries(VENDORS)) {
  test(
    `${name}: its recordings are asked for in its own way and reach the client`,
    { skip: ABSENCE },
    async (context) => {
      const own = cases.filter((each) => each.vendor === name)
      const faults: string[] = []
      for (const each of own) {
        const fault = await faultOf(each, vendor)
        if (fault !== null) faults.push(`${each.line.id}: ${fault}`)
      }
      context.diagnostic(`${own.length} exchanges`)
      assert.equal(faults.length, 0, [`${faults.length} faults in ${own.length}`, ...faults.slice(0, 15)].join('\n'))
      assert.ok(own.length >= vendor.casesMin, `${own.length} exchanges`)
    },
  )
}

/** What is wrong with one exchange; null when nothing is. */
async function faultOf({ line, place, publicId }: Case, vendor: Vendor): Promise<string | null> {
  const exchange = replayExchange(line)
  const stream =
    exchange.response.sse !== undefined || exchange.response.base64 !== undefined || (line.status >= 300 && line.stream)
  const count = replay.received.length
  const told = await gateway.ask('/v1/chat/completions', {
    key: null,
    body: { model: publicId, messages: [{ role: 'user', content: `Go on. ${markerOf(line.id)}` }], stream },
  })
  const received = replay.received.at(count)
  if (!received) return `no call: ${told.status} ${told.text.slice(0, 200)}`
  if (received.id !== line.id) return `another recording: ${received.id}`
  if (received.mismatch) return received.mismatch.join(', ')
  if (!place.path.test(received.url)) return `asked ${received.url}`
  if (!vendor.isAuthorised(received)) return 'no credential'
  const missing = place.members.filter((member) => received.json?.[member] === undefined)
  if (missing.length > 0) return `the body has no ${missing.join(', ')}`
  if (line.status >= 300) return told.status >= 400 && told.json?.error ? null : `${told.status} for ${line.status}`
  if (told.status !== 200) return `${told.status} ${told.text.slice(0, 200)}`
  return differenceOf(readAnswer(told.text, stream), exchange.summary ?? {})
}

interface Answer {
  readonly text: string
  readonly calls: readonly string[]
}

function readAnswer(body: string, stream: boolean): Answer {
  const parts: Json[] = stream
    ? eventsOf(body).flatMap((event: Json) => event.choices?.[0]?.delta ?? [])
    : [JSON.parse(body).choices?.[0]?.message ?? {}]
  const text = parts.map(({ content }) => textOf(content)).join('')
  const calls: string[] = []
  for (const part of parts)
    for (const call of part.tool_calls ?? []) if (call.function?.name) calls.push(call.function.name as string)
  return { text, calls }
}

/** Mistral's passes as parts of a list. */
const textOf = (content: Json): string =>
  Array.isArray(content) ? content.map(({ text }) => (typeof text === 'string' ? text : '')).join('') : (content ?? '')

function differenceOf(got: Answer, { text, tool_calls: calls }: ReplaySummary): string | null {
  if (typeof text === 'string' && got.text !== text)
    return `another text: ${JSON.stringify(got.text.slice(0, 80))} | ${JSON.stringify(text.slice(0, 80))}`
  // Gemini's pieces of arguments have no name of their own.
  const wanted = (calls ?? []).flatMap(({ name }) => name ?? [])
  return got.calls.join() === wanted.join() ? null : `other calls: ${got.calls.join()} | ${wanted.join()}`
}
