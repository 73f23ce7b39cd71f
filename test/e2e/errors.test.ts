import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Reply } from '#test/upstream/upstream.ts'
import { freePort } from '#test/faults/gateway.ts'
import { MODELS, startTestGateway, type TestGateway, type Told, UPSTREAM_KEYS } from './gateway.ts'
import { assertEnvelope, codeOf, NAMES, type Name, SURFACES } from './surfaces.ts'

/** Every failure in the client's own envelope: nothing leaks, nothing is charged, nothing stays held (R11, R23, R45). */

let gateway: TestGateway
before(async () => {
  const closed = await freePort()
  gateway = await startTestGateway({
    config: {
      backends: {
        closed: {
          type: 'openai',
          api_url: `http://127.0.0.1:${closed}/v1`,
          api_key: UPSTREAM_KEYS.openai,
          protocols: ['openai-chat', 'openai-responses', 'openai-embeddings', 'anthropic-messages', 'gemini'],
          models: ['closed-test'],
        },
        off: { type: 'openai', enabled: false, api_key: 'x', models: ['off-test'] },
        others: { type: 'openai', api_key: 'x', models: [{ id: 'others-test', group: 'others' }, 'unpriced-test'] },
      },
      models: [
        ...configModels,
        { id: 'unpriced-test', max_output: 100, capabilities: ['chat'] },
        ...['closed-test', 'off-test', 'others-test'].map((id) => ({
          id,
          max_output: 100,
          capabilities: ['chat'],
          price: { input: 1, output: 1 },
        })),
      ],
    },
  })
})
after(() => gateway.close())

const CHAT_MODEL = {
  context_window: 100_000,
  max_output: 8000,
  capabilities: ['streaming'],
  price: { input: 3, output: 15 },
}
const configModels = [
  ...[MODELS.chat, MODELS.messages, MODELS.gemini].map(({ id }) => ({ id, ...CHAT_MODEL })),
  ...[MODELS.embedding, MODELS.geminiEmbedding].map(({ id }) => ({
    id,
    capabilities: ['embeddings'],
    context_window: 8192,
    price: { input: 0.1 },
  })),
]

/** Surfaces that answer with generated text. */
const GENERATING = ['chat', 'responses', 'messages', 'gemini', 'openRouter'] as const

interface Expected {
  readonly status: number
  readonly code: string
  /** Under `/api/v1`, where it differs (openrouter-api.md section 4). */
  readonly openRouterStatus?: number
  readonly rowStatus?: string
  readonly message?: RegExp
  /** Upstream requests made. */
  readonly calls?: number
}

/** Sends one request that must fail, and checks everything that holds for each failure. */
async function assertFails(
  name: Name,
  expected: Expected,
  body: unknown,
  path: string = SURFACES[name].path,
): Promise<Told> {
  const before = await gateway.account(gateway.accountId)
  const calls = gateway.upstream.count()
  const told = await gateway.ask(path, { body })
  const { calls: made = 0, rowStatus = 'rejected', message = /./ } = expected
  const status = name === 'openRouter' ? (expected.openRouterStatus ?? expected.status) : expected.status
  assert.equal(told.status, status, `${name}: ${told.text}`)
  assertEnvelope(name, told)
  assert.match(told.json.error.message, message)
  assertNothingLeaks(told)
  assert.equal(told.headers.get('x-gateway-cost'), null)
  assert.equal(gateway.upstream.count() - calls, made)
  const after = await gateway.account(gateway.accountId)
  assert.deepEqual([after.balance, after.held], [before.balance, '0'])
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.deepEqual([row.status_code, row.error_code, row.status], [expected.status, expected.code, rowStatus])
  assert.equal(row.attempts.length, rowStatus === 'upstream_error' ? 1 : 0)
  assert.ok(['0', null].includes(row.charged_cost), `charged ${row.charged_cost}`)
  return told
}

function assertNothingLeaks({ text, headers }: Told): void {
  const everything = text + JSON.stringify([...headers])
  for (const secret of [...Object.values(UPSTREAM_KEYS), gateway.key, new URL(gateway.upstream.url).host, '127.0.0.1'])
    assert.ok(!everything.includes(secret), `${secret} in ${text}`)
  assert.doesNotMatch(text, /\n\s*at |\\n\s*at |\.ts:\d|ECONN|undici|<html/i)
}

/** `x-should-retry` is false wherever a repetition of a status that SDKs repeat cannot help soon (R11). */
function assertRetryHint(told: Told, canHelp: boolean): void {
  const isRepeated = [408, 409, 429].includes(told.status) || told.status >= 500
  assert.equal(told.headers.get('x-should-retry'), isRepeated && !canHelp ? 'false' : null, `${told.status}`)
}

const withModel = (name: Name, model: string | undefined): [unknown, string] => {
  const { body, path } = SURFACES[name]
  if (name === 'gemini') return [body, path.replace(MODELS.gemini.id, model ?? '')]
  const { model: _, ...rest } = body as { model: string }
  return [model === undefined ? rest : { ...rest, model }, path]
}

