import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { eventually, Gateway } from '#test/faults/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { configFor, ENVIRONMENT, type Json, startTestGateway, type TestGateway, UPSTREAM_KEYS } from './gateway.ts'
import { type Name, SURFACES } from './surfaces.ts'

/** One row per request, the same for every surface and outcome, and never a word of what was said (R12, R20, R101; invariant 7). */

const CANARY = 'canary-7f3a9c-prompt'
const ANSWER_CANARY = 'canary-51be20-completion'
const GENERATING = ['chat', 'responses', 'messages', 'gemini', 'openRouter'] as const

/** The surface's request with the canary as its prompt. */
function bodyOf(name: Name): Json {
  const { body } = SURFACES[name]
  const said = [{ role: 'user', content: CANARY }]
  switch (name) {
    case 'responses':
    case 'embeddings':
      return { ...body, input: CANARY }
    case 'gemini':
      return { contents: [{ role: 'user', parts: [{ text: CANARY }] }] }
    default:
      return { ...body, messages: said }
  }
}

/** Ends one request of a surface in every way a request can end, and gives the ids. */
async function endInEveryWay(gateway: TestGateway, name: Name): Promise<string[]> {
  const { path } = SURFACES[name]
  const streamed = path.replace(':generateContent', ':streamGenerateContent?alt=sse')
  const body = bodyOf(name)
  const streamBody = name === 'gemini' ? body : { ...body, stream: true }
  const { upstream } = gateway
  const failed = (status: number) => ({ status, body: { error: { message: 'refused', type: 'x' } } })
  const ids: string[] = []
  const send = async (target: string, ask: object) => {
    const { headers } = await gateway.ask(target, { body, ...ask })
    ids.push(headers.get('x-request-id')!)
  }
  upstream.script({ text: ANSWER_CANARY })
  await send(path, {})
  upstream.script({ text: ANSWER_CANARY })
  await send(streamed, { body: streamBody })
  await send(path, { key: 'sk-wrong' })
  await send(path.replace('gemini-test', 'nosuch'), { body: name === 'gemini' ? body : { ...body, model: 'nosuch' } })
  upstream.script(failed(429), failed(500))
  await send(path, {})
  await send(path, {})
  upstream.script({ text: ANSWER_CANARY, cutAfterFrames: 5 })
  await send(streamed, { body: streamBody })
  return ids
}

