import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Received, Upstream } from '#test/upstream/upstream.ts'
import { ACCOUNT_PUBLIC_KEY, type Clouds, startClouds } from './clouds.ts'
import { eventsOf, type TestGateway } from './gateway.ts'

/** Azure and Vertex (R60, R62): the paths, credentials and bodies of the clouds, over real sockets. */

let clouds: Clouds
let upstream: Upstream
let gateway: TestGateway

before(async () => {
  clouds = await startClouds()
  ;({ upstream, gateway } = clouds)
})
after(() => clouds.close())

const last = (): Received => clouds.last()
const ask: Clouds['ask'] = (...asked) => clouds.ask(...asked)
const askClaude: Clouds['askClaude'] = (...asked) => clouds.askClaude(...asked)

describe('Azure', () => {
  test('R60: the deployment, the version and the key are where Azure wants them, on all surfaces', async () => {
    const calls: [path: string, body: object][] = [
      ['/v1/chat/completions', { model: 'gpt', messages: [{ role: 'user', content: 'hi' }] }],
      ['/v1/responses', { model: 'gpt', input: 'hi' }],
      ['/v1/messages', { model: 'gpt', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }],
      ['/v1beta/models/gpt:generateContent', { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }],
    ]
    for (const [path, body] of calls) {
      const { status, json } = await gateway.ask(path, { body })
      assert.deepEqual([status, json.model ?? json.modelVersion], [200, 'gpt'], path)
      const { path: asked, query, headers } = last()
      assert.equal(asked, '/openai/deployments/my-deployment/chat/completions')
      assert.equal(query.get('api-version'), '2024-10-21')
      assert.deepEqual([headers['api-key'], headers.authorization], ['azure-key-0123456789', undefined])
    }
  })

  test('a deployment says nothing of its model: how it is asked follows from the public id', async () => {
    await askClaude('gpt-5-ours', { temperature: 0.5 })
    const { fields } = last()
    assert.deepEqual(
      [fields['max_completion_tokens'], fields['max_tokens'], fields['temperature']],
      [50, undefined, undefined],
    )
    assert.equal(fields['model'], 'my-deployment')
  })

  test('R60: a dated version has Responses beside the deployments, where they are asked for', async () => {
    const { json } = await gateway.ask('/v1/responses', { body: { model: 'gpt-dated', input: 'hi' } })
    const { path, query, fields, headers } = last()
    assert.deepEqual([path, query.get('api-version')], ['/openai/responses', '2025-04-01-preview'])
    assert.deepEqual([fields['model'], headers['api-key']], ['my-deployment', 'azure-key-0123456789'])
    assert.equal(json.model, 'gpt-dated')
  })

  test('R60: models of all makers behind an address that ends in /models', async () => {
    const { json } = await ask('grok')
    const { path, query, fields, headers } = last()
    assert.deepEqual([path, query.get('api-version')], ['/models/chat/completions', '2024-05-01-preview'])
    assert.deepEqual([fields['model'], headers['api-key'], json.model], ['grok-4', 'azure-key-0123456789', 'grok'])
  })

  test('without a version the deployment is the model, and Responses are native', async () => {
    await ask('gpt-v1')
    assert.deepEqual([last().path, last().fields['model']], ['/openai/v1/chat/completions', 'my-deployment'])
    const { json } = await gateway.ask('/v1/responses', { body: { model: 'gpt-v1', input: 'hi' } })
    assert.deepEqual([last().path, json.model], ['/openai/v1/responses', 'gpt-v1'])
  })

  test('R60: a filtered prompt is an end and keeps its code', async () => {
    const before = upstream.received.length
    const error = { message: 'filtered', type: null, param: 'prompt', code: 'content_filter', status: 400 }
    upstream.script({ status: 400, body: { error } })
    const { status, json } = await ask('gpt')
    assert.deepEqual([status, json.error.code, json.error.message], [400, 'content_filter', 'filtered'])
    assert.equal(clouds.from(before).length, 1)
  })

  test('R60: the filter’s first chunk without choices, and usage that is null, are no trouble', async () => {
    const chunk = (value: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'x', ...value })}\n\n`
    const frames = [
      chunk({
        model: '',
        choices: [],
        usage: null,
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
      }),
      chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }], usage: null }),
      chunk({ choices: [{ index: 0, delta: { content: 'Hello' } }], usage: null }),
      chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: null }),
      chunk({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } }),
      'data: [DONE]\n\n',
    ]
    upstream.script({ frames }, { frames })
    const chat = eventsOf((await ask('gpt', { stream: true })).text)
    assert.equal(chat.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello')
    const messages = eventsOf((await askClaude('gpt', { stream: true })).text)
    assert.deepEqual(messages.map((each) => each.delta?.text ?? '').join(''), 'Hello')
    assert.equal(messages.find((each) => each.type === 'message_delta').usage.input_tokens, 7)
  })

  test('Entra: one token for all, fetched with the client’s credentials', async () => {
    const before = upstream.received.length
    upstream.always((received) =>
      received.path === '/entra/token' ? { body: { access_token: 'entra-1', expires_in: 3600 } } : undefined,
    )
    const answers = await Promise.all([ask('gpt-entra'), ask('gpt-entra'), ask('gpt-entra')])
    upstream.always(undefined)
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    const tokens = clouds.from(before).filter(({ path }) => path === '/entra/token')
    assert.equal(tokens.length, 1)
    const form = Object.fromEntries(new URLSearchParams(tokens[0]!.bytes.toString()))
    assert.deepEqual(form, {
      grant_type: 'client_credentials',
      client_id: 'c',
      client_secret: 's3',
      scope: 'https://cognitiveservices.azure.com/.default',
    })
    const { headers } = last()
    assert.deepEqual([headers.authorization, headers['api-key']], ['Bearer entra-1', undefined])
    // A token that is refused is not used again.
    upstream.script({ status: 401, body: { error: { message: 'expired' } } })
    assert.equal((await ask('gpt-entra')).status, 502)
    upstream.script({ status: 400, body: { error: 'invalid_client' } })
    const { status, json } = await ask('gpt-entra')
    assert.deepEqual([status, json.error.code], [502, 'upstream_auth_failed'])
    assert.doesNotMatch(JSON.stringify(json), /s3|invalid_client/)
  })
})

describe('Vertex', () => {
  before(() => {
    upstream.always((received) =>
      received.path === '/google/token' ? { body: { access_token: 'ya29.vertex', expires_in: 3600 } } : undefined,
    )
  })
  after(() => upstream.always(undefined))

  test('a service account signs for its token, and Gemini is asked under the project', async () => {
    const before = upstream.received.length
    const answer = await gateway.ask('/v1beta/models/gem:generateContent', {
      body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    })
    assert.equal(answer.status, 200, answer.text)
    const [token, call] = clouds.from(before)
    const form = new URLSearchParams(token!.bytes.toString())
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    const [head, claims, signature] = form.get('assertion')!.split('.') as [string, string, string]
    assert.ok(
      verify('RSA-SHA256', Buffer.from(`${head}.${claims}`), ACCOUNT_PUBLIC_KEY, Buffer.from(signature, 'base64url')),
    )
    assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), { alg: 'RS256', typ: 'JWT', kid: 'k1' })
    const { iss, aud, scope, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString())
    assert.deepEqual([iss, aud], ['a@p.iam', `${upstream.url}/google/token`])
    assert.deepEqual([scope, exp - iat], ['https://www.googleapis.com/auth/cloud-platform', 3600])
    assert.equal(
      call!.path,
      '/v1/projects/p-1/locations/us-east5/publishers/google/models/gemini-3-pro:generateContent',
    )
    assert.equal(call!.headers.authorization, 'Bearer ya29.vertex')
  })

  test('Claude: rawPredict, the version in the body, no model', async () => {
    const body = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude',
      content: [{ type: 'text', text: 'Hi' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 5, output_tokens: 2 },
    }
    upstream.always((received) => (received.path.endsWith('awPredict') ? { body } : undefined))
    const { status, json } = await askClaude(
      'claude-vertex',
      {},
      { 'anthropic-beta': 'b1', 'anthropic-version': '2023-06-01' },
    )
    assert.deepEqual([status, json.model, json.content[0].text], [200, 'claude-vertex', 'Hi'])
    const { path, fields, headers } = last()
    assert.match(
      path,
      /^\/v1\/projects\/p-1\/locations\/us-east5\/publishers\/anthropic\/models\/claude-sonnet-4-5@20250929:rawPredict$/,
    )
    assert.deepEqual(
      [fields['anthropic_version'], fields['model'], fields['max_tokens']],
      ['vertex-2023-10-16', undefined, 50],
    )
    assert.deepEqual([headers['anthropic-beta'], headers['anthropic-version']], ['b1', undefined])
    const translated = await ask('claude-vertex')
    assert.deepEqual([translated.status, translated.json.choices[0].message.content], [200, 'Hi'])
    assert.equal(last().fields['anthropic_version'], 'vertex-2023-10-16')
  })

  test('counting: by the members on Gemini, by one counter for all of Claude', async () => {
    upstream.always((received) => {
      if (received.path === '/google/token') return { body: { access_token: 'ya29.vertex', expires_in: 3600 } }
      return { body: received.path.includes('anthropic') ? { input_tokens: 21 } : { totalTokens: 12 } }
    })
    const count = (model: string) =>
      gateway.ask('/v1/messages/count_tokens', { body: { model, messages: [{ role: 'user', content: 'hi' }] } })
    assert.equal((await count('gem')).json.input_tokens, 12)
    assert.match(last().path, /gemini-3-pro:countTokens$/)
    assert.deepEqual(Object.keys(last().fields), ['contents'])
    assert.equal((await count('claude-vertex')).json.input_tokens, 21)
    assert.match(last().path, /\/models\/count-tokens:rawPredict$/)
    assert.equal(last().fields['model'], 'claude-sonnet-4-5@20250929')
  })

  test('express mode: an API key and no project', async () => {
    upstream.always(undefined)
    const { status } = await ask('gemini-express')
    const { path, headers } = last()
    assert.equal(status, 200)
    assert.equal(path, '/v1/publishers/google/models/gemini-3-pro:generateContent')
    assert.deepEqual([headers['x-goog-api-key'], headers.authorization], ['express-key-0123456789', undefined])
  })
})
