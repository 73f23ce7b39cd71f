import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { eventually, Gateway } from '#test/faults/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { configFor, ENVIRONMENT, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** A new configuration takes over without a restart and without touching what runs (R115, R91). */

const WAIT_MS = 5000
const messages = [{ role: 'user', content: 'hi' }]
const NEW_MODEL = { id: 'new-test', capabilities: ['chat'], max_output: 100, price: { input: 1, output: 2 } }

/** Rewrites the gateway's file as editors do: beside it first, then in its place. */
function rewrite(file: string, change: (config: Json) => void): void {
  const config = JSON.parse(readFileSync(file, 'utf8'))
  change(config)
  writeFileSync(`${file}.new`, JSON.stringify(config))
  renameSync(`${file}.new`, file)
}

const lists = async (gateway: TestGateway, id: string): Promise<true | undefined> => {
  const { json } = await gateway.ask('/v1/models')
  return json.data.some((model: Json) => model.id === id) || undefined
}

describe('a changed file', () => {
  test('R115: adds a model while a stream runs to its end at its own price', async () => {
    await using gateway = await startTestGateway()
    const gate = Promise.withResolvers<void>()
    const chunk = (delta: object, finish: string | null, usage?: object) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }], usage })}\n\n`
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
    gateway.upstream.script({
      frames: [
        chunk({ role: 'assistant', content: 'first ' }, null),
        { text: chunk({ content: 'last' }, 'stop', usage), waitFor: gate.promise },
        'data: [DONE]\n\n',
      ],
    })
    const stream = await gateway.open('/v1/chat/completions', {
      body: { model: MODELS.chat.id, messages, stream: true },
    })
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    const { status } = await gateway.ask('/v1/chat/completions', { body: { model: 'new-test', messages } })
    assert.equal(status, 404)

    rewrite(gateway.configFile, (config) => {
      config.models.push(NEW_MODEL)
      config.models[0].price = { input: 3000, output: 15_000 }
      config.routes.push({ model: 'new-test', backend: 'openai' })
    })
    await eventually('the new model is listed', WAIT_MS, () => lists(gateway, 'new-test'))
    const told = await gateway.ask('/v1/chat/completions', { body: { model: 'new-test', messages } })
    assert.equal(told.status, 200, told.text)
    assert.equal(told.json.model, 'new-test')

    gate.resolve()
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
    assert.match(text, /first .*last.*\[DONE\]/s)
    const row = await gateway.log(stream.headers.get('x-request-id')!)
    assert.deepEqual([row.status, row.charged_cost], ['ok', '0.000105'], 'the price of its start')
    const dear = await gateway.ask('/v1/chat/completions', {
      body: { model: MODELS.chat.id, messages, max_tokens: 300 },
    })
    assert.equal(dear.headers.get('x-gateway-cost'), '0.105', 'the next request pays the new price')
  })

  test('takes a model away: 404, and the running request still ends well', async () => {
    await using gateway = await startTestGateway()
    const gate = Promise.withResolvers<void>()
    gateway.upstream.script({ waitFor: gate.promise })
    const running = gateway.ask('/v1/messages', { body: { model: MODELS.messages.id, max_tokens: 5, messages } })
    await gateway.upstream.whenReceived(1)
    rewrite(gateway.configFile, (config) => {
      config.models = config.models.filter((model: Json) => model.id !== MODELS.messages.id)
      config.routes = config.routes.filter((route: Json) => route.model !== MODELS.messages.id)
    })
    await eventually('the model is gone', WAIT_MS, async () =>
      (await lists(gateway, MODELS.messages.id)) ? undefined : true,
    )
    const gone = await gateway.ask('/v1/messages', { body: { model: MODELS.messages.id, max_tokens: 5, messages } })
    assert.deepEqual([gone.status, gone.json.error.type], [404, 'not_found_error'])
    gate.resolve()
    assert.equal((await running).status, 200)
  })
})

test('R115: a real process keeps its configuration when the new file is broken, on change and on SIGHUP', async () => {
  const upstream = await startUpstream()
  const config: Record<string, Json> = { ...configFor(upstream.url), logging: { level: 'info' } }
  const gateway = await Gateway.start({ config, env: ENVIRONMENT })
  try {
    const { key } = await gateway.fund('someone@example.com', '1')
    const call = async (model: string): Promise<number> => {
      const response = await fetch(`${gateway.baseUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model, messages }),
      })
      await response.arrayBuffer()
      return response.status
    }
    const file = join(gateway.folder, 'config.yaml')
    const rejections = (): number => gateway.log.split('the old one stays').length - 1
    const rejected = (count: number) =>
      eventually(`${count} rejections are logged`, WAIT_MS, async () => rejections() >= count || undefined)

    writeFileSync(file, 'models: [unclosed')
    process.kill(gateway.pid, 'SIGHUP')
    await rejected(1)
    assert.match(gateway.log, /config\.yaml:1:\d+/)
    assert.equal(await call(MODELS.chat.id), 200)

    const before = rejections()
    writeFileSync(file, JSON.stringify({ ...config, routes: [{ model: 'nosuch', backend: 'openai' }] }))
    process.kill(gateway.pid, 'SIGHUP')
    await rejected(before + 1)
    assert.match(gateway.log, /routes\[0\]\.model: unknown model/)
    assert.equal(await call(MODELS.chat.id), 200)
    assert.equal(await call('new-test'), 404)

    const models = [...config['models'], NEW_MODEL]
    const routes = [...config['routes'], { model: 'new-test', backend: 'openai' }]
    writeFileSync(file, JSON.stringify({ ...config, models, routes }))
    process.kill(gateway.pid, 'SIGHUP')
    await eventually(
      'the repaired file is in force',
      WAIT_MS,
      async () => (await call('new-test')) === 200 || undefined,
    )
    assert.ok(gateway.alive)
    assert.ok(!gateway.log.includes(key) && !gateway.log.includes(ENVIRONMENT.OPENAI_API_KEY))
  } finally {
    await gateway.stop()
    await upstream.close()
  }
})
