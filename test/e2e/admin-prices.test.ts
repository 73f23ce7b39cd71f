import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Json, startTestGateway } from './gateway.ts'

test('R92: a price that is set over the API counts from the next request on; what was charged before stays as it was', async () => {
  await using gateway = await startTestGateway({
    config: {
      models: [{ id: 'priced', context_window: 1000, max_output: 100, price: { input: 1, output: 1 } }],
      routes: [],
    },
  })
  const route = await gateway.admin('POST', '/api/admin/routes', { model: 'priced', backend: 'openai' })
  const body = { model: 'priced', messages: [{ role: 'user', content: 'hi' }] }
  const charged = async (): Promise<Json> => {
    const { headers } = await gateway.ask('/v1/chat/completions', { body })
    return gateway.log(headers.get('x-request-id')!)
  }
  const profile = async (): Promise<Json> =>
    (await gateway.ask('/catalog/models', { key: null })).json.data[0].pricing_profile
  const before = await charged()
  assert.equal(before.charged_cost, '0.000015')

  const price = { input: '2.5', output: '0.1' }
  await gateway.admin('PATCH', `/api/admin/routes/${route.id}`, { price_override: price })
  const after = await charged()
  // 10 x 2.5 + 5 x 0.1 USD per million.
  assert.equal(after.charged_cost, '0.0000255')
  assert.notEqual(after.price_version, before.price_version)
  assert.deepEqual(await gateway.log(before.request_id), before)
  assert.equal((await profile()).input, '2.5')

  // Who set it, when, and what it was.
  const [entry] = (await gateway.admin('GET', '/api/audit?action=route.update')).data
  assert.deepEqual([entry.actor, entry.before.price_override, entry.after.price_override], ['master', undefined, price])
  await gateway.admin('PATCH', `/api/admin/routes/${route.id}`, { price_override: null })
  const again = await charged()
  assert.deepEqual([again.charged_cost, again.price_version], ['0.000015', before.price_version])
})
