import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { readVersion } from '#base/version.ts'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** What upstreams are told about the calling application, as it arrives there (R113, R114, C19, C28). */

const CLIENT = { 'user-agent': 'foo/1', 'http-referer': 'https://client.example', 'x-title': 'Client' }
const messages = [{ role: 'user', content: 'hi' }]
const NAMES = ['user-agent', 'http-referer', 'x-title', 'x-openrouter-title'] as const

/** One chat call and the identity headers that the upstream saw. */
async function seen(gateway: TestGateway, path: string, body: object, headers: Json = CLIENT): Promise<Json> {
  const { status, text } = await gateway.ask(path, { body, headers })
  assert.equal(status, 200, text)
  const last = gateway.upstream.received.at(-1)!
  return Object.fromEntries(
    NAMES.flatMap((name) => (last.headers[name] === undefined ? [] : [[name, last.headers[name]]])),
  )
}

const chat = { model: MODELS.chat.id, messages }
const claude = { model: MODELS.messages.id, messages, max_tokens: 5 }

test("R113: without configuration the client's own headers pass, on every surface and through translation", async () => {
  await using gateway = await startTestGateway()
  assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat), CLIENT)
  assert.deepEqual(await seen(gateway, '/v1/messages', claude), CLIENT)
  assert.deepEqual(await seen(gateway, '/v1/chat/completions', claude), CLIENT)
  assert.deepEqual(await seen(gateway, '/v1/embeddings', { model: MODELS.embedding.id, input: 'a' }), CLIENT)
  const count = { model: MODELS.messages.id, messages }
  assert.deepEqual(await seen(gateway, '/v1/messages/count_tokens', count), CLIENT)
  const bare = await seen(gateway, '/v1/chat/completions', chat, { 'user-agent': '' })
  assert.deepEqual(bare, { 'user-agent': `Trivium/${readVersion()}` })
})

test("neither cookies nor addresses nor the client's key go upstream", async () => {
  await using gateway = await startTestGateway()
  const headers = { cookie: 'a=b', 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1', forwarded: 'for=10.0.0.1' }
  await seen(gateway, '/v1/chat/completions', chat, headers)
  const received = gateway.upstream.received.at(-1)!.headers
  for (const name of Object.keys(headers)) assert.equal(received[name], undefined, name)
  assert.ok(!JSON.stringify(received).includes(gateway.key))
})

describe('configuration', () => {
  test("R113: the seed's block overrides the User-Agent and leaves the rest", async () => {
    const identity = { user_agent: { mode: 'override', override_value: 'MyApp/1.0.0' } }
    await using gateway = await startTestGateway({ config: { identity } })
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat), { ...CLIENT, 'user-agent': 'MyApp/1.0.0' })
  })

  test('both spellings, bare modes, defaults, and a source of another name', async () => {
    const identity = {
      user_agent: 'default',
      url: { default_value: 'https://default.example' },
      title: { passthrough_name: 'X-App-Name', default_value: 'Default' },
    }
    await using gateway = await startTestGateway({ config: { identity } })
    const agent = `Trivium/${readVersion()}`
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat, { 'user-agent': 'foo/1' }), {
      'user-agent': agent,
      'http-referer': 'https://default.example',
      'x-title': 'Default',
    })
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat, { ...CLIENT, 'x-app-name': 'Mine' }), {
      'user-agent': agent,
      'http-referer': CLIENT['http-referer'],
      'x-title': 'Mine',
    })
  })

  test("R113: a backend's own words replace the shared ones key by key, there only", async () => {
    const own = { user_agent: { override_value: 'Own/1' } }
    const config = (url: string) => ({
      identity: { user_agent: { override_value: 'Shared/1' }, x_title: { override_value: 'Shared' } },
      backends: { anthropic: { type: 'anthropic', api_url: url, api_key_env: 'ANTHROPIC_API_KEY', identity: own } },
    })
    await using gateway = await startTestGateway({ config })
    assert.equal((await seen(gateway, '/v1/chat/completions', chat))['user-agent'], 'Shared/1')
    const there = await seen(gateway, '/v1/messages', claude)
    assert.deepEqual([there['user-agent'], there['x-title']], ['Own/1', 'Shared'])
  })

  test('R114: a flag beats the file', async () => {
    const identity = { user_agent: { mode: 'override', override_value: 'File/1' }, x_title: { override_value: 'File' } }
    const flags = { 'identity-user-agent': 'TestClient/1.0', 'identity-url': 'https://flag.example' }
    await using gateway = await startTestGateway({ config: { identity }, flags })
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat), {
      'user-agent': 'TestClient/1.0',
      'http-referer': 'https://flag.example',
      'x-title': 'File',
    })
  })

  test('R114: variables override, and with a mode of their own they may stand behind the client', async () => {
    const env = { APP_USER_AGENT: 'Env/1', APP_TITLE: 'Env', APP_TITLE_MODE: 'passthrough', APP_URL_MODE: 'default' }
    await using gateway = await startTestGateway({ env })
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat), { 'user-agent': 'Env/1', 'x-title': 'Client' })
    const bare = { 'user-agent': 'foo/1' }
    assert.deepEqual(await seen(gateway, '/v1/chat/completions', chat, bare), {
      'user-agent': 'Env/1',
      'x-title': 'Env',
    })
  })
})

test('R115: a changed file changes what upstreams are told, without a restart', async () => {
  await using gateway = await startTestGateway({ config: { identity: { user_agent: { override_value: 'Before/1' } } } })
  assert.equal((await seen(gateway, '/v1/chat/completions', chat))['user-agent'], 'Before/1')
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Json
  config.identity.user_agent.override_value = 'After/1'
  writeFileSync(gateway.configFile, JSON.stringify(config))
  await eventually('the new name is sent', 5000, async () =>
    (await seen(gateway, '/v1/chat/completions', chat))['user-agent'] === 'After/1' ? true : undefined,
  )
})
