import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTROL_BODY_BYTES_MAX } from './mount.ts'
import { startTestbed } from './testbed.ts'

test('a body is taken up to its bound and not beyond', async () => {
  const bed = await startTestbed()
  try {
    const head = '{"email":"a@example.com","mode":"prepaid","x":"'
    const body = (bytes: number) => `${head}${'x'.repeat(bytes - head.length - 2)}"}`
    const ask = (bytes: number) => bed.ask('POST', '/api/admin/accounts', { key: bed.masterKey, body: body(bytes) })
    assert.equal((await ask(CONTROL_BODY_BYTES_MAX)).status, 201)
    const refused = await ask(CONTROL_BODY_BYTES_MAX + 1)
    assert.equal(refused.status, 413)
    assert.equal(refused.json.error.metadata.error_type, 'payload_too_large')
  } finally {
    await bed.close()
  }
})

test('a store that is gone is 503 for the client and one log line for the operator', async () => {
  const told: object[] = []
  const bed = await startTestbed({ log: { error: (facts) => told.push(facts) } })
  try {
    await bed.store.close()
    const { status, text, headers } = await bed.ask('GET', '/api/admin/accounts', { key: bed.masterKey })
    assert.equal(status, 503)
    assert.match(headers['x-request-id']!, /^req_/)
    assert.equal(told.length, 1)
    assert.doesNotMatch(text, /sqlite|queue|thread/i)
    await bed.ask('GET', '/api/admin/accounts')
    assert.equal(told.length, 1)
  } finally {
    await bed.close()
  }
})
