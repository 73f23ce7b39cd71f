import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type Browser, browserAt, person } from './browser.ts'
import { type Canary, payloadsAt, startCanary } from './canary.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, UPSTREAM_KEYS } from './gateway.ts'
import { CLIENTS, PATHS, question } from './media-questions.ts'

/** Whatever a tenant writes, the gateway asks nobody but the configured upstreams (S1), and its keys go to none but them (S2). */

const isFull = process.env['TRIVIUM_FAULTS'] === 'full'

let gateway: TestGateway
let canary: Canary
let administration: string
let browser: Browser

before(async () => {
  canary = await startCanary()
  gateway = await startTestGateway()
  const body = { name: 'm', account_id: gateway.accountId, kind: 'management' }
  administration = (await gateway.admin('POST', '/api/v1/keys', body)).key
  browser = browserAt(gateway.url)
  await browser.auth('/sign-up/email', person('admin@example.com'))
})
after(async () => {
  await gateway.close()
  await canary[Symbol.asyncDispose]()
})

/** Of every surface, a model of another protocol: what the upstream cannot load the gateway would have to. */
const TRANSLATED = { chat: MODELS.gemini, responses: MODELS.gemini, messages: MODELS.gemini, gemini: MODELS.messages }

/** An input that takes an address: what was answered, and whether the address must have been refused. */
interface Input {
  readonly name: string
  readonly refuses: boolean
  send(url: string): Promise<number>
}

const asked = async (path: string, body: object, key?: string, method = 'POST'): Promise<number> =>
  (await gateway.ask(path, { method, body, ...(key && { key }) })).status

const media: Input[] = CLIENTS.flatMap((client) => {
  const { id } = TRANSLATED[client]
  const kinds =
    client === 'responses' || client === 'messages' ? (['image', 'document'] as const) : (['image'] as const)
  return kinds.map((kind) => ({
    name: `${kind} over ${client}`,
    refuses: true,
    send: (url: string) => asked(PATHS[client](id), { model: id, ...question(client, [url], kind) }),
  }))
})

const inputs: Input[] = [
  ...media,
  {
    name: 'media beside a public one, in the mount of OpenRouter',
    refuses: true,
    send: (url) =>
      asked('/api/v1/chat/completions', {
        model: MODELS.gemini.id,
        ...question('chat', ['https://1.1.1.1/a.png', url]),
      }),
  },
  {
    name: 'media of a count',
    refuses: true,
    send: (url) => asked('/v1/messages/count_tokens', { model: MODELS.gemini.id, ...question('messages', [url]) }),
  },
  {
    name: 'the webhook of alerts',
    refuses: true,
    send: (url) => asked('/api/v1/alert-settings', { webhook_url: url }, administration, 'PATCH'),
  },
  {
    name: 'a remote server of tools',
    refuses: false,
    send: (url) =>
      asked('/v1/responses', {
        model: MODELS.messages.id,
        input: 'hi',
        tools: [{ type: 'mcp', server_label: 'x', server_url: url, require_approval: 'never' }],
      }),
  },
  {
    name: 'a remote server of tools, own protocol',
    refuses: false,
    send: (url) =>
      asked('/v1/messages', {
        model: MODELS.messages.id,
        max_tokens: 5,
        messages: [{ role: 'user', content: 'hi' }],
        mcp_servers: [{ type: 'url', url, name: 'x' }],
      }),
  },
  {
    name: 'media of the own protocol, which the upstream loads',
    refuses: false,
    send: (url) => asked('/v1/chat/completions', { model: MODELS.chat.id, ...question('chat', [url]) }),
  },
  {
    name: 'the callback of a code',
    refuses: false,
    send: (url) => asked('/api/v1/auth/keys/code', { callback_url: url }, administration),
  },
  {
    name: "a user's picture and an organisation's logo",
    refuses: false,
    send: async (url) => {
      await browser.auth('/update-user', { image: url })
      return (await browser.auth('/organization/create', { name: 'x', slug: `s${++slugs}`, logo: url })).status
    },
  },
  {
    name: 'where a sign-in leads to',
    refuses: false,
    send: async (url) => (await browser.auth('/sign-out', { callbackURL: url })).status,
  },
]
let slugs = 0

describe('S1: addresses that a tenant names', () => {
  test('S1: every input that takes an address x every spelling: nobody on this machine is asked', async () => {
    const payloads = payloadsAt(canary.port)
    assert.ok(payloads.length >= 55, String(payloads.length))
    for (const { name, refuses, send } of inputs) {
      // What is never asked for by us needs no spelling of its own; all of them are tried in the long run.
      for (const url of refuses || isFull ? payloads : payloads.filter((_, at) => at % 8 === 0)) {
        const before = gateway.upstream.count()
        const status = await send(url)
        if (!refuses) continue
        assert.equal(status, 400, `${name}: ${url}`)
        assert.equal(gateway.upstream.count(), before, `${name}: ${url} came to the upstream`)
      }
      assert.equal(canary.hits, 0, name)
    }
  })

  test('S1: what the operator opens is open, so that the canary would have been heard', async () => {
    await using open = await startTestGateway({ config: { outbound: { allow_private: ['127.0.0.0/8'] } } })
    await using heard = await startCanary()
    const body = { model: MODELS.gemini.id, ...question('chat', [`http://127.0.0.1:${heard.port}/a.png`]) }
    assert.equal((await open.ask('/v1/chat/completions', { body })).json.error.code, 'media_fetch_failed')
    assert.ok(heard.hits > 0)
  })

  test('S1: a model, an id and a path that look like addresses are names, and nothing more', async () => {
    const at = `127.0.0.1:${canary.port}`
    for (const model of [`http://${at}/v1`, `//${at}/m`, `openai:http://${at}/m`, `../../${at}`, `gpt-test@${at}`]) {
      await asked('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hi' }] })
      await asked(`/v1beta/models/${encodeURIComponent(model)}:generateContent`, { contents: [] })
      await gateway.ask(`/v1/models/${encodeURIComponent(model)}`)
      await gateway.ask(`/v1/responses/${encodeURIComponent(model)}`)
    }
    assert.equal(canary.hits, 0)
  })
})

