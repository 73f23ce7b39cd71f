import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Received } from '#test/upstream/upstream.ts'
import { JOINED_BYTES_MAX } from '#data-plane/9-reply/reply.ts'
import { eventsOf, type Json, MODELS, startTestGateway, type TestGateway, UPSTREAM_KEYS } from './gateway.ts'
import { numbersFrom, randomObject } from './random-json.ts'

/** A same-protocol request and its answer keep their JSON, byte for byte where nothing is ours (R59, R79, R80; invariant 4). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

interface SurfaceCase {
  readonly name: string
  readonly path: string
  /** A body as a client writes it, with `model` already in it where the surface has it there. */
  readonly body: Json
  /** The bytes the upstream must get, from the client's bytes. */
  readonly renamed: (text: string) => string
  /** The answer's member that names the model. */
  readonly modelKey: string
  readonly ids: { readonly id: string; readonly upstream: string }
}

const rename =
  ({ id, upstream }: { id: string; upstream: string }) =>
  (text: string) =>
    text.replace(`"model":${JSON.stringify(id)}`, `"model":${JSON.stringify(upstream)}`)

const SURFACES: readonly SurfaceCase[] = [
  {
    name: 'chat',
    path: '/v1/chat/completions',
    body: { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] },
    renamed: rename(MODELS.chat),
    modelKey: 'model',
    ids: MODELS.chat,
  },
  {
    name: 'responses',
    path: '/v1/responses',
    body: { model: MODELS.chat.id, input: 'hi' },
    renamed: rename(MODELS.chat),
    modelKey: 'model',
    ids: MODELS.chat,
  },
  {
    name: 'messages',
    path: '/v1/messages',
    body: { model: MODELS.messages.id, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] },
    renamed: rename(MODELS.messages),
    modelKey: 'model',
    ids: MODELS.messages,
  },
  {
    name: 'gemini',
    path: `/v1beta/models/${MODELS.gemini.id}:generateContent`,
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    renamed: (text) => text,
    modelKey: 'modelVersion',
    ids: MODELS.gemini,
  },
]

const lastReceived = (): Received => gateway.upstream.received.at(-1)!

/** Sends a body as text and gives what reached the upstream, as text. */
async function forwarded(path: string, text: string, headers: Record<string, string> = {}): Promise<string> {
  const { status, text: told } = await gateway.ask(path, { body: text, headers })
  assert.equal(status, 200, told)
  return lastReceived().bytes.toString()
}

