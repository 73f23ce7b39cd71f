import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** Routes that are made and changed over the API while the gateway runs (R64). */

const WAIT_MS = 5000
const messages = [{ role: 'user', content: 'hi' }]
const MODEL = { id: 'unrouted', context_window: 1000, max_output: 100, price: { input: 1, output: 1 } }

const start = (): Promise<TestGateway> =>
  startTestGateway({
    config: {
      models: [{ id: MODELS.chat.id, price: { input: 1, output: 1 } }, MODEL] as unknown as object,
      routes: [{ model: MODELS.chat.id, backend: 'openai' }] as unknown as object,
    },
  })

const call = (gateway: TestGateway, model = 'unrouted'): Promise<Told> =>
  gateway.ask('/v1/chat/completions', { body: { model, messages } })

const ids = async (gateway: TestGateway): Promise<string[]> => {
  const { json } = await gateway.ask('/v1/models')
  const catalog = await gateway.ask('/catalog/models', { key: null })
  const listed = json.data.map(({ id }: Json) => id)
  assert.deepEqual(catalog.json.data.map(({ id }: Json) => id).toSorted(), listed.toSorted())
  return listed
}

const asMaster = (gateway: TestGateway, method: string, path: string, body?: object): Promise<Told> =>
  gateway.ask(path, { method, key: gateway.masterKey, ...(body && { body }) })

describe('R64: routes of the API', () => {
  test('R64: a new route serves at once; disabled, its model is gone; taken away, so is the route', async () => {
    await using gateway = await start()
    assert.notEqual((await call(gateway)).status, 200)
    const route = { model: 'unrouted', backend: 'openai', upstream_model: 'real-name', default_params: { top_p: 0.5 } }
    const made = await asMaster(gateway, 'POST', '/api/admin/routes', route)
    assert.equal(made.status, 201, made.text)
    assert.match(made.json.id, /^route_/)
    assert.equal((await call(gateway)).status, 200)
    const { fields } = gateway.upstream.received.at(-1)!
    assert.deepEqual([fields['model'], fields['top_p']], ['real-name', 0.5])
    assert.ok((await ids(gateway)).includes('unrouted'))

    const path = `/api/admin/routes/${made.json.id}`
    const disabled = await asMaster(gateway, 'PATCH', path, { status: 'disabled' })
    assert.deepEqual([disabled.status, disabled.json.upstream_model], [200, 'real-name'])
    assert.ok(!(await ids(gateway)).includes('unrouted'))
    assert.notEqual((await call(gateway)).status, 200)
    await asMaster(gateway, 'PATCH', path, { status: null, upstream_model: 'other-name' })
    assert.equal((await call(gateway)).status, 200)
    assert.equal(gateway.upstream.received.at(-1)!.fields['model'], 'other-name')

    const { json } = await asMaster(gateway, 'GET', '/api/admin/routes')
    assert.deepEqual(
      json.data.map(({ id, upstream_model: name }: Json) => [id, name]),
      [[made.json.id, 'other-name']],
    )
    assert.deepEqual((await asMaster(gateway, 'DELETE', path)).json, { deleted: true, id: made.json.id })
    assert.notEqual((await call(gateway)).status, 200)
    assert.equal((await asMaster(gateway, 'DELETE', path)).status, 404)
  })

  test("R64: a factor changes what this route's calls cost, and nobody else's", async () => {
    await using gateway = await start()
    const made = await asMaster(gateway, 'POST', '/api/admin/routes', {
      model: 'unrouted',
      backend: 'openai',
      factor: 1.5,
    })
    assert.equal(made.status, 201, made.text)
    // The stub bills 10 tokens in and 5 out, at one USD per million each.
    assert.equal((await call(gateway)).headers.get('x-gateway-cost'), '0.0000225')
    assert.equal((await call(gateway, MODELS.chat.id)).headers.get('x-gateway-cost'), '0.000015')
  })

  test('R64: a faulty route is refused with its place, and changes nothing', async () => {
    await using gateway = await start()
    const faults: [body: object, param: string | undefined][] = [
      [{ model: 'nosuch', backend: 'openai' }, 'model'],
      [{ model: 'unrouted', backend: 'nosuch' }, 'backend'],
      [{ model: 'unrouted', backend: 'openai', protocols: ['gemini'] }, 'protocols'],
      [{ model: 'unrouted', backend: 'openai', weight: -1 }, 'weight'],
      [{ model: 'unrouted' }, 'backend'],
    ]
    for (const [body, param] of faults) {
      const told = await asMaster(gateway, 'POST', '/api/admin/routes', body)
      assert.deepEqual([told.status, told.json.error.metadata.param], [400, param], told.text)
    }
    assert.deepEqual((await asMaster(gateway, 'GET', '/api/admin/routes')).json.data, [])
    assert.equal((await gateway.ask('/api/admin/routes')).status, 403)
  })

  test('R64: the file stands above the API', async () => {
    await using gateway = await start()
    const same = { model: MODELS.chat.id, backend: 'openai', upstream_model: 'never' }
    const told = await asMaster(gateway, 'POST', '/api/admin/routes', same)
    assert.deepEqual([told.status, /the file has a route/.test(told.text)], [400, true])

    const made = await asMaster(gateway, 'POST', '/api/admin/routes', { model: 'unrouted', backend: 'openai' })
    assert.equal(made.status, 201)
    const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Json
    config.routes.push({ model: 'unrouted', backend: 'openai', upstream_model: 'of-the-file' })
    writeFileSync(gateway.configFile, JSON.stringify(config))
    await eventually('the route of the file is in force', WAIT_MS, async () => {
      await call(gateway)
      return gateway.upstream.received.at(-1)!.fields['model'] === 'of-the-file' || undefined
    })
  })
})
