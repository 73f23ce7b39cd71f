import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type Json, MODELS, startTestGateway, UPSTREAM_KEYS } from './gateway.ts'

/** Flags about where the gateway listens and what it writes down (R108, R109, R110). */

const folder = mkdtempSync(join(tmpdir(), 'trivium-listeners-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const messages = [{ role: 'user', content: 'a prompt that nobody writes down' }]

describe('--anthropic-port', () => {
  test('serves the Anthropic protocol and nothing else', async () => {
    await using gateway = await startTestGateway({ flags: { 'anthropic-port': '0' } })
    const root = gateway.running.anthropicUrl!
    assert.notEqual(root, gateway.url)
    const headers = { 'x-api-key': gateway.key, 'content-type': 'application/json' }
    const ask = async (path: string, body?: object) => {
      const method = body === undefined ? 'GET' : 'POST'
      const response = await fetch(root + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
      return {
        status: response.status,
        id: response.headers.get('x-request-id'),
        json: (await response.json()) as Json,
      }
    }
    const told = await ask('/v1/messages', { model: MODELS.messages.id, max_tokens: 5, messages })
    assert.deepEqual([told.status, told.json.type], [200, 'message'])
    const models = await ask('/v1/models')
    assert.equal(models.json.data[0].type, 'model')
    for (const path of ['/v1/chat/completions', '/api/admin/accounts', '/', '/v1beta/models/x:generateContent']) {
      const refused = await ask(path, { model: MODELS.chat.id, messages })
      assert.deepEqual(
        [refused.status, refused.json.type, refused.json.error.type],
        [404, 'error', 'not_found_error'],
        path,
      )
      assert.ok(refused.id)
    }
    assert.equal(gateway.upstream.count(), 1)
  })

  test('there is none without the flag', async () => {
    await using gateway = await startTestGateway()
    assert.equal(gateway.running.anthropicUrl, null)
  })
})

test('--capture-file has one line per request, of any outcome, without secrets and content', async () => {
  const file = join(folder, 'capture.jsonl')
  const gateway = await startTestGateway({ flags: { 'capture-file': file } })
  const { key } = gateway
  await gateway.ask('/v1/chat/completions', { body: { model: MODELS.chat.id, messages } })
  await gateway.ask('/v1/chat/completions', { body: { model: 'nosuch', messages } })
  await gateway.close()
  const text = readFileSync(file, 'utf8')
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
  assert.deepEqual(
    rows.map((row) => [row.requested_model, row.status_code, row.backend_id]),
    [
      [MODELS.chat.id, 200, 'openai'],
      ['nosuch', 404, null],
    ],
  )
  for (const secret of [key, ...Object.values(UPSTREAM_KEYS), 'nobody writes down']) assert.ok(!text.includes(secret))
})

test('--log takes the log', async () => {
  const file = join(folder, 'logs', 'gateway.log')
  const gateway = await startTestGateway({
    flags: { log: file },
    config: { logging: { level: 'info', unheard_of: 1 } },
  })
  await gateway.close()
  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
  assert.ok(
    lines.some((line) => /logging\.unheard_of/.test(String(line.warning))),
    JSON.stringify(lines),
  )
})

test('--disable-accounting keeps no row of any request', async () => {
  const flags = { 'disable-auth': true, 'disable-accounting': true }
  await using gateway = await startTestGateway({ flags })
  const told = await gateway.ask('/v1/chat/completions', { key: null, body: { model: MODELS.chat.id, messages } })
  assert.equal(told.status, 200)
  assert.deepEqual(await gateway.logs(), [])
  await using keeping = await startTestGateway({ flags: { 'disable-auth': true } })
  await keeping.ask('/v1/chat/completions', { key: null, body: { model: MODELS.chat.id, messages } })
  assert.equal((await keeping.logs()).length, 1)
})
