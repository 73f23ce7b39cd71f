import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { parsePricePerMillion, roundToNano } from '#base/money.ts'
import { errorBody, model, type Rig, rigOf } from './openrouter-rig.ts'
import { formatUsd } from '#base/money.ts'
import type { Told } from './gateway.ts'

/** B5 and R89(c): a conversation stays where its prompt is cached. */

const BACKENDS = ['one', 'two', 'three'] as const
const PRICE = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }
const CACHED = 20_000
const SOLD = { input: 50, cacheRead: CACHED, cacheWrite: 0, output: 5, reasoning: 0 }
/** 20000 tokens x (3.75 - 0.30) USD per million. */
const BREAK_COST = formatUsd(roundToNano(BigInt(CACHED) * (parsePricePerMillion('3.45') ?? 0n)))

/** Which backend comes first is a lottery: three that cost the same. */
const start = (price: object = PRICE, rest: object = {}): Promise<Rig> =>
  rigOf(BACKENDS, (urlOf) => ({
    models: [model('m', { price, ...rest })],
    routes: BACKENDS.map((backend) => ({ model: 'm', backend, upstream_model: `${backend}-m` })),
    backends: Object.fromEntries(
      BACKENDS.map((name) => [name, { type: 'openai-compatible', api_url: `${urlOf(name)}/v1`, api_key: 'sk-1' }]),
    ),
  }))