describe('requests that never reach an upstream', () => {
  for (const name of NAMES) {
    test(`${name}: an unknown model is 404 with the nearest ids`, async () => {
      const right = name === 'gemini' ? MODELS.gemini.id : (SURFACES[name].body as { model: string }).model
      const [body, path] = withModel(name, right.replace('test', 'tset'))
      const told = await assertFails(
        name,
        { status: 404, code: 'model_not_found', message: new RegExp(right) },
        body,
        path,
      )
      assert.equal(codeOf(name, told.json), 'model_not_found')
    })

    test(`${name}: no model, a body that is no object, no JSON, nothing`, async () => {
      if (name !== 'gemini') {
        const [body, path] = withModel(name, undefined)
        await assertFails(name, { status: 400, code: 'missing_model' }, body, path)
        await assertFails(name, { status: 400, code: 'missing_model' }, withModel(name, '')[0])
        await assertFails(name, { status: 400, code: 'invalid_parameter' }, { ...SURFACES[name].body, model: 7 })
      }
      for (const body of ['[]', '{', '"text"', '{"a":1}x', `{"a":"${'\\u12'}"}`])
        await assertFails(name, { status: 400, code: 'invalid_json' }, body)
    })

    test(`${name}: a model of the wrong kind`, async () => {
      const isEmbedding = name === 'embeddings'
      const model = isEmbedding ? MODELS.chat.id : name === 'gemini' ? MODELS.geminiEmbedding.id : MODELS.embedding.id
      const code = isEmbedding ? 'model_not_embedding' : 'model_not_chat'
      const told = await assertFails(name, { status: 400, code }, ...withModel(name, model))
      assert.match(told.json.error.message, isEmbedding ? /\/v1\/chat\/completions/ : /\/v1\/embeddings/)
    })
  }

  test('a known model whose backends are off is 503, and 404 under /api/v1', async () => {
    for (const name of GENERATING) {
      const expected = { status: 503, openRouterStatus: 404, code: 'no_available_backend' }
      const told = await assertFails(name, expected, ...withModel(name, 'off-test'))
      assertRetryHint(told, false)
    }
  })

  test('a model of another group, and one without a price, are 403', async () => {
    for (const name of ['chat', 'responses', 'openRouter'] as const) {
      await assertFails(name, { status: 403, code: 'model_not_allowed' }, ...withModel(name, 'others-test'))
      await assertFails(name, { status: 403, code: 'model_unpriced' }, ...withModel(name, 'unpriced-test'))
    }
  })

  test('unknown paths speak the dialect of their prefix', async () => {
    for (const [path, shape] of [
      ['/v1/nothing', 'chat'],
      ['/v1/messages/nothing', 'messages'],
      ['/v1beta/nothing', 'gemini'],
      ['/v1beta/models/a:nothing', 'gemini'],
      ['/api/v1/nothing', 'openRouter'],
      ['/anthropic/v1/nothing', 'messages'],
    ] as const) {
      const told = await gateway.ask(path, { body: {} })
      assert.equal(told.status, 404, path)
      assertEnvelope(shape, told)
    }
  })
})

interface Failing {
  readonly what: string
  readonly reply: Reply
  readonly expected: Expected
  readonly retryAfter?: string
  readonly canHelp?: boolean
}

const html = { 'content-type': 'text/html' }
const json = { 'content-type': 'application/json' }
const upstreamError = (message: string, type = 'invalid_request_error') => ({ error: { message, type, code: 'told' } })
const broken = { status: 502, openRouterStatus: 503, code: 'upstream_unavailable' }
const bad = { status: 502, code: 'upstream_bad_response' }

