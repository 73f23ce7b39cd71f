import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createRequestLog } from '#observe/request-log.ts'
import { LOGS_PAGE_MAX } from './logs.ts'
import { createRequestReads } from './request-reads.ts'
import { startTestbed, requestRow, type Testbed } from './testbed.ts'

const GENERATION_KEYS =
  'id upstream_id total_cost cache_discount upstream_inference_cost created_at model app_id streamed cancelled provider_name latency moderation_latency generation_time finish_reason service_tier tokens_prompt tokens_completion native_tokens_prompt native_tokens_completion native_tokens_completion_images native_tokens_reasoning native_tokens_cached num_media_prompt num_input_audio_prompt num_media_completion num_search_results num_fetches web_search_engine origin usage is_byok native_finish_reason external_user api_type preset_id router provider_responses user_agent http_referer data_region workspace_id'.split(
    ' ',
  )

describe('logs and generations', () => {
  let bed: Testbed
  const keys: string[] = []
  before(async () => {
    bed = await startTestbed()
    const log = createRequestLog(bed.store)
    for (const name of ['a', 'b']) {
      const { id } = await bed.accounts.create({ email: `${name}@example.com`, mode: 'prepaid', actor: 'test' })
      const { key, plaintext } = await bed.keys.create({ name, accountId: id, system: name })
      keys.push(plaintext)
      const owner = { account_id: id, key_id: key.id, system: name }
      log.append(requestRow({ request_id: `req_${name}1`, ...owner, ts_start_ms: 1_760_000_000_000 }))
      const refused = { status: 'rejected', status_code: 429, error_code: 'rate_limit_exceeded' } as const
      log.append(requestRow({ request_id: `req_${name}2`, ...owner, ...refused, ts_start_ms: 1_760_000_002_000 }))
    }
    // The same upstream id in two accounts: each sees its own.
    const [a, b] = (await bed.accounts.list({ limit: 10 })).data.filter((one) => one.email.endsWith('example.com'))
    for (const [name, one] of [
      ['a', a!],
      ['b', b!],
    ] as const) {
      const ids = { request_id: `req_${name}3`, response_id: 'chatcmpl-same', account_id: one.id }
      log.append(requestRow({ ...ids, ts_start_ms: 1_760_000_001_000 }))
    }
    await log.flush()
  })
  after(() => bed.close())

  const idsOf = (json: { data: { request_id: string }[] }) => json.data.map((row) => row.request_id)

  test('a key sees its own account, the master key all', async () => {
    const own = await bed.ask('GET', '/api/logs', { key: keys[0]! })
    assert.deepEqual(idsOf(own.json), ['req_a2', 'req_a3', 'req_a1'])
    const foreign = own.json.data[0].account_id
    const other = await bed.ask('GET', `/api/logs?account_id=${foreign}`, { key: keys[1]! })
    assert.deepEqual(idsOf(other.json), ['req_b2', 'req_b3', 'req_b1'])
    const all = await bed.ask('GET', '/api/logs', { key: bed.masterKey })
    assert.equal(all.json.data.length, 6)
  })

  test('every row has the same keys; backends show to the master key only', async () => {
    const own = await bed.ask('GET', '/api/logs', { key: keys[0]! })
    const all = await bed.ask('GET', '/api/logs', { key: bed.masterKey })
    const shapes = new Set([...own.json.data, ...all.json.data].map((row) => JSON.stringify(Object.keys(row))))
    assert.equal(shapes.size, 1)
    assert.equal(own.json.data[0].backend_id, null)
    assert.equal(own.json.data[0].upstream_model, null)
    assert.equal(own.json.data[0].attempts[0].backend, null)
    assert.equal(all.json.data[0].backend_id, 'openai')
    assert.equal(all.json.data[0].attempts[0].backend, 'openai')
    assert.equal(own.json.data[0].charged_cost, '0.300000001')
    const total = {
      input: 10,
      output: 20,
      reasoning: 3,
      cache_read: 5,
      cache_write: null,
      cache_write_1h: null,
      total: 35,
    }
    assert.deepEqual(own.json.data[0].tokens, total)
  })

  test('filters and pages', async () => {
    const ask = async (query: string) => (await bed.ask('GET', `/api/logs?${query}`, { key: bed.masterKey })).json
    assert.deepEqual(idsOf(await ask('system=b&status=429')), ['req_b2'])
    assert.deepEqual(idsOf(await ask('status=rejected&system=a')), ['req_a2'])
    assert.equal((await ask('model=gpt-4o&backend=openai')).data.length, 6)
    assert.equal((await ask('model=none')).data.length, 0)
    assert.deepEqual(idsOf(await ask('request_id=req_a1')), ['req_a1'])
    const time = new Date(1_760_000_002_000).toISOString()
    assert.equal((await ask(`from=${time}`)).data.length, 2)
    assert.equal((await ask(`to=${time}`)).data.length, 4)
    const first = await ask('limit=4')
    const rest = await ask(`limit=4&cursor=${encodeURIComponent(first.next_cursor)}`)
    assert.equal(new Set([...idsOf(first), ...idsOf(rest)]).size, 6)
    assert.equal(rest.next_cursor, null)
  })

  test('400 and 403 for filters', async () => {
    const status = async (query: string, key = bed.masterKey) =>
      (await bed.ask('GET', `/api/logs?${query}`, { key })).status
    assert.equal(await status(`limit=${LOGS_PAGE_MAX}`), 200)
    assert.equal(await status(`limit=${LOGS_PAGE_MAX + 1}`), 400)
    assert.equal(await status('from=yesterday'), 400)
    assert.equal(await status('status=fine'), 400)
    assert.equal(await status('cursor=x'), 400)
    assert.equal(await status('backend=openai', keys[0]!), 403)
  })

  test('GET /api/logs/{id}', async () => {
    assert.equal((await bed.ask('GET', '/api/logs/req_a1', { key: keys[0]! })).json.request_id, 'req_a1')
    assert.equal((await bed.ask('GET', '/api/logs/req_a1', { key: keys[1]! })).status, 404)
    assert.equal((await bed.ask('GET', '/api/logs/req_a1', { key: bed.masterKey })).json.backend_id, 'openai')
    assert.equal((await bed.ask('GET', '/api/logs/req_none', { key: bed.masterKey })).status, 404)
  })

  test('GET /api/v1/generation by both ids, with all 42 keys and exact cost', async () => {
    for (const id of ['req_a1', 'chatcmpl-req_a1']) {
      const { status, json, text } = await bed.ask('GET', `/api/v1/generation?id=${id}`, { key: keys[0]! })
      assert.equal(status, 200)
      assert.equal(GENERATION_KEYS.length, 42)
      for (const name of GENERATION_KEYS) assert.ok(name in json.data, name)
      assert.match(text, /"total_cost":0\.300000001,/)
      assert.equal(json.data.tokens_prompt, 15)
      assert.equal(json.data.receipt.charged_cost, '0.300000001')
      assert.equal(json.data.provider_name, 'openai')
      assert.equal(json.data.upstream_id, null)
    }
    assert.equal((await bed.ask('GET', '/api/v1/generation?id=req_a1', { key: keys[1]! })).status, 404)
    assert.equal((await bed.ask('GET', '/api/v1/generation', { key: keys[0]! })).status, 400)
  })

  test('a response id that two accounts share gives each its own request', async () => {
    for (const [index, expected] of ['req_a3', 'req_b3'].entries()) {
      const { json } = await bed.ask('GET', '/api/v1/generation?id=chatcmpl-same', { key: keys[index]! })
      assert.equal(json.data.request_id, expected)
    }
  })
})

test('a row that waits to be written is found right after its request', async () => {
  const bed = await startTestbed()
  try {
    const log = createRequestLog(bed.store)
    const reads = createRequestReads(bed.store, log)
    log.append(requestRow({ request_id: 'req_late', response_id: 'late' }))
    assert.equal((await reads.find('late'))?.request_id, 'req_late')
    log.append(requestRow({ request_id: 'req_later' }))
    assert.equal((await reads.list({ filter: {}, limit: 10 })).data.length, 2)
    assert.equal(await reads.find('none'), undefined)
  } finally {
    await bed.close()
  }
})
