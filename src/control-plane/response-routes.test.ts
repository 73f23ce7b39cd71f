import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI, { BadRequestError, NotFoundError } from 'openai'
import { createResponseState } from '#response-state/response-state.ts'
import type { ResponseState } from '#response-state/types.ts'
import { INPUT_ITEMS_DEFAULT, INPUT_ITEMS_MAX } from './responses.ts'
import { startTestbed, type Testbed } from './testbed.ts'

const RESPONSE = '{"id":"resp_1", "object":"response","seed":12345678901234567890,"output":[]}'
const ROOTS = ['/v1/responses', '/api/v1/responses']
const LONG = INPUT_ITEMS_MAX + 1

describe('stored responses', () => {
  let bed: Testbed
  let responses: ResponseState
  let accountId: string
  let key: string
  let foreign: string
  before(async () => {
    bed = await startTestbed()
    responses = createResponseState(bed.store)
    const mine = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    const theirs = await bed.accounts.create({ email: 'b@example.com', mode: 'prepaid', actor: 'test' })
    accountId = mine.id
    key = (await bed.keys.create({ name: 'mine', accountId })).plaintext
    foreign = (await bed.keys.create({ name: 'theirs', accountId: theirs.id })).plaintext
    await save('resp_1', { input: 'hi', response: RESPONSE })
    await save('resp_long', { input: Array.from({ length: LONG }, (_, at) => ({ role: 'user', content: `t${at}` })) })
  })
  after(() => bed.close())

  const save = async (
    id: string,
    change: { input?: string | unknown[]; response?: string; previousId?: string } = {},
  ) => {
    const whole = {
      previousId: null,
      model: 'gpt-4o',
      backendId: 'openai',
      input: 'hi',
      response: '{"output":[]}',
      ...change,
    }
    assert.equal(await responses.save({ id, accountId, createdAtMs: Date.now(), ...whole }), 'stored')
  }
  const list = async (query: string) =>
    (await bed.ask('GET', `/v1/responses/resp_long/input_items?${query}`, { key })).json
  const textsOf = (page: { data: { content: { text: string }[] }[] }) => page.data.map((item) => item.content[0]!.text)
  const newest = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `t${LONG - 1 - from - at}`)

  test('200: the very text that was stored, under both roots', async () => {
    for (const root of ROOTS) {
      const { status, text, headers } = await bed.ask('GET', `${root}/resp_1`, { key })
      assert.equal(status, 200)
      assert.equal(text, RESPONSE)
      assert.equal(headers['content-type'], 'application/json; charset=utf-8')
      assert.equal(headers['cache-control'], 'private, no-store')
      assert.match(headers['x-request-id']!, /^req_/)
    }
    assert.equal((await bed.ask('GET', '/v1/responses/resp_1?stream=false&include[]=x', { key })).text, RESPONSE)
  })

  test('200: input items in the shape of a list', async () => {
    for (const root of ROOTS) {
      const { status, json } = await bed.ask('GET', `${root}/resp_1/input_items`, { key })
      assert.equal(status, 200)
      const content = [{ type: 'input_text', text: 'hi' }]
      assert.deepEqual(json, {
        object: 'list',
        data: [{ type: 'message', role: 'user', content, id: 'msg_1_1000000', status: 'completed' }],
        first_id: 'msg_1_1000000',
        last_id: 'msg_1_1000000',
        has_more: false,
      })
    }
    await save('resp_empty', { input: [] })
    const { json } = await bed.ask('GET', '/v1/responses/resp_empty/input_items', { key })
    assert.deepEqual(json, { object: 'list', data: [], first_id: null, last_id: null, has_more: false })
  })

  test('200: input items page in both orders', async () => {
    const first = await list('')
    assert.deepEqual(textsOf(first), newest(INPUT_ITEMS_DEFAULT))
    assert.deepEqual([first.first_id, first.last_id], [first.data[0].id, first.data.at(-1).id])
    const largest = await list(`limit=${INPUT_ITEMS_MAX}&order=desc`)
    assert.deepEqual([largest.data.length, largest.has_more], [INPUT_ITEMS_MAX, true])
    const rest = await list(`limit=1&after=${largest.last_id}`)
    assert.deepEqual([textsOf(rest), rest.has_more], [['t0'], false])
    const next = await list(`limit=2&order=asc&after=${rest.last_id}`)
    assert.deepEqual([textsOf(next), next.has_more], [['t1', 't2'], true])
    assert.deepEqual((await list(`order=asc&after=${first.data[0].id}`)).data, [])
  })

  test('400: what a list or a stored response cannot do', async () => {
    for (const query of ['limit=0', `limit=${INPUT_ITEMS_MAX + 1}`, 'limit=x', 'order=up', 'after=msg_none']) {
      const { error } = await list(query)
      assert.equal(error.code, 'invalid_parameter', query)
      assert.equal(error.param, query.split('=')[0])
    }
    const streamed = await bed.ask('GET', '/v1/responses/resp_1?stream=true', { key })
    assert.deepEqual([streamed.status, streamed.json.error.code], [400, 'unsupported_parameter'])
    for (const root of ROOTS) {
      const cancelled = await bed.ask('POST', `${root}/resp_1/cancel`, { key })
      assert.equal(cancelled.status, 400)
      assert.match(cancelled.json.error.message, /background/)
    }
  })

  test('404: unknown ids and ids of another account are the same', async () => {
    const told = new Set<string>()
    for (const root of ROOTS) {
      for (const [id, who] of [
        ['resp_1', foreign],
        ['resp_none', key],
        ['chatcmpl-1', key],
        ['resp_%00', key],
      ] as const) {
        for (const [method, path] of [
          ['GET', `${root}/${id}`],
          ['GET', `${root}/${id}/input_items`],
          ['DELETE', `${root}/${id}`],
        ] as const) {
          const { status, json } = await bed.ask(method, path, { key: who })
          assert.equal(status, 404, path)
          told.add(json.error.message)
        }
      }
    }
    assert.equal(told.size, 1)
    const { json } = await bed.ask('GET', '/v1/responses/resp_1', { key: foreign })
    const { type, code, param } = json.error
    assert.deepEqual([type, code, param], ['invalid_request_error', 'response_not_found', 'response_id'])
    assert.equal((await bed.ask('GET', '/v1/responses/resp_1', { key })).status, 200)
  })

  test('405: another method names those that work', async () => {
    const { status, headers } = await bed.ask('PUT', '/v1/responses/resp_1', { key })
    assert.deepEqual([status, headers['allow']], [405, 'DELETE, GET, HEAD'])
  })

  test('200, then 404: a deleted response is gone', async () => {
    for (const root of ROOTS) {
      await save('resp_gone')
      const { status, json } = await bed.ask('DELETE', `${root}/resp_gone`, { key })
      assert.equal(status, 200)
      assert.deepEqual(json, { id: 'resp_gone', object: 'response', deleted: true })
      assert.equal((await bed.ask('DELETE', `${root}/resp_gone`, { key })).status, 404)
      assert.equal((await bed.ask('GET', `${root}/resp_gone`, { key })).status, 404)
    }
  })

  test("OpenAI's own SDK reads, lists, deletes and is refused", async () => {
    const root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    for (const baseURL of [`${root}/v1`, `${root}/api/v1`]) {
      await save('resp_sdk', { response: '{"id":"resp_sdk","object":"response","output":[]}' })
      const client = new OpenAI({ apiKey: key, baseURL })
      assert.equal((await client.responses.retrieve('resp_sdk')).id, 'resp_sdk')
      const texts: string[] = []
      for await (const item of client.responses.inputItems.list('resp_long', { limit: 30, order: 'asc' })) {
        texts.push((item as unknown as { content: [{ text: string }] }).content[0].text)
      }
      assert.deepEqual(texts, newest(LONG).toReversed())
      await assert.rejects(client.responses.cancel('resp_sdk'), BadRequestError)
      await client.responses.delete('resp_sdk')
      await assert.rejects(client.responses.retrieve('resp_sdk'), NotFoundError)
    }
  })
})
