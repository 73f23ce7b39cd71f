import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, model, startTestGateway, type TestGateway } from './gateway.ts'
import { codeOf, type Name, SURFACES } from './surfaces.ts'

/** Controls on an agent's own loop (B14). */

const WAIT_MS = 10_000
const HALF_CENT = 'half-cent'
const DEAR = 'dear'
const said = [{ role: 'user', content: 'hi' }]

/** A model of which every call costs exactly half a cent, and a dearer one. */
const startAgents = (change: Parameters<typeof startTestGateway>[0] = {}): Promise<TestGateway> =>
  startTestGateway({
    ...change,
    config: {
      models: [
        model(HALF_CENT, { price: { input: 0, output: 0, request: '0.005' } }),
        model(DEAR, { price: { input: 100, output: 100 } }),
        model(MODELS.chat.id),
        model(MODELS.messages.id, { vendor: 'anthropic' }),
        model(MODELS.gemini.id, { vendor: 'google' }),
      ],
      routes: [
        { model: HALF_CENT, backend: 'openai' },
        { model: DEAR, backend: 'openai' },
        { model: MODELS.chat.id, backend: 'openai' },
        { model: MODELS.messages.id, backend: 'anthropic' },
        { model: MODELS.gemini.id, backend: 'gemini' },
      ],
    } as Json,
  })

const call = (gateway: TestGateway, key: string, session: string | null, change: Json = {}, headers: Json = {}) =>
  gateway.ask('/v1/chat/completions', {
    key,
    headers: { ...(session && { 'x-session-id': session }), ...headers },
    body: { model: HALF_CENT, messages: said, max_tokens: 5, ...change },
  })

const BUDGET = { 'x-gateway-session-budget': '0.02' }

test('B14: 50 parallel calls on a session of 0.02 at 0.005 each: at most 4 reach the upstream, and the ledger says what the session says', async () => {
  await using gateway = await startAgents()
  const { accountId, key } = await gateway.fund()
  const gate = Promise.withResolvers<void>()
  gateway.upstream.always({ waitFor: gate.promise })
  let refused = 0
  const calls = Array.from({ length: 50 }, async () => {
    const told = await call(gateway, key, 'parallel', {}, BUDGET)
    if (told.status !== 200) refused++
    return told
  })
  await eventually(
    'all were admitted or refused',
    WAIT_MS,
    async () => gateway.upstream.count() + refused === 50 || undefined,
  )
  gate.resolve()
  const told = await Promise.all(calls)
  assert.equal(told.filter(({ status }) => status === 200).length, 4)
  assert.equal(gateway.upstream.count(), 4)
  for (const one of told.filter(({ status }) => status !== 200)) {
    assert.deepEqual([one.status, one.json.error.code], [402, 'session_budget_exceeded'])
  }
  gateway.upstream.always(undefined)
  assert.equal((await call(gateway, key, 'parallel')).status, 402, 'the header is the opener’s to send')
  assert.equal((await call(gateway, key, 'parallel', {}, { 'x-gateway-session-budget': '5' })).status, 402)
  assert.equal((await call(gateway, key, 'another')).status, 200)
  assert.equal((await call(gateway, key, null)).status, 200)
  const { data } = (await gateway.ask('/api/sessions', { key })).json
  assert.deepEqual(
    data.map(({ session_id }: Json) => session_id),
    ['another', 'parallel'],
  )
  const whole = (await gateway.ask(`/api/sessions/${data[1].id}`, { key })).json
  assert.deepEqual([whole.spent, whole.max_usd, whole.requests, whole.turns.length], ['0.02', '0.02', 4, 52])
  const booked = (await gateway.ledger(accountId)).filter(({ type }) => type === 'usage')
  const own = new Set(whole.turns.map(({ request_id }: Json) => request_id))
  const charged = booked.filter(({ request_id }) => own.has(request_id)).map(({ amount }) => amount)
  assert.deepEqual(charged, ['-0.005', '-0.005', '-0.005', '-0.005'])
  assert.deepEqual(whole.models, [{ model: HALF_CENT, turns: 52, cost: '0.02' }])
})

