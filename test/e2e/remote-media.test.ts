import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import { LOADED_AT_A_TIME_MAX, LOADED_FILES_MAX } from '#data-plane/7-call/remote-media.ts'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { type Client, CLIENTS, PATHS, picture, question } from './media-questions.ts'
import { assertEnvelope, codeOf } from './surfaces.ts'

/** Media at an address is loaded by the gateway only where the upstream cannot do it, and only from public hosts (R84, R122). */

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
)
const PDF = Buffer.from('%PDF-1.7\n%âãÏÓ\n')

/** Far less than what a fetch may take. */
const LEAVING_MS_MAX = 5000

/** `old` speaks chat completions alone, and loads nothing. */
const MODEL = {
  ...MODELS,
  bedrock: { id: 'nova-test', upstream: 'amazon.nova' },
  old: { id: 'old-test', upstream: 'llava' },
}
type Upstream = 'chat' | 'messages' | 'gemini' | 'bedrock' | 'old'

type Handler = (request: IncomingMessage, response: ServerResponse) => void
const sending =
  (body: Buffer | string, type?: string): Handler =>
  (_request, response) =>
    void response.writeHead(200, type === undefined ? {} : { 'content-type': type }).end(body)

let files: Server
let origin = ''
let handler: Handler = sending(PNG, 'image/png')
let asked: string[] = []
const left = new EventEmitter()
let gateway: TestGateway

const CONVERSED = {
  output: { message: { role: 'assistant', content: [{ text: 'seen' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15 },
}

function configOf(upstreamUrl: string, rest: Record<string, object>): Record<string, object> {
  const model = (id: string) => ({ id, vendor: 'any', context_window: 100_000, max_output: 8000, price: PRICE })
  const route = ({ id, upstream }: { id: string; upstream: string }, backend: string) => ({
    model: id,
    backend,
    upstream_model: upstream,
  })
  return {
    models: [MODEL.chat, MODEL.messages, MODEL.gemini, MODEL.bedrock, MODEL.old].map(({ id }) => model(id)),
    routes: [
      route(MODEL.chat, 'openai'),
      route(MODEL.messages, 'anthropic'),
      route(MODEL.gemini, 'gemini'),
      route(MODEL.bedrock, 'bedrock'),
      route(MODEL.old, 'ollama'),
    ],
    backends: {
      bedrock: {
        type: 'bedrock',
        region: 'us-east-1',
        api_url: upstreamUrl,
        access_key_id: 'AKIATEST',
        secret_access_key: 'secret',
      },
      ollama: { type: 'ollama', api_url: `${upstreamUrl}/v1`, api_key: 'none', protocols: ['openai-chat'] },
    },
    ...rest,
  }
}

async function start(rest: Record<string, object> = {}): Promise<TestGateway> {
  const started = await startTestGateway({ config: (upstreamUrl) => configOf(upstreamUrl, rest) })
  started.upstream.always(({ path }) => (path.endsWith('/converse') ? { body: CONVERSED } : {}))
  return started
}

before(async () => {
  files = createServer((request, response) => {
    asked.push(request.url!)
    response.on('close', () => !response.writableFinished && left.emit('left'))
    handler(request, response)
  })
  files.listen(0, '127.0.0.1')
  await once(files, 'listening')
  origin = `http://127.0.0.1:${(files.address() as AddressInfo).port}`
  gateway = await start({ outbound: { allow_private: ['127.0.0.0/8'] } })
})
after(async () => {
  await gateway.close()
  files.close()
  files.closeAllConnections()
})
beforeEach(() => {
  handler = sending(PNG, 'image/png')
  asked = []
})

function ask(client: Client, upstream: Upstream, body: object, at = gateway, signal?: AbortSignal): Promise<Told> {
  const model = MODEL[upstream].id
  const sent = client === 'gemini' ? body : { model, ...body }
  return at.ask(PATHS[client](model), { body: sent, ...(signal ? { signal } : {}) })
}

const sentTo = (upstream: Upstream, at = gateway): Json => {
  const body = JSON.parse(at.upstream.received.at(-1)!.bytes.toString()) as Json
  switch (upstream) {
    case 'chat':
      return body.input[0].content
    case 'gemini':
      return body.contents[0].parts
    default:
      return body.messages[0].content
  }
}

const assertRefused = (client: Client, told: Told, code: string): void => {
  assert.deepEqual([told.status, codeOf(client, told.json)], [400, code], told.text)
  assertEnvelope(client, told)
}

describe('what the upstream cannot load (R84)', () => {
  const data = PNG.toString('base64')
  for (const client of CLIENTS) {
    if (client !== 'gemini')
      test(`a PNG of ${client} reaches Gemini as the same bytes`, async () => {
        const told = await ask(client, 'gemini', question(client, [`${origin}/a`]))
        assert.equal(told.status, 200, told.text)
        assert.deepEqual(sentTo('gemini'), [{ inlineData: { mimeType: 'image/png', data } }])
        assert.match(
          told.headers.get('x-gateway-warnings')!,
          /action=rewrite;reason=the gateway loaded it from its address/,
        )
      })

    test(`a PNG of ${client} reaches Bedrock as the same bytes`, async () => {
      const told = await ask(client, 'bedrock', question(client, [`${origin}/a`]))
      assert.equal(told.status, 200, told.text)
      assert.deepEqual(sentTo('bedrock'), [{ image: { format: 'png', source: { bytes: data } } }])
    })
  }

  test('a document, and a file whose bytes tell that it is an image', async () => {
    handler = (request, response) => sending(request.url === '/pdf' ? PDF : PNG)(request, response)
    const told = await ask(
      'responses',
      'bedrock',
      question('responses', [`${origin}/pdf`, `${origin}/png`], 'document'),
    )
    assert.equal(told.status, 200, told.text)
    const [document, image] = sentTo('bedrock')
    assert.equal(document.document.source.bytes, PDF.toString('base64'))
    assert.equal(image.image.source.bytes, data)
  })

  test('hosts that take data alone get data', async () => {
    const told = await ask('messages', 'old', question('messages', [`${origin}/a`]))
    assert.equal(told.status, 200, told.text)
    assert.deepEqual(sentTo('old'), [{ type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } }])
  })

  test('media inside a tool’s result', async () => {
    const content = [{ type: 'image', source: { type: 'url', url: `${origin}/a` } }]
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'look', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content }] },
    ]
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    const told = await ask('messages', 'bedrock', { max_tokens: 9, messages, tools })
    assert.equal(told.status, 200, told.text)
    assert.ok(gateway.upstream.received.at(-1)!.bytes.toString().includes(data))
  })

  test('the same address is asked once', async () => {
    const urls = [`${origin}/a`, `${origin}/b`, `${origin}/a`]
    assert.equal((await ask('chat', 'gemini', question('chat', urls))).status, 200)
    assert.deepEqual(asked.sort(), ['/a', '/b'])
    assert.equal(sentTo('gemini').length, 3)
  })
})