const FAILURES: readonly Failing[] = [
  {
    what: '400 keeps its message',
    reply: { status: 400, body: upstreamError('temperature is too hot') },
    expected: { status: 400, code: 'invalid_request', message: /^temperature is too hot$/ },
  },
  {
    what: '404',
    reply: { status: 404, body: upstreamError('no such deployment') },
    expected: { status: 404, code: 'not_found' },
  },
  {
    what: '422 with a list for a message',
    reply: { status: 422, body: { message: { detail: [{ msg: 'too long' }] } } },
    expected: { status: 422, code: 'invalid_request', message: /too long/ },
  },
  {
    what: '429 with retry-after',
    reply: { status: 429, headers: { 'retry-after': '7' }, body: upstreamError('slow down', 'rate_limit_error') },
    expected: { status: 429, code: 'upstream_rate_limited', message: /slow down/ },
    retryAfter: '7',
    canHelp: true,
  },
  {
    what: '429 with a wait of hours',
    reply: { status: 429, headers: { 'retry-after': '40000' }, body: upstreamError('tomorrow') },
    expected: { status: 429, code: 'upstream_rate_limited' },
    retryAfter: '40000',
  },
  { what: '500', reply: { status: 500, body: upstreamError('oops', 'server_error') }, expected: broken },
  { what: '503', reply: { status: 503, body: '' }, expected: broken },
  { what: '529', reply: { status: 529, body: upstreamError('overloaded', 'overloaded_error') }, expected: broken },
  {
    what: '500 in HTML',
    reply: { status: 500, headers: html, body: '<html><body>nginx at 10.0.0.7</body></html>' },
    expected: { ...broken, message: /^The backend failed: The upstream answered 500\.$/ },
  },
  {
    what: '500 in plain text that names the host',
    reply: { status: 500, body: 'connect to 127.0.0.1 failed' },
    expected: { ...broken, message: /connect to the backend failed/ },
  },
  {
    what: '400 that quotes a credential',
    reply: { status: 400, body: upstreamError(`the key ${UPSTREAM_KEYS.openai} is for another project`) },
    expected: { status: 400, code: 'invalid_request', message: /another project/ },
  },
  {
    what: '200 with an error inside',
    reply: { body: upstreamError('quota', 'rate_limit_exceeded') },
    expected: { status: 429, code: 'upstream_rate_limited', message: /quota/ },
    canHelp: true,
  },
  { what: '200 that is no JSON', reply: { headers: json, body: '{"half":' }, expected: bad },
  { what: '200 in HTML', reply: { headers: html, body: '<html>welcome</html>' }, expected: bad },
  { what: '200 with nothing', reply: { headers: json, body: '' }, expected: bad },
  { what: '200 of another kind', reply: { headers: json, body: { hello: 'there' } }, expected: bad },
  { what: 'a socket cut in the middle of the body', reply: { headers: json, cutAfterBytes: 20 }, expected: broken },
  { what: 'a socket reset before anything', reply: { cutAfterBytes: 0, headers: json }, expected: broken },
]

for (const streamed of [false, true]) {
  describe(`upstream failures, ${streamed ? 'streamed' : 'whole'}`, () => {
    for (const { what, reply, expected, retryAfter, canHelp = false } of FAILURES) {
      test(what, async () => {
        for (const name of streamed ? GENERATING : NAMES) {
          // Counting is not an answer with choices: only errors are failures there.
          if (name === 'count' && expected.code === 'upstream_bad_response') continue
          // A host without a counter answers 404; then the gateway counts.
          if (name === 'count' && expected.status === 404) continue
          gateway.upstream.script(reply)
          const full: Expected = { ...expected, rowStatus: 'upstream_error', calls: 1 }
          const told = await assertFails(name, full, ...streamedCall(name, streamed))
          assert.equal(codeOf(name, told.json), codeShown(name, told, expected.code))
          if (retryAfter) assert.equal(told.headers.get('retry-after'), retryAfter)
          if (told.status === 429) assert.ok(Number(told.headers.get('retry-after')) >= 1)
          const isOpenRouter5xx = name === 'openRouter' && expected.openRouterStatus === 503
          assertRetryHint(told, canHelp || isOpenRouter5xx)
        }
      })
    }
  })
}

/** A client error keeps the provider's own code in OpenAI's envelope (R11). */
function codeShown(name: Name, told: Told, code: string): string {
  const isOpenAi = name === 'chat' || name === 'responses' || name === 'embeddings'
  return isOpenAi && told.json.error.code === 'told' && told.status < 500 ? 'told' : code
}

function streamedCall(name: Name, streamed: boolean): [unknown, string] {
  const { body, path } = SURFACES[name]
  if (!streamed) return [body, path]
  if (name === 'gemini') return [body, path.replace(':generateContent', ':streamGenerateContent?alt=sse')]
  return [{ ...body, stream: true }, path]
}

describe('credentials that the upstream refuses (R23)', () => {
  const variable = (name: Name): string =>
    name === 'gemini'
      ? 'GEMINI_API_KEY'
      : name === 'messages' || name === 'count'
        ? 'ANTHROPIC_API_KEY'
        : 'OPENAI_API_KEY'

  test('401, 402 and 403 are the operator’s: 502 that names the variable and no key', async () => {
    for (const name of NAMES) {
      for (const status of [401, 402, 403]) {
        gateway.upstream.script({ status, body: upstreamError(`Incorrect API key ${UPSTREAM_KEYS.openai}`) })
        const message = new RegExp(variable(name))
        const expected = { status: 502, openRouterStatus: 404, code: 'upstream_auth_failed', message }
        const told = await assertFails(
          name,
          { ...expected, rowStatus: 'upstream_error', calls: 1 },
          SURFACES[name].body,
        )
        assert.doesNotMatch(told.text, /Incorrect/)
        assertRetryHint(told, false)
      }
    }
  })

  test('where one person is both, the upstream’s own status passes', async () => {
    await using local = await startTestGateway({ flags: { 'disable-auth': true } })
    local.upstream.script({ status: 401, body: upstreamError('Incorrect API key') })
    const told = await local.ask(SURFACES.chat.path, { body: SURFACES.chat.body })
    assert.deepEqual([told.status, told.json.error.message], [401, 'Incorrect API key'])
  })
})

test('a backend that refuses connections', async () => {
  for (const name of GENERATING) {
    const [body, path] = withModel(name, 'closed-test')
    const told = await assertFails(name, { ...broken, rowStatus: 'upstream_error' }, body, path)
    assertRetryHint(told, name === 'openRouter')
  }
})