const loopOf = (times: number): Json[] => [
  { role: 'user', content: 'fix it' },
  ...Array.from({ length: times }, (_, at) => [
    {
      role: 'assistant',
      content: null,
      // The same arguments, whatever the order of their members.
      tool_calls: [
        {
          id: `call_${at}`,
          type: 'function',
          function: { name: 'read', arguments: at % 2 === 0 ? '{"path":"a","line":1}' : '{ "line": 1, "path": "a" }' },
        },
      ],
    },
    { role: 'tool', tool_call_id: `call_${at}`, content: 'nothing' },
  ]).flat(),
]

test('B14: five identical tool calls are told of; with block the next call is 409 and costs nothing', async () => {
  await using gateway = await startAgents()
  const warned = await gateway.fund()
  const four = await call(gateway, warned.key, 's', { messages: loopOf(4) })
  assert.deepEqual([four.status, four.headers.get('x-gateway-warnings')], [200, null])
  const five = await call(gateway, warned.key, 's', { messages: loopOf(5) })
  assert.equal(five.status, 200)
  assert.match(
    five.headers.get('x-gateway-warnings')!,
    /action=notice;reason=agent loop: the last 5 tool calls are the same/,
  )
  const row = await gateway.log(five.headers.get('x-request-id')!)
  assert.equal(row.warnings[0].action, 'noticed')
  assert.equal((await call(gateway, warned.key, null, { messages: loopOf(9) })).headers.get('x-gateway-warnings'), null)

  const blocked = await gateway.fund({ newKey: { session: { loop: 'block' } } })
  assert.equal((await call(gateway, blocked.key, 's', { messages: loopOf(4) })).status, 200)
  const calls = gateway.upstream.count()
  const sixth = await call(gateway, blocked.key, 's', { messages: loopOf(5) })
  assert.deepEqual([sixth.status, sixth.json.error.code], [409, 'agent_loop_detected'])
  assert.equal(sixth.headers.get('x-should-retry'), 'false')
  assert.equal(gateway.upstream.count(), calls)
  assert.equal((await gateway.account(blocked.accountId)).balance, '99.995')
  const three = await gateway.fund({ newKey: { session: { loop: 'block', loop_turns: 3 } } })
  assert.equal((await call(gateway, three.key, 's', { messages: loopOf(3) })).status, 409)
})

test('B14: a stopped session is refused from the next call on, and only whoever manages the account stops it', async () => {
  await using gateway = await startAgents()
  const { accountId, key } = await gateway.fund()
  const other = await gateway.fund()
  const made = await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  assert.equal((await call(gateway, key, 's')).status, 200)
  assert.equal((await call(gateway, other.key, 's')).status, 200)
  const [{ id }] = (await gateway.ask('/api/sessions', { key })).json.data
  const stop = (presented: string) => gateway.ask(`/api/sessions/${id}/stop`, { method: 'POST', key: presented })
  assert.equal((await stop(key)).status, 403)
  assert.equal((await gateway.ask(`/api/sessions/${id}`, { key: other.key })).status, 404)
  const stopped = await stop(made.key)
  assert.equal(stopped.status, 200)
  assert.notEqual(stopped.json.stopped_at, null)
  const calls = gateway.upstream.count()
  const refused = await call(gateway, key, 's')
  assert.deepEqual([refused.status, refused.json.error.code], [403, 'session_stopped'])
  assert.equal(gateway.upstream.count(), calls)
  assert.equal((await call(gateway, key, 't')).status, 200)
  assert.equal((await call(gateway, other.key, 's')).status, 200, 'the same name of another account is another session')
})