suite('a conversation stays where its prompt is cached', () => {
  let rig: Rig
  before(async () => {
    rig = await start()
    for (const upstream of Object.values(rig.upstreams)) upstream.always({ usage: SOLD })
  })
  after(() => rig[Symbol.asyncDispose]())

  interface Turn {
    readonly body?: object
    readonly headers?: Record<string, string>
    readonly key?: string
  }
  const turn = async ({ body, headers = {}, key = rig.gateway.key }: Turn = {}): Promise<Told> => {
    const told = await rig.gateway.ask('/v1/chat/completions', {
      key,
      headers: { 'x-gateway-metadata': 'enabled', ...headers },
      body: { model: 'm', messages: [{ role: 'user', content: 'hi' }], ...body },
    })
    assert.equal(told.status, 200, told.text)
    return told
  }
  const backendOf = async (told: Told): Promise<string> => (await rig.backendsOf(told)).at(-1)!
  const backendsOf = async (turns: readonly Turn[]): Promise<string[]> => {
    const asked: string[] = []
    for (const each of turns) asked.push(await backendOf(await turn(each)))
    return asked
  }
  /** A lottery over three gives this 12 times in a row once in 177147 runs. */
  const TURNS = 12
  const stays = async (turns: readonly Turn[]) => assert.equal(new Set(await backendsOf(turns)).size, 1)

  test('R89: named by session_id, by x-session-id, by prompt_cache_key', async () => {
    const times = (one: (at: number) => Turn) => Array.from({ length: TURNS }, (_, at) => one(at))
    const said = (at: number) => ({ messages: [{ role: 'user', content: `other words ${at}` }] })
    await stays(times((at) => ({ body: { session_id: 'a', ...said(at) } })))
    await stays(times((at) => ({ body: said(at), headers: { 'x-session-id': 'b' } })))
    await stays(times((at) => ({ body: { prompt_cache_key: 'c', ...said(at) } })))
    // The header is the same name as the member, which wins over it, and both win over the cache's key.
    const first = await backendOf(await turn({ body: { session_id: 'd' } }))
    const again = times((at) => ({
      body: { prompt_cache_key: `${at}`, ...said(at) },
      headers: { 'x-session-id': 'd' },
    }))
    assert.deepEqual(new Set(await backendsOf(again)), new Set([first]))
    const other = times((at) => ({ body: { session_id: `d${at}` }, headers: { 'x-session-id': 'd' } }))
    assert.ok(new Set(await backendsOf(other)).size > 1)
  })

  test('unnamed: by its system message and the first of the user, whatever follows and wherever the marks are', async () => {
    const opening = (mark: object) => [
      { role: 'system', content: [{ type: 'text', text: 'You are kind.', ...mark }] },
      { role: 'user', content: [{ type: 'text', text: 'Hello', ...mark }] },
    ]
    const later = Array.from({ length: TURNS }, (_, at) => ({ role: at % 2 ? 'user' : 'assistant', content: `${at}` }))
    await stays(
      later.map((_, at) => ({
        body: {
          messages: [...opening(at % 2 ? { cache_control: { type: 'ephemeral' } } : {}), ...later.slice(0, at)],
        },
      })),
    )
  })

  test('the decision stands in the row, and in a header for who asks', async () => {
    const body = { session_id: 'told' }
    const first = await turn({ body })
    assert.equal(first.headers.get('x-gateway-cache-decision'), null)
    assert.equal((await rig.gateway.log(first.headers.get('x-request-id')!)).cache_decision, null)
    const second = await turn({ body })
    assert.equal(
      second.headers.get('x-gateway-cache-decision'),
      `kept;reason=cache_is_cheaper;cache_break_cost=${BREAK_COST}`,
    )
    const row = await rig.gateway.log(second.headers.get('x-request-id')!)
    assert.deepEqual(row.cache_decision, {
      decision: 'kept',
      reason: 'cache_is_cheaper',
      cache_break_cost: BREAK_COST,
    })
    const silent = await turn({ body, headers: { 'x-gateway-metadata': 'disabled' } })
    assert.equal(silent.headers.get('x-gateway-cache-decision'), null)
    const streamed = await turn({ body: { ...body, stream: true } })
    assert.match(streamed.headers.get('x-gateway-cache-decision')!, /^kept/)
  })

  test('an explicit order wins', async () => {
    const body = { session_id: 'ordered' }
    const first = await backendOf(await turn({ body }))
    const [other] = BACKENDS.filter((name) => name !== first)
    const told = await turn({ body: { ...body, provider: { order: [other] } } })
    assert.deepEqual([await backendOf(told), told.headers.get('x-gateway-cache-decision')], [other, null])
    const pinned = await turn({ body: { ...body, model: `${other}:m` } })
    assert.equal(await backendOf(pinned), other)
  })

  test('a route that fails is left, and the conversation goes on where it was answered', async () => {
    const body = { session_id: 'failing' }
    const first = await backendOf(await turn({ body }))
    rig.upstreams[first]!.script({ status: 500, body: errorBody })
    const told = await turn({ body })
    assert.match(
      told.headers.get('x-gateway-cache-decision')!,
      /^switched;reason=route_failed;cache_break_cost=0\.069$/,
    )
    const second = await backendOf(told)
    assert.notEqual(second, first)
    assert.equal(await backendOf(await turn({ body })), second)
    const excluded = await turn({ body: { ...body, provider: { ignore: [second] } } })
    assert.match(excluded.headers.get('x-gateway-cache-decision')!, /^switched;reason=route_not_eligible/)
  })

  test('accounts do not share conversations', async () => {
    const { key } = await rig.gateway.fund()
    await turn({ body: { session_id: 'shared' } })
    const told = await turn({ body: { session_id: 'shared' }, key })
    assert.equal(told.headers.get('x-gateway-cache-decision'), null)
  })
})

test('a route that caches unasked is remembered by the length of the prompt; one that does not cache is not', async () => {
  const decisionsWith = async (price: object, rest: object, usage: object) => {
    await using rig = await start(price, rest)
    for (const upstream of Object.values(rig.upstreams)) upstream.always({ usage })
    const body = { model: 'm', session_id: 's' }
    await rig.chat(body)
    const told = await rig.chat(body)
    return (await rig.gateway.log(told.headers.get('x-request-id')!)).cache_decision?.decision ?? null
  }
  const implicit = { input: 3, output: 15, cache_read: 0.3 }
  assert.equal(await decisionsWith(implicit, {}, { ...SOLD, input: 1024, cacheRead: 0 }), 'kept')
  assert.equal(await decisionsWith(implicit, {}, { ...SOLD, input: 1023, cacheRead: 0 }), null)
  assert.equal(await decisionsWith(PRICE, { cache: 'off' }, SOLD), null)
  assert.equal(await decisionsWith({ input: 3, output: 15 }, {}, SOLD), null)
  assert.equal(await decisionsWith({ input: 3, output: 15 }, { cache: 'implicit' }, SOLD), 'kept')
  // A turn that says it wrote and read nothing has nothing to come back to.
  assert.equal(await decisionsWith(PRICE, {}, { ...SOLD, input: 5000, cacheRead: 0 }), null)
})