for (const surface of SURFACES) {
  describe(`requests on ${surface.name}`, () => {
    test('R59: random bodies with unknown members arrive byte for byte but for the model’s name', async () => {
      for (let seed = 1; seed <= 40; seed++) {
        const extra = randomObject(numbersFrom(seed))
        const [first, ...others] = extra
        const members = [...(first ? [first] : []), ...Object.entries(surface.body).map(memberOf), ...others]
        const text = seed % 3 === 0 ? `{ ${members.join(' ,\n\t')} }` : `{${members.join(',')}}`
        assert.equal(await forwarded(surface.path, text), surface.renamed(text), `seed ${seed}`)
      }
    })

    test('explicit 0, false, null, "" and [] are kept; what is absent stays absent', async () => {
      for (const value of ['0', 'false', 'null', '""', '[]', '{}', '-0', '0.0', '1E-7']) {
        const plain = JSON.stringify(surface.body)
        const text = `${plain.slice(0, -1)},"temperature":${value},"x_unknown":${value},"metadata":{"a":${value}}}`
        assert.equal(await forwarded(surface.path, text), surface.renamed(text))
        assert.equal(await forwarded(surface.path, plain), surface.renamed(plain))
      }
    })

    test('numbers are not rounded, escapes are not rewritten, repeated foreign members stay', async () => {
      const extra =
        '"seed":9007199254740993,"big":123456789012345678901234567890,"f":1.10,"e":-1.5e-300,"u":"\\u00e9\\/\\ud83d\\ude80","twice":1,"twice":2,"10":1,"9":2'
      const text = `${JSON.stringify(surface.body).slice(0, -1)},${extra}}`
      assert.equal(await forwarded(surface.path, text), surface.renamed(text))
    })

    test('R59: the upstream gets its own credential and nothing of the client’s', async () => {
      const headers = {
        cookie: 'session=secret',
        'x-forwarded-for': '203.0.113.9',
        'x-real-ip': '203.0.113.9',
        'x-gateway-anything': 'ours',
        'x-api-key': 'another-key',
        'x-custom': 'mine',
        'anthropic-version': '2026-10-21',
        'anthropic-beta': 'interleaved-thinking-2025-05-14,another-beta',
        'openai-beta': 'responses=v1',
        'openai-organization': 'org-client',
      }
      await forwarded(surface.path, JSON.stringify(surface.body), headers)
      const { headers: sent, query } = lastReceived()
      const text = JSON.stringify(sent)
      for (const secret of [gateway.key, 'secret', '203.0.113.9', 'another-key', 'mine', 'ours', 'org-client'])
        assert.ok(!text.includes(secret), secret)
      for (const name of Object.keys(sent))
        assert.doesNotMatch(name, /^(x-forwarded|x-real|x-gateway|cookie|forwarded)/)
      const isMessages = surface.name === 'messages'
      assert.equal(sent['anthropic-version'], isMessages ? '2026-10-21' : undefined)
      assert.equal(sent['anthropic-beta'], isMessages ? headers['anthropic-beta'] : undefined)
      assert.equal(sent['openai-beta'], surface.path.startsWith('/v1/') && !isMessages ? 'responses=v1' : undefined)
      const credential = sent.authorization ?? sent['x-api-key'] ?? sent['x-goog-api-key']
      assert.ok(Object.values(UPSTREAM_KEYS).some((key) => String(credential).endsWith(key)))
      assert.equal(query.get('key'), null)
    })
  })

  describe(`answers on ${surface.name}`, () => {
    test('unknown members and foreign formatting stay; the model shows its public id', async () => {
      const { json: native } = await gateway.ask(surface.path, { body: surface.body })
      assert.equal(native[surface.modelKey], surface.ids.id)
      const extra = '"x_unknown":{"cost":7,"model":"other","n":9007199254740993},"cost":1.10,"list":[null,0,""]'
      const head = JSON.stringify({ ...native, [surface.modelKey]: surface.ids.upstream })
      const plain = head.replace(/"cost":[\d.]+,/, '')
      for (const body of [`${plain.slice(0, -1)},${extra}}`, `{${extra},${plain.slice(1)}`, `{ ${plain.slice(1)}\n`]) {
        gateway.upstream.script({ body, headers: { 'content-type': 'application/json' } })
        const told = await gateway.ask(surface.path, { body: surface.body })
        const withoutCost = told.text.replace(/("usage":\{)"cost":[\d.]+,/, '$1')
        const expected = body.replace(
          `"${surface.modelKey}":${JSON.stringify(surface.ids.upstream)}`,
          `"${surface.modelKey}":${JSON.stringify(surface.ids.id)}`,
        )
        assert.equal(withoutCost, expected)
        const isNative = surface.name === 'messages' || surface.name === 'gemini'
        assert.equal(told.text === withoutCost, isNative, 'cost is in the body of OpenAI-shaped answers only')
        assert.ok(Number(told.headers.get('x-gateway-cost')) > 0)
        assert.equal(told.headers.get('x-gateway-adapter'), 'passthrough')
      }
    })

    test('an answer keeps its bytes, whether it goes out in one piece with its head or behind it', async () => {
      const { json: native } = await gateway.ask(surface.path, { body: surface.body })
      const { usage: _, ...rest } = native
      const head = JSON.stringify({ ...rest, [surface.modelKey]: surface.ids.id }).slice(0, -1)
      for (const bytes of [0, JOINED_BYTES_MAX]) {
        const text = `${head},"x":"\u00e9\u20ac\ud83d\ude80${'\u00fc'.repeat(bytes / 2)}"}`
        gateway.upstream.script({ body: text, headers: { 'content-type': 'application/json' } })
        const told = await gateway.ask(surface.path, { body: surface.body })
        assert.equal(told.text, text)
        assert.equal(told.headers.get('content-length'), String(Buffer.byteLength(text)))
      }
    })

    test('every stream event shows the public id and is otherwise unchanged', async () => {
      const path = surface.path.replace(':generateContent', ':streamGenerateContent?alt=sse')
      const body = surface.name === 'gemini' ? surface.body : { ...surface.body, stream: true }
      const told = await gateway.ask(path, { body })
      assert.equal(told.status, 200)
      assert.equal(told.headers.get('content-type'), 'text/event-stream; charset=utf-8')
      assert.equal(told.headers.get('cache-control'), 'no-cache')
      assert.equal(told.headers.get('x-accel-buffering'), 'no')
      assert.match(told.headers.get('x-request-id')!, /^req_/)
      assert.ok(told.text.includes(surface.ids.id))
      assert.ok(!told.text.includes(surface.ids.upstream))
      // The same stream once more, straight from the upstream.
      const sent = lastReceived()
      const direct = await fetch(`${gateway.upstream.url}${sent.path}?${sent.query}`, {
        method: 'POST',
        body: sent.bytes.toString(),
      })
      const native = (await direct.text())
        .split('\n\n')
        .filter((event) => !event.includes('"choices":[],"usage"'))
        .join('\n\n')
      const renamed = native.replaceAll(JSON.stringify(surface.ids.upstream), JSON.stringify(surface.ids.id))
      assert.equal(told.text.replace(/("usage":\{)"cost":[\d.]+,/, '$1'), renamed)
    })
  })
}

const memberOf = ([name, value]: [string, unknown]): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`

describe('usage in chat streams (R9)', () => {
  const body = { model: MODELS.chat.id, stream: true, messages: [{ role: 'user', content: 'hi' }] }
  const usageFrames = async (path: string, options?: object): Promise<Json[]> => {
    const { text } = await gateway.ask(path, { body: { ...body, ...(options && { stream_options: options }) } })
    assert.ok(text.endsWith('data: [DONE]\n\n'))
    return eventsOf(text).filter((event) => event.usage)
  }

  test('the upstream is always asked, the rest of stream_options is kept', async () => {
    for (const options of [undefined, { include_usage: false, x_other: [1] }, { x_other: null }, {}]) {
      await usageFrames('/v1/chat/completions', options)
      assert.deepEqual(lastReceived().fields['stream_options'], { ...options, include_usage: true })
    }
    const whole = await forwarded('/v1/chat/completions', JSON.stringify({ ...body, stream: false }))
    assert.equal(JSON.parse(whole).stream, false)
    assert.ok(!whole.includes('stream_options'))
  })

  test('under /v1 only who asked sees it; under /api/v1 who did not refuse', async () => {
    const shown = async (path: string, options?: object) => (await usageFrames(path, options)).length
    const [native, openRouter] = ['/v1/chat/completions', '/api/v1/chat/completions']
    assert.equal(await shown(native), 0)
    assert.equal(await shown(native, { include_usage: false }), 0)
    assert.equal(await shown(native, { include_usage: true }), 1)
    assert.equal(await shown(openRouter), 1)
    assert.equal(await shown(openRouter, { include_usage: true }), 1)
    assert.equal(await shown(openRouter, { include_usage: false }), 0)
    const [frame] = await usageFrames(openRouter)
    assert.deepEqual(frame.choices, [])
    assert.equal(frame.usage.cost, 0.000105)
  })

  test('without usage no chunk has empty choices', async () => {
    const { text } = await gateway.ask('/v1/chat/completions', { body })
    for (const event of eventsOf(text)) assert.equal(event.choices.length, 1)
  })
})

test('members that the gateway reads may be 0, false or null too (R80)', async () => {
  const cases = [
    [SURFACES[0]!, '"max_tokens":0,"n":0,"stream":false,"stream_options":null'],
    [SURFACES[0]!, '"max_completion_tokens":0,"n":null,"stream":null,"logprobs":false'],
    [SURFACES[1]!, '"max_output_tokens":0,"store":false,"previous_response_id":null,"stream":false'],
    [SURFACES[2]!, '"stream":false,"container":null,"stop_sequences":[]'],
    [SURFACES[3]!, '"generationConfig":{"maxOutputTokens":0,"candidateCount":0,"thinkingConfig":{"thinkingBudget":0}}'],
    [SURFACES[3]!, '"generation_config":null,"cachedContent":null'],
  ] as const
  for (const [surface, extra] of cases) {
    const text = `${JSON.stringify(surface.body).slice(0, -1)},${extra}}`
    assert.equal(await forwarded(surface.path, text), surface.renamed(text))
  }
})

describe('names of Gemini models and embeddings', () => {
  test('the path is renamed, also behind a percent-encoded or prefixed name', async () => {
    for (const name of [MODELS.gemini.id, 'gemini%2Dtest', `models/${MODELS.gemini.id}`]) {
      await forwarded(
        `/v1beta/models/${name}:generateContent`,
        '{"contents":[{"parts":[{"text":"a"}]}],"model":"ignored"}',
      )
      assert.equal(lastReceived().path, `/v1beta/models/${MODELS.gemini.upstream}:generateContent`)
    }
  })

  test('batchEmbedContents and countTokens are renamed inside', async () => {
    const { id, upstream } = MODELS.geminiEmbedding
    const one = (model: string) => ({ model: `models/${model}`, content: { parts: [{ text: 'a' }] }, x: 0 })
    const batch = (model: string) => JSON.stringify({ requests: [one(model), one(model)], y: null })
    assert.equal(await forwarded(`/v1beta/models/${id}:batchEmbedContents`, batch(id)), batch(upstream))
    const count = (model: string) =>
      JSON.stringify({ generateContentRequest: { model: `models/${model}`, contents: [] } })
    const { gemini } = MODELS
    assert.equal(await forwarded(`/v1beta/models/${gemini.id}:countTokens`, count(gemini.id)), count(gemini.upstream))
  })

  test('embeddings keep dimensions, encoding and unknown members', async () => {
    const { id, upstream } = MODELS.embedding
    const body = (model: string) =>
      JSON.stringify({ input: ['b', 'a'], model, dimensions: 256, encoding_format: 'float', user: '', x: [] })
    assert.equal(await forwarded('/v1/embeddings', body(id)), body(upstream))
    const { json } = await gateway.ask('/v1/embeddings', { body: body(id) })
    assert.deepEqual(
      json.data.map((one: Json) => [one.index, one.embedding.length]),
      [
        [0, 256],
        [1, 256],
      ],
    )
    assert.equal(json.model, id)
    const tokens = JSON.stringify({ model: id, input: [[1, 2], [3]] })
    assert.equal(await forwarded('/v1/embeddings', tokens), tokens.replace(id, upstream))
  })

  test('a backend named in the model field gets its name as it stands (R29)', async () => {
    const { upstream, id } = MODELS.chat
    const body = (model: string) => JSON.stringify({ model, messages: [] })
    assert.equal(await forwarded('/v1/chat/completions', body(`openai:${upstream}`)), body(upstream))
    assert.equal((await gateway.ask('/v1/chat/completions', { body: body(`openai:${upstream}`) })).json.model, id)
    assert.equal((await gateway.ask('/v1/chat/completions', { body: body('nosuch:gpt-test') })).status, 404)
  })
})