describe('log rows', () => {
  test('have the same keys whatever the surface and the outcome', async () => {
    await using gateway = await startTestGateway()
    const keys = new Set<string>()
    for (const name of GENERATING) {
      const ids = await endInEveryWay(gateway, name)
      assert.equal(new Set(ids).size, ids.length)
      for (const id of ids) {
        const row = await gateway.log(id)
        keys.add(Object.keys(row).join() + Object.keys(row.tokens).join() + Object.keys(row.app).join())
        assert.equal(row.request_id, id)
        assert.ok(row.latency_ms >= 0 && Date.parse(row.ts_end) >= Date.parse(row.ts_start))
      }
    }
    assert.equal(keys.size, 1)
    const ids = (await gateway.logs()).map((row) => row.request_id)
    assert.equal(new Set(ids).size, ids.length, 'one row per request')
  })

  test('the client’s own id, name, title and referer are kept and bounded; the upstream’s id is the operator’s', async () => {
    await using gateway = await startTestGateway()
    gateway.upstream.script({ headers: { 'x-request-id': 'upstream-77' } })
    const headers = {
      'x-request-id': 'mine-1',
      'user-agent': 'my-agent/1.0',
      'x-title': 'My app',
      'http-referer': 'https://app.example/x',
    }
    const told = await gateway.ask(SURFACES.chat.path, { body: bodyOf('chat'), headers })
    const id = told.headers.get('x-request-id')!
    assert.match(id, /^req_[0-9A-HJKMNP-TV-Z]{26}$/)
    const row = await gateway.log(id)
    assert.deepEqual(
      [row.client_request_id, row.upstream_request_id, row.user_agent, row.app],
      ['mine-1', 'upstream-77', 'my-agent/1.0', { title: 'My app', referer: 'https://app.example/x', categories: [] }],
    )
    const { json: own } = await gateway.ask(`/api/logs/${id}`)
    assert.deepEqual(
      [own.backend_id, own.upstream_model, own.upstream_request_id, own.adapter],
      [null, null, null, null],
    )
    const { key } = await gateway.fund()
    assert.equal((await gateway.ask(`/api/logs/${id}`, { key })).status, 404, 'another tenant’s row does not exist')
    const long = await gateway.ask(SURFACES.chat.path, {
      body: bodyOf('chat'),
      headers: { 'x-request-id': 'x'.repeat(2000), 'x-title': 'y'.repeat(2000) },
    })
    const bounded = await gateway.log(long.headers.get('x-request-id')!)
    assert.equal(bounded.app.title.length, 256)
    assert.ok((bounded.client_request_id?.length ?? 0) <= 128)
  })

  test('a forged request id never makes two requests one', async () => {
    await using gateway = await startTestGateway()
    const { key, accountId } = await gateway.fund({ credit: '1' })
    for (let count = 0; count < 3; count++) {
      const headers = { 'x-request-id': 'req_01ARZ3NDEKTSV4RRFFQ69G5FAV', traceparent: '00-a-b-01' }
      assert.equal((await gateway.ask(SURFACES.chat.path, { key, body: bodyOf('chat'), headers })).status, 200)
    }
    assert.equal((await gateway.ledger(accountId)).filter((entry) => entry.type === 'usage').length, 3)
  })
})

test('no prompt, completion, or key is in the database', async () => {
  const gateway = await startTestGateway()
  const { dataDir } = gateway.running
  let stored = ''
  try {
    for (const name of GENERATING) await endInEveryWay(gateway, name)
    await gateway.ask(SURFACES.embeddings.path, { body: bodyOf('embeddings') })
    await gateway.ask(`${SURFACES.gemini.path}?key=${gateway.key}`, { key: null, body: bodyOf('gemini') })
    await gateway.logs()
    stored = readdirSync(dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
      .join('\n')
  } finally {
    await gateway.close()
  }
  assert.ok(stored.includes('gpt-test'), 'rows are there')
  for (const secret of [CANARY, ANSWER_CANARY, gateway.key, ...Object.values(UPSTREAM_KEYS)])
    assert.ok(!stored.includes(secret), secret)
})

test('no prompt, completion, or key is in the log, even at its most talkative', async () => {
  const upstream = await startUpstream({ text: ANSWER_CANARY })
  const config = { ...configFor(upstream.url), logging: { level: 'trace' } }
  const gateway = await Gateway.start({ config, env: ENVIRONMENT })
  try {
    const { key } = await gateway.fund('someone@example.com', '1')
    const send = (path: string, body: unknown) =>
      fetch(gateway.baseUrl + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then((response) => response.text())
    for (const name of GENERATING) await send(SURFACES[name].path, bodyOf(name))
    upstream.script({ status: 500, body: CANARY }, { cutAfterFrames: 2 })
    await send(SURFACES.chat.path, bodyOf('chat'))
    await send(SURFACES.chat.path, { ...bodyOf('chat'), stream: true })
    await send(SURFACES.chat.path, `{"model":"gpt-test","x":${CANARY}`)
    await send(`${SURFACES.gemini.path}?key=${key}`, bodyOf('gemini'))
    await eventually('the log says something', 5000, async () => gateway.log.includes('"level"') || undefined)
    for (const secret of [CANARY, ANSWER_CANARY, key, gateway.masterKey, ...Object.values(UPSTREAM_KEYS)])
      assert.ok(!gateway.log.includes(secret), `${secret} in ${gateway.log}`)
  } finally {
    await gateway.stop()
    await upstream.close()
  }
})
