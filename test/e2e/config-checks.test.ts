import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { startGateway } from '#main'
import { eventually } from '#test/faults/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway } from './gateway.ts'

/** The checks of configuration and commands (R111, R112, R115) that need a running gateway. */

const WAIT_MS = 5000
const MASTER = 'mk-checks-0123456789abcdef'
const messages = [{ role: 'user', content: 'hi' }]

/** Two ports that nobody has at the moment. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()]
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports as [number, number]
}

test('R111: APP_PORT names the port, and --port wins', async () => {
  const [named, wins] = await freePorts()
  const portOf = async (flags: Record<string, unknown>): Promise<number> => {
    const cwd = mkdtempSync(join(tmpdir(), 'trivium-port-'))
    const env = { APP_PORT: String(named), LOG_LEVEL: 'silent' }
    const running = await startGateway({ flags: { 'disable-auth': true, ...flags }, env, cwd })
    await running.close()
    rmSync(cwd, { recursive: true, force: true, maxRetries: 3 })
    return Number(new URL(running.url).port)
  }
  assert.equal(await portOf({}), named)
  assert.equal(await portOf({ port: wins }), wins)
})

/** The four blocks of the seed, indented. */
const SEED = `backends:
  openrouter:
    type: openrouter
default_backend: openrouter
model_aliases:
  - pattern: "^gpt-(.*)"
    replacement: "openrouter:openai/gpt-\\\\1"
  - pattern: "^claude-(.*)"
    replacement: "openrouter:anthropic/claude-\\\\1"
identity:
  user_agent:
    mode: override
    override_value: "MyApp/1.0.0"
`

test('R112: the blocks of the seed in one file are valid and do what each of them says', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'trivium-seed-'))
  const upstream = await startUpstream()
  writeFileSync(join(cwd, 'config.yaml'), SEED)
  const env = {
    OPENROUTER_API_KEY: 'sk-or-0123456789',
    OPENROUTER_API_BASE_URL: `${upstream.url}/api/v1`,
    LOG_LEVEL: 'silent',
  }
  const errors: string[] = []
  const checked = await runCli({
    args: ['config', 'check'],
    env,
    cwd,
    out: () => undefined,
    error: (text) => void errors.push(text),
  })
  assert.equal(checked, 0, errors.join('\n'))
  const running = await startGateway({ flags: { port: 0, 'disable-auth': true }, env, cwd })
  try {
    const sentFor = async (model: string): Promise<string> => {
      const answer = await fetch(`${running.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'http-referer': 'https://client.example' },
        body: JSON.stringify({ model, messages }),
      })
      assert.equal(answer.status, 200, await answer.text())
      const { headers, fields } = upstream.received.at(-1)!
      assert.deepEqual(
        [headers['user-agent'], headers.referer ?? headers['http-referer']],
        ['MyApp/1.0.0', 'https://client.example'],
      )
      return String(fields['model'])
    }
    assert.equal(await sentFor('gpt-4o'), 'openai/gpt-4o')
    assert.equal(await sentFor('claude-3-5-sonnet'), 'anthropic/claude-3-5-sonnet')
    assert.equal(await sentFor('meta-llama/llama-3-70b-instruct'), 'meta-llama/llama-3-70b-instruct')
  } finally {
    await running.close()
    await upstream.close()
    rmSync(cwd, { recursive: true, force: true, maxRetries: 3 })
  }
})

test('R115: a stream outlives a change of the aliases, and the next request follows the new one', async () => {
  const alias = (name: string) => [{ pattern: '^mine$', replacement: name }]
  await using gateway = await startTestGateway({ config: { model_aliases: alias(MODELS.chat.id) } })
  const gate = Promise.withResolvers<void>()
  const chunk = (content: string, finish: string | null) =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`
  gateway.upstream.script({
    frames: [chunk('first ', null), { text: chunk('last', 'stop'), waitFor: gate.promise }, 'data: [DONE]\n\n'],
  })
  const stream = await gateway.open('/v1/chat/completions', { body: { model: 'mine', messages, stream: true } })
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = (await reader.read()).value!

  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Json
  config.model_aliases = alias(MODELS.messages.id)
  writeFileSync(`${gateway.configFile}.new`, JSON.stringify(config))
  renameSync(`${gateway.configFile}.new`, gateway.configFile)
  await eventually('the new alias is in force', WAIT_MS, async () => {
    const { json } = await gateway.ask('/v1/chat/completions', { body: { model: 'mine', messages, max_tokens: 5 } })
    return json.model === MODELS.messages.id || undefined
  })

  gate.resolve()
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
  assert.match(text, /first .*last/s)
  assert.ok(text.trimEnd().endsWith('data: [DONE]'))
  assert.ok(text.includes(`"model":"${MODELS.chat.id}"`) && !text.includes(MODELS.messages.id))
})

test('R110: gateway serves model traffic alone, portal everything else', async () => {
  const statusesOf = async (plane: 'gateway' | 'portal' | undefined): Promise<number[]> => {
    const cwd = mkdtempSync(join(tmpdir(), 'trivium-plane-'))
    const env = { LOG_LEVEL: 'silent', GATEWAY_MASTER_KEY: MASTER }
    const running = await startGateway({ flags: { port: 0, 'disable-auth': true }, env, cwd, ...(plane && { plane }) })
    const ask = async (path: string, body?: object): Promise<number> => {
      const answer = await fetch(running.url + path, {
        method: body ? 'POST' : 'GET',
        headers: { authorization: `Bearer ${MASTER}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
      await answer.arrayBuffer()
      return answer.status
    }
    const chat = { model: 'sim/echo', messages }
    const statuses = [
      await ask('/v1/chat/completions', chat),
      await ask('/v1beta/models/sim%2Fecho:generateContent', { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }),
      await ask('/health'),
      await ask('/'),
      await ask('/api/admin/accounts'),
      await ask('/api/v1/keys'),
    ]
    await running.close()
    rmSync(cwd, { recursive: true, force: true, maxRetries: 3 })
    return statuses
  }
  assert.deepEqual(await statusesOf(undefined), [200, 200, 200, 200, 200, 200])
  assert.deepEqual(await statusesOf('gateway'), [200, 200, 200, 404, 404, 404])
  assert.deepEqual(await statusesOf('portal'), [404, 404, 200, 200, 200, 200])
})
