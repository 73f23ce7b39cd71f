import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { findPreset } from '#providers/presets.ts'
import { type Json, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'
import { type Received, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { ABSENCE } from './corpus.ts'
import { answerOf, askOf, KEY, type Recorded, recordedWith } from './vendor-exchanges.ts'

/**
 * Recorded exchanges of the vendors through their own type of backend: the call arrives where the vendor's own library
 * sent it, with its way to authenticate, and the client reads what the vendor had answered.
 */

const TYPES: Readonly<Record<string, string>> = {
  'azure-openai': 'azure',
  'google-vertex': 'vertex',
  'aws-bedrock': 'bedrock',
  openrouter: 'openrouter',
  mistral: 'mistral',
  groq: 'groq',
  deepseek: 'deepseek',
  xai: 'xai',
  together: 'together',
  perplexity: 'perplexity',
  cerebras: 'cerebras',
}

/** Exchanges of each that must be there, so that no vendor is passed over in silence. */
const CASES_MIN: Readonly<Record<string, number>> = {
  azure: 60,
  vertex: 70,
  bedrock: 25,
  openrouter: 80,
  mistral: 50,
  groq: 40,
  deepseek: 40,
  xai: 40,
  together: 5,
  perplexity: 8,
  cerebras: 5,
}

const exchanges = ABSENCE ? [] : recordedWith(TYPES)

let upstream: Upstream
let gateway: TestGateway
let current: Recorded | null = null

before(async () => {
  if (ABSENCE) return
  upstream = await startUpstream()
  upstream.always(() => current!.reply)
  const chat = {
    context_window: 2_000_000,
    max_output: 200_000,
    capabilities: ['streaming', 'tools'],
    price: { input: 0, output: 0 },
  }
  const embedding = { capabilities: ['embeddings'], price: { input: 0 } }
  const backends: Record<string, object> = {}
  for (const { backend, type, settings } of exchanges) {
    const path = settings['api_url'] ?? new URL(findPreset(type)!.apiUrl ?? 'http://x').pathname.replace(/\/$/, '')
    backends[backend] = { type, ...settings, api_url: `${upstream.url}${String(path)}` }
  }
  const models = new Map(exchanges.map((each) => [each.publicId, each]))
  gateway = await startTestGateway({
    flags: { 'disable-auth': true },
    config: {
      models: [...models].map(([id, { operation }]) => ({
        id,
        vendor: 'any',
        ...(operation === 'embed' ? embedding : chat),
      })) as Json,
      routes: [...models].map(([id, { backend, model, surface }]) => ({
        model: id,
        backend,
        upstream_model: model,
        protocols: [surface],
      })) as Json,
      caching: { automatic: false },
      backends,
    },
  })
})

after(async () => {
  await gateway?.close()
  await upstream?.close()
})

for (const type of Object.values(TYPES)) {
  test(`${type}: path, credential and answer of its recordings`, { skip: ABSENCE }, async (context) => {
    const own = exchanges.filter((each) => each.type === type)
    const faults: string[] = []
    for (const exchange of own) {
      const fault = await faultOf(exchange)
      if (fault !== null) faults.push(`${exchange.id}: ${fault}`)
    }
    context.diagnostic(`${own.length} exchanges`)
    assert.equal(faults.length, 0, [`${faults.length} faults in ${own.length}`, ...faults.slice(0, 15)].join('\n'))
    assert.ok(own.length >= CASES_MIN[type]!, `${own.length} exchanges`)
  })
}

/** What is wrong with one exchange; null when nothing is. */
async function faultOf(exchange: Recorded): Promise<string | null> {
  current = exchange
  const { path, body } = askOf(exchange)
  const count = upstream.received.length
  const told = await gateway.ask(path, { body, key: null })
  const received = upstream.received.at(count)
  if (!received) return `no call: ${told.status} ${told.text.slice(0, 200)}`
  const asked = received.path + (received.query.size > 0 ? `?${received.query.toString()}` : '')
  if (asked !== exchange.path) return `asked ${asked} and not ${exchange.path}`
  if (!isAuthorised(exchange.type, received)) return 'no credential'
  if (exchange.body && !isDeepEqual(received.fields, exchange.body)) return 'the upstream got another body'
  if (exchange.status !== 200)
    return told.status === exchange.status && told.json?.error ? null : `${told.status} and not ${exchange.status}`
  if (told.status !== 200) return `${told.status} ${told.text.slice(0, 200)}`
  const [got, wanted] = [answerOf(exchange, told.text), answerOf(exchange, exchange.answer)]
  return isDeepEqual(got, wanted)
    ? null
    : `another answer: ${JSON.stringify(got).slice(0, 150)} | ${JSON.stringify(wanted).slice(0, 150)}`
}

function isAuthorised(type: string, { headers }: Received): boolean {
  if (type === 'azure') return headers['api-key'] === KEY
  if (type === 'vertex') return headers['x-goog-api-key'] === KEY
  if (type === 'bedrock') return headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') === true
  return headers.authorization === `Bearer ${KEY}`
}

function isDeepEqual(left: unknown, right: unknown): boolean {
  try {
    assert.deepEqual(left, right)
    return true
  } catch {
    return false
  }
}