describe('data goes through every pair as the same bytes (R84)', () => {
  const data = PNG.toString('base64')
  for (const client of CLIENTS) {
    for (const upstream of ['chat', 'messages', 'gemini', 'bedrock', 'old'] as const) {
      test(`${client} over ${upstream}`, async () => {
        const told = await ask(client, upstream, picture(client, data))
        assert.equal(told.status, 200, told.text)
        const sent = gateway.upstream.received.at(-1)!.bytes.toString()
        assert.deepEqual([sent.split(data).length, asked.length], [2, 0])
        assert.match(sent, upstream === 'bedrock' ? /"format":"png"/ : /image\/png/)
      })
    }
  }
})

describe('what the upstream loads itself is not loaded', () => {
  const SECURE = 'https://pictures.example/a'

  test('addresses pass on where the target takes them', async () => {
    const cases: [Client, Upstream, string, (parts: Json) => string][] = [
      ['messages', 'chat', SECURE, ([part]) => part.image_url],
      ['chat', 'messages', SECURE, ([part]) => part.source.url],
      ['gemini', 'messages', SECURE, ([part]) => part.source.url],
      ['chat', 'gemini', 'https://www.youtube.com/watch?v=1', ([part]) => part.fileData.fileUri],
      ['chat', 'gemini', 'gs://bucket/a.png', ([part]) => part.fileData.fileUri],
    ]
    for (const [client, upstream, url, read] of cases) {
      const told = await ask(client, upstream, question(client, [url]))
      assert.equal(told.status, 200, told.text)
      assert.equal(read(sentTo(upstream)), url)
    }
    assert.deepEqual(asked, [])
  })

  test('Anthropic loads from https alone', async () => {
    assert.equal((await ask('chat', 'messages', question('chat', [`${origin}/a`]))).status, 200)
    assert.deepEqual(sentTo('messages')[0].source, {
      type: 'base64',
      media_type: 'image/png',
      data: PNG.toString('base64'),
    })
  })

  test('a request of the upstream’s own protocol is never looked into', async () => {
    const told = await ask('messages', 'messages', question('messages', ['http://169.254.169.254/latest/']))
    assert.equal(told.status, 200, told.text)
    assert.equal(sentTo('messages')[0].source.url, 'http://169.254.169.254/latest/')
  })
})

