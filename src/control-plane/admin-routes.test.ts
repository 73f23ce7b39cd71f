import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ManagedRoute } from '#config/managed-routes.ts'
import { MANAGED_ROUTES_MAX } from './admin-routes.ts'
import { startTestbed } from './testbed.ts'

test('one route more than the bound is refused', async () => {
  let current: readonly ManagedRoute[] = Array.from({ length: MANAGED_ROUTES_MAX - 1 }, (_, index) => ({
    id: `route_${index}`,
    model: 'gpt-5',
    backend: 'openai',
  }))
  const bed = await startTestbed({
    managedRoutes: {
      get current() {
        return current
      },
      replace: async (next) => void (current = next),
    },
  })
  const add = () =>
    bed.ask('POST', '/api/admin/routes', { key: bed.masterKey, body: { model: 'gpt-5', backend: 'openai' } })
  assert.equal((await add()).status, 201)
  const { status, json } = await add()
  assert.deepEqual([status, /10000 routes already/.test(json.error.message)], [400, true])
  await bed.close()
})

test('where no gateway runs there are no routes to manage', async () => {
  const bed = await startTestbed()
  assert.equal((await bed.ask('GET', '/api/admin/routes', { key: bed.masterKey })).status, 404)
  await bed.close()
})
