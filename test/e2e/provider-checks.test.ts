import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { type RunningGateway, startGateway } from '#main'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { eventsOf, type Json, PRICE, startTestGateway } from './gateway.ts'

/** The checks of the providers' requirements (R58 to R62) that no test of one provider has. */

const messages = [{ role: 'user', content: 'Hello!' }]

interface Bare extends AsyncDisposable {
  readonly upstream: Upstream
  ask(body: object): Promise<{ status: number; json: Json }>
}

/** A gateway with nothing but what the test says, in single-user mode. */
async function startBare(yaml: string, env: Record<string, string>, flags: Record<string, unknown>): Promise<Bare> {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-bare-'))
  const upstream = await startUpstream()
  const text = `logging:\n  level: silent\n${yaml}`
  writeFileSync(join(folder, 'config.yaml'), text)
  const urls = { OPENROUTER_API_BASE_URL: `${upstream.url}/api/v1` }
  const running: RunningGateway = await startGateway({
    flags: { port: 0, 'disable-auth': true, ...flags },
    env: { ...urls, ...env },
    cwd: folder,
  })
  return {
    upstream,
    async ask(body) {
      const answer = await fetch(`${running.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return { status: answer.status, json: await answer.json() }
    },
    [Symbol.asyncDispose]: async () => {
      await running.close()
      await upstream.close()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** As the seed prints it, indented. */
const SEED = `backends:
  openrouter:
    type: openrouter
default_backend: openrouter
`
const KEY = 'sk-or-v1-0123456789'

test('R58: the seed file and one variable are enough for its first call', async () => {
  await using gateway = await startBare(SEED, { OPENROUTER_API_KEY: KEY }, {})
  const { status } = await gateway.ask({ model: 'anthropic/claude-3-5-sonnet', messages })
  const { path, headers, fields } = gateway.upstream.received.at(-1)!
  assert.deepEqual([status, path, headers.authorization], [200, '/api/v1/chat/completions', `Bearer ${KEY}`])
  assert.equal(fields['model'], 'anthropic/claude-3-5-sonnet')
})

test('R58: an error in a 200 is a failure, and never an empty success', async () => {
  await using gateway = await startBare(SEED, { OPENROUTER_API_KEY: KEY }, { 'disable-failure-handling': true })
  gateway.upstream.script({ body: { error: { code: 502, message: 'The provider fell over' } } })
  const { status, json } = await gateway.ask({ model: 'openai/gpt-4o', messages })
  assert.deepEqual([status, /fell over/.test(json.error.message)], [502, true])
})

test('R58: a key flag that is given several times rotates, and wins over numbered variables', async () => {
  const env = { OPENROUTER_API_KEY_1: 'sk-or-env-1', OPENROUTER_API_KEY_2: 'sk-or-env-2' }
  const keysOf = async (flags: Record<string, unknown>): Promise<string[]> => {
    await using gateway = await startBare(SEED, env, flags)
    for (let call = 0; call < 4; call++) await gateway.ask({ model: 'openai/gpt-4o', messages })
    return gateway.upstream.received.map(({ headers }) => headers.authorization!.slice('Bearer '.length)).toSorted()
  }
  assert.deepEqual(await keysOf({ 'openrouter-api-key': ['sk-or-a', 'sk-or-b'] }), [
    'sk-or-a',
    'sk-or-a',
    'sk-or-b',
    'sk-or-b',
  ])
  assert.deepEqual(await keysOf({}), ['sk-or-env-1', 'sk-or-env-1', 'sk-or-env-2', 'sk-or-env-2'])
})

test('R61: a throttled Bedrock is left for the next backend, streamed or not', async () => {
  const upstream = await startUpstream()
  const model = { id: 'claude', vendor: 'anthropic', context_window: 100_000, max_output: 1000, price: PRICE }
  await using gateway = await startTestGateway({
    config: {
      failure_handling: { enabled: true },
      models: [model] as Json,
      routes: [
        { model: 'claude', backend: 'aws', upstream_model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0' },
        { model: 'claude', backend: 'anthropic', upstream_model: 'claude-sonnet-4-5', priority: 1 },
      ] as Json,
      backends: {
        aws: {
          type: 'bedrock',
          api_url: upstream.url,
          region: 'eu-west-1',
          access_key_id: 'AKIDEXAMPLE',
          secret_access_key: 'secret-0123456789',
        },
      },
    },
  })
  const thrown = writeAwsMessage(
    { ':exception-type': 'throttlingException', ':message-type': 'exception' },
    Buffer.from('{"message":"slow down"}'),
  )
  const body = { model: 'claude', max_tokens: 9, messages }
  upstream.script(
    { status: 429, body: { message: 'Too many requests' } },
    { frames: [thrown], headers: { 'content-type': 'application/vnd.amazon.eventstream' } },
  )
  const whole = await gateway.ask('/v1/messages', { body })
  assert.deepEqual([whole.status, upstream.count(), gateway.upstream.count('/v1/messages')], [200, 1, 1])
  const streamed = await gateway.ask('/v1/messages', { body: { ...body, stream: true } })
  assert.equal(streamed.status, 200)
  assert.equal(eventsOf(streamed.text).at(-1).type, 'message_stop')
  assert.equal(gateway.upstream.count('/v1/messages'), 2)
  await upstream.close()
})

test('R62: the vendors of the seeds are listed, 28 and more', async () => {
  let out = ''
  const terminal = { env: {}, cwd: tmpdir(), out: (text: string) => void (out += text), error: () => undefined }
  assert.equal(await runCli({ args: ['providers', 'list', '--json'], ...terminal }), 0)
  const listed = JSON.parse(out) as { type: string; served: boolean }[]
  assert.ok(listed.length >= 28, String(listed.length))
  const types = listed.filter(({ served }) => served).map(({ type }) => type)
  const named = 'anthropic openai gemini mistral cohere together perplexity deepseek groq xai azure bedrock vertex'
  assert.deepEqual(
    named.split(' ').filter((type) => !types.includes(type)),
    [],
  )
})

test('R62: a generic backend needs an address and a key', async () => {
  await using gateway = await startTestGateway({
    config: (url) => ({
      models: [{ id: 'own', context_window: 1000, price: PRICE }],
      routes: [{ model: 'own', backend: 'mine', upstream_model: 'own-7b' }],
      backends: { mine: { type: 'openai-compatible', api_url: `${url}/v1`, api_key: 'sk-mine-0123456789' } },
    }),
  })
  for (const stream of [false, true]) {
    const { status, text } = await gateway.ask('/v1/chat/completions', { body: { model: 'own', messages, stream } })
    assert.equal(status, 200, text)
    const { headers, fields } = gateway.upstream.received.at(-1)!
    assert.deepEqual([headers.authorization, fields['model']], ['Bearer sk-mine-0123456789', 'own-7b'])
    if (stream) assert.ok(text.trimEnd().endsWith('data: [DONE]'))
    else assert.equal(JSON.parse(text).object, 'chat.completion')
  }
})