describe('S2: whom the keys of the platform are shown', () => {
  /** What clients of other gateways use to choose an upstream. */
  const wishes = (url: string): Record<string, Json> => ({
    base_url: url,
    baseURL: url,
    api_base: url,
    api_url: url,
    endpoint: url,
    azure_endpoint: url,
    api_key: 'sk-tenant',
    custom_llm_provider: 'openai',
    provider: { order: [url], only: [url], base_url: url, api_base: url },
    provider_options: { openai: { base_url: url } },
    providerOptions: { gateway: { order: [url] } },
    extra_body: { base_url: url },
    extra_headers: { host: `127.0.0.1:${canary.port}` },
    litellm_params: { api_base: url },
  })
  const bodies: Record<string, (model: string) => object> = {
    '/v1/chat/completions': (model) => ({ model, messages: [{ role: 'user', content: 'hi' }] }),
    '/api/v1/chat/completions': (model) => ({ model, messages: [{ role: 'user', content: 'hi' }] }),
    '/v1/responses': (model) => ({ model, input: 'hi' }),
    '/v1/embeddings': (model) => ({ model, input: 'hi' }),
    '/v1/messages': (model) => ({ model, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }),
    '/v1/messages/count_tokens': (model) => ({ model, messages: [{ role: 'user', content: 'hi' }] }),
    [`/v1beta/models/${MODELS.gemini.id}:generateContent`]: () => ({
      contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
    }),
  }
  const modelOf = (path: string): string =>
    path.includes('messages') ? MODELS.messages.id : path.includes('embeddings') ? MODELS.embedding.id : MODELS.chat.id

  test('S2: no member, header or parameter of a request leads a key of the platform elsewhere', async () => {
    const url = `http://127.0.0.1:${canary.port}/v1`
    const host = `127.0.0.1:${canary.port}`
    const headers = {
      'x-base-url': url,
      'x-upstream-url': url,
      'x-target-url': url,
      'x-portkey-custom-host': url,
      'helicone-target-url': url,
      'x-forwarded-host': host,
      'x-original-url': url,
      'x-rewrite-url': url,
      forwarded: `host=${host}`,
      'x-gateway-group': url,
      'x-goog-user-project': 'tenant',
    }
    const keys: readonly string[] = Object.values(UPSTREAM_KEYS)
    let answers = 0
    for (const [path, bodyOf] of Object.entries(bodies)) {
      for (const [name, value] of Object.entries(wishes(url))) {
        const { status, text } = await gateway.ask(path, { body: { ...bodyOf(modelOf(path)), [name]: value } })
        if (status === 200) answers++
        assert.ok(status < 500, `${path} ${name}: ${status} ${text}`)
        for (const key of keys) assert.ok(!text.includes(key), `${path} ${name}`)
      }
      for (const [name, value] of Object.entries(headers)) {
        const { status, text } = await gateway.ask(path, { headers: { [name]: value }, body: bodyOf(modelOf(path)) })
        assert.ok(status < 500, `${path} ${name}: ${status} ${text}`)
      }
      const model = encodeURIComponent(`${modelOf(path)}?base_url=${url}`)
      await gateway.ask(`${path}?base_url=${encodeURIComponent(url)}&api_base=${encodeURIComponent(url)}`, {
        body: bodyOf(decodeURIComponent(model)),
      })
    }
    assert.equal(canary.hits, 0)
    assert.ok(answers > 20, `${answers} requests were answered in spite of their wishes`)
    // To whom they were shown: the one upstream, each at the paths of its own protocol, and none of a tenant beside them.
    const own: Record<string, RegExp> = {
      openai: /^\/v1\//,
      anthropic: /^\/v1\/messages/,
      gemini: /^\/v1(beta)?\/models\//,
    }
    for (const { path, headers: sent } of gateway.upstream.received) {
      assert.equal(sent.host, new URL(gateway.upstream.url).host)
      const text = JSON.stringify(sent)
      assert.ok(!text.includes('sk-tenant') && !text.includes(gateway.key), path)
      const shown = Object.entries(UPSTREAM_KEYS).filter(([, key]) => text.includes(key))
      assert.deepEqual(shown.length, 1, `${path}: ${text}`)
      assert.match(path, own[shown[0]![0]]!)
    }
  })

  test('S2: an absolute request target and a foreign Host are answered as if they were not there', async () => {
    const body = JSON.stringify(bodies['/v1/chat/completions']!(MODELS.chat.id))
    const before = gateway.upstream.count()
    const text = await new Promise<string>((resolve, reject) => {
      const { port } = new URL(gateway.url)
      let received = ''
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          `POST http://127.0.0.1:${canary.port}/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${canary.port}\r\n` +
            `authorization: Bearer ${gateway.key}\r\ncontent-type: application/json\r\n` +
            `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
        )
      })
      socket.on('data', (chunk) => (received += chunk.toString('latin1')))
      socket.on('end', () => resolve(received))
      socket.on('error', reject)
    })
    assert.match(text, /^HTTP\/1\.1 (200|400|404) /)
    assert.equal(canary.hits, 0)
    const after = gateway.upstream.received.slice(before)
    for (const { headers } of after) assert.equal(headers.host, new URL(gateway.upstream.url).host)
  })
})