test('B14: what a key says of its sessions: requests, time, models and their price; a name in the body counts as one in the header', async () => {
  let nowMs = Date.UTC(2026, 10, 20, 12)
  await using gateway = await startAgents({ now: () => nowMs })
  const bounds = { max_usd: '0.015', max_requests: 4, max_duration: 60, max_price: '50' }
  const { key, hash } = await gateway.fund({ newKey: { session: bounds } })
  const shown = (await gateway.admin('GET', `/api/v1/keys/${hash}`)).data.session
  assert.deepEqual(shown, { ...bounds, models: [], loop: 'warn', loop_turns: 5 })
  const status = async (session: string, change: Json = {}, headers: Json = {}): Promise<string> => {
    const told = await call(gateway, key, session, change, headers)
    return told.status === 200 ? '200' : told.json.error.code
  }
  assert.deepEqual(
    [await status('a'), await status('a'), await status('a'), await status('a')],
    ['200', '200', '200', 'session_budget_exceeded'],
  )
  assert.equal(await status('b', {}, { 'x-gateway-session-budget': '9' }), '200')
  const named = await gateway.ask('/v1/chat/completions', {
    key,
    body: { model: HALF_CENT, messages: said, max_tokens: 5, session_id: 'b' },
  })
  assert.equal(named.status, 200)
  assert.equal(gateway.upstream.received.at(-1)!.fields['session_id'], undefined)
  assert.equal(await status('b'), '200')
  assert.equal(await status('b'), 'session_budget_exceeded', 'the smaller of both bounds')
  assert.equal(await status('c'), '200')
  nowMs += 60_000
  assert.equal(await status('c'), 'session_budget_exceeded')
  assert.equal(await status('d', { model: DEAR }), 'model_not_allowed')
  await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { session: { models: [DEAR], max_requests: 1 } })
  assert.equal(await status('e'), 'model_not_allowed')
  assert.deepEqual(
    [await status('e', { model: DEAR }), await status('e', { model: DEAR })],
    ['200', 'session_budget_exceeded'],
  )
  await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { session: null })
  assert.equal(await status('f'), '200')
})

test('B14: names and budgets that are none are refused', async () => {
  await using gateway = await startAgents()
  const { key } = await gateway.fund()
  const param = async (session: string | null, headers: Json = {}, change: Json = {}) => {
    const told = await call(gateway, key, session, change, headers)
    return [told.status, told.json.error?.param]
  }
  assert.deepEqual(await param('x'.repeat(256)), [200, undefined])
  assert.deepEqual(await param('x'.repeat(257)), [400, 'x-session-id'])
  assert.deepEqual(await param(null, {}, { session_id: 'x'.repeat(257) }), [400, 'session_id'])
  assert.deepEqual(await param(null, BUDGET), [400, 'x-gateway-session-budget'])
  for (const bad of ['-1', 'x', '1e3', '0.0000000001']) {
    assert.deepEqual(await param('s', { 'x-gateway-session-budget': bad }), [400, 'x-gateway-session-budget'], bad)
  }
  const empty = await call(gateway, key, null, { session_id: '' }, { 'x-session-id': '' })
  assert.equal(empty.status, 200, 'an empty name is none')
  assert.equal((await gateway.ask('/api/sessions', { key })).json.data.length, 1)
  assert.equal(gateway.upstream.count(), 2)
})

test('B14: every protocol tells of a used-up session in its own words', async () => {
  await using gateway = await startTestGateway()
  const { key } = await gateway.fund()
  for (const name of Object.keys(SURFACES) as Name[]) {
    // Counting costs nothing.
    if (name === 'count') continue
    const headers = { 'x-session-id': name, 'x-gateway-session-budget': '0' }
    const told = await gateway.ask(SURFACES[name].path, { key, body: SURFACES[name].body, headers })
    assert.equal(told.status, 402, `${name}: ${told.text}`)
    assert.equal(codeOf(name, told.json), 'session_budget_exceeded', name)
  }
  assert.equal(gateway.upstream.count(), 0)
})

test('B14: with billing off a session is stopped and counted all the same', async () => {
  await using gateway = await startTestGateway({ env: { BILLING_MODE: 'off' } })
  const { accountId, key } = await gateway.fund({ newKey: { session: { max_requests: 2 } } })
  const ask = async (session: string): Promise<number> =>
    (await call(gateway, key, session, { model: MODELS.chat.id })).status
  assert.deepEqual([await ask('a'), await ask('a'), await ask('a')], [200, 200, 402])
  assert.equal(await ask('b'), 200)
  const { data } = await gateway.admin('GET', `/api/sessions?account_id=${accountId}`)
  const { id } = data.find(({ session_id }: Json) => session_id === 'b')
  await gateway.admin('POST', `/api/sessions/${id}/stop?account_id=${accountId}`)
  assert.equal(await ask('b'), 403)
})