describe('what may not be loaded (R122, attack S1)', () => {
  test('a private address is refused on every surface, whatever the upstream could do', async () => {
    const before = gateway.upstream.count()
    for (const client of CLIENTS) {
      for (const upstream of ['chat', 'messages', 'gemini', 'bedrock'] as const) {
        if (client === upstream || (client === 'responses' && upstream === 'chat')) continue
        for (const url of [
          'http://169.254.169.254/latest/meta-data/',
          'http://[::ffff:10.0.0.1]/',
          'file:///etc/passwd',
        ]) {
          const told = await ask(client, upstream, question(client, [url]))
          assertRefused(client, told, 'media_url_forbidden')
        }
      }
    }
    assert.equal(gateway.upstream.count(), before)
    const told = await ask('chat', 'gemini', question('chat', ['https://pictures.example/a.png', 'http://10.0.0.1/']))
    assert.equal(told.json.error.param, 'messages.0.content.1')
    assert.doesNotMatch(told.text, /10\.0\.0\.1/)
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.status, row.error_code], ['rejected', 'media_url_forbidden'])
    assert.equal(Number((await gateway.account(gateway.accountId)).held), 0)
  })

  test('without the operator’s leave the machine itself is private, also behind a redirect', async () => {
    await using closed = await start()
    assertRefused('chat', await ask('chat', 'gemini', question('chat', [`${origin}/a`]), closed), 'media_url_forbidden')
    assert.deepEqual([asked.length, closed.upstream.count()], [0, 0])
    handler = (_request, response) => void response.writeHead(302, { location: 'http://10.0.0.1/' }).end()
    assertRefused('chat', await ask('chat', 'gemini', question('chat', [`${origin}/a`])), 'media_url_forbidden')
  })

  test('a counter of another protocol is not told either', async () => {
    const body = { model: MODEL.gemini.id, ...question('messages', ['http://169.254.169.254/']) }
    const told = await gateway.ask('/v1/messages/count_tokens', { body })
    assertRefused('messages', told, 'media_url_forbidden')
  })
})

describe('what cannot be loaded', () => {
  const failing = async (reason: RegExp, at = gateway): Promise<void> => {
    const told = await ask('chat', 'gemini', question('chat', [`${origin}/a`]), at)
    assertRefused('chat', told, 'media_fetch_failed')
    assert.equal(told.json.error.param, 'messages.0.content.0')
    assert.match(told.json.error.message, reason)
    assert.doesNotMatch(told.text, /secret|127\.0\.0\.1/)
  }

  test('is refused, and what the host answered is not told', async () => {
    handler = (_request, response) => void response.writeHead(401).end('secret')
    await failing(/did not answer with a file/)
  })

  test('is of another type than its part', async () => {
    for (const each of [sending('secret', 'text/html'), sending(PDF, 'image/png'), sending('secret')]) {
      handler = each
      await failing(/not of a type that image may have/)
    }
  })

  test('the type that the bytes tell goes before the one that the host says', async () => {
    handler = sending(PNG, 'image/jpeg; charset=binary')
    assert.equal((await ask('chat', 'gemini', question('chat', [`${origin}/a`]))).status, 200)
    assert.equal(sentTo('gemini')[0].inlineData.mimeType, 'image/png')
  })

  test('all files together have as many bytes as a body may have', async () => {
    const limits = { body_bytes_max: 1000 }
    await using small = await start({ limits, outbound: { allow_private: ['127.0.0.0/8'] } })
    handler = sending(Buffer.concat([PNG, Buffer.alloc(1000 - PNG.length)]), 'image/png')
    assert.equal((await ask('chat', 'gemini', question('chat', [`${origin}/a`]), small)).status, 200)
    handler = sending(Buffer.concat([PNG, Buffer.alloc(1001 - PNG.length)]), 'image/png')
    await failing(/more than 1000 bytes/, small)
  })

  test('so many files for one request, and so many of them at a time', async () => {
    const urls = Array.from({ length: LOADED_FILES_MAX + 1 }, (_, index) => `${origin}/${index}`)
    const told = await ask('chat', 'gemini', question('chat', urls))
    assertRefused('chat', told, 'media_fetch_failed')
    assert.deepEqual([told.json.error.param, asked.length], [`messages.0.content.${LOADED_FILES_MAX}`, 0])
    const held: ServerResponse[] = []
    const full = Promise.withResolvers<void>()
    handler = (request, response) => {
      if (request.url === '/other') return sending(PNG, 'image/png')(request, response)
      held.push(response)
      if (held.length === LOADED_AT_A_TIME_MAX) full.resolve()
    }
    const asking = ask('chat', 'gemini', question('chat', urls.slice(0, LOADED_FILES_MAX)))
    await full.promise
    // A whole request of another client passes meanwhile: one more of this client would have come by then.
    assert.equal((await ask('chat', 'gemini', question('chat', [`${origin}/other`]))).status, 200)
    assert.equal(held.length, LOADED_AT_A_TIME_MAX)
    handler = sending(PNG, 'image/png')
    for (const response of held) response.writeHead(200, { 'content-type': 'image/png' }).end(PNG)
    const taken = await asking
    assert.deepEqual([taken.status, asked.length], [200, LOADED_FILES_MAX + 1], taken.text)
  })

  test('the client that leaves ends the loading', async () => {
    const client = new AbortController()
    const before = gateway.upstream.count()
    handler = (_request, response) => {
      response.writeHead(200, { 'content-type': 'image/png' }).write(PNG.subarray(0, 8))
      client.abort()
    }
    const gone = once(left, 'left', { signal: AbortSignal.timeout(LEAVING_MS_MAX) })
    await assert.rejects(ask('chat', 'gemini', question('chat', [`${origin}/a`]), gateway, client.signal))
    await gone
    const cancelled = async () =>
      (await gateway.logs(gateway.accountId)).find(({ status }) => status === 'client_cancelled')
    const row = await eventually('the row of the request', 5000, cancelled)
    assert.deepEqual([row.status_code, gateway.upstream.count()], [499, before])
  })
})
