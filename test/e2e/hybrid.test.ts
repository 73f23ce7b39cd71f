import assert from 'node:assert/strict'
import { after, before, beforeEach, suite, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { REASONING_BYTES_MAX } from '#data-plane/reasoning-leg.ts'
import type { Frame } from '#test/upstream/upstream.ts'
import { eventsOf, type Json } from './gateway.ts'
import { errorBody, model, type Rig, rigOf } from './openrouter-rig.ts'

/** R40: one model reasons, another one answers. */

const HYBRID = 'hybrid:[mind:thinker?temperature=0.9,hand:doer?temperature=0.1]'
const THOUGHT = 'First this, then that.'
const messages = [
  { role: 'system', content: 'Be kind.' },
  { role: 'user', content: 'What now?' },
]

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'inner', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
const halves = [THOUGHT.slice(0, 9), THOUGHT.slice(9)]
const END = [chunk({}, 'stop'), 'data: [DONE]\n\n']
/** What a model says that has a member for its reasoning, and then answers. */
const thinking = (member: string): Frame[] => [
  chunk({ role: 'assistant', content: '' }),
  ...halves.map((half) => chunk({ [member]: half })),
  chunk({ content: 'An answer' }),
  chunk({ content: ' that nobody reads' }),
]

const start = (config: object = {}): Promise<Rig> =>
  rigOf(['mind', 'hand'], (urlOf) => ({
    failure_handling: { enabled: false },
    models: [
      model('thinker', { price: { input: 1, output: 100 }, capabilities: ['thinking'] }),
      model('doer', { price: { input: 2, output: 10 } }),
    ],
    routes: [
      { model: 'thinker', backend: 'mind', upstream_model: 'thinker' },
      { model: 'doer', backend: 'hand', upstream_model: 'doer' },
    ],
    backends: {
      mind: { type: 'openai-compatible', api_url: `${urlOf('mind')}/v1`, api_key: 'sk-1' },
      hand: { type: 'openai-compatible', api_url: `${urlOf('hand')}/v1`, api_key: 'sk-1' },
    },
    ...config,
  }))

suite('a model of two legs', () => {
  let rig: Rig
  before(async () => {
    rig = await start()
  })
  beforeEach(() => {
    rig.upstreams['mind']!.always({
      frames: [...thinking('reasoning_content'), { text: '', waitFor: new Promise(() => {}) }],
    })
  })
  after(() => rig[Symbol.asyncDispose]())

  const ask = (body: object = {}, path = '/v1/chat/completions') =>
    rig.gateway.ask(path, { body: { model: HYBRID, messages, ...body } })
  const mind = () => rig.upstreams['mind']!.received.at(-1)!.fields as Json
  const hand = () => rig.upstreams['hand']!.received.at(-1)!.fields as Json

  test('the first is asked for its reasoning and hung up on, the second gets it and answers', async () => {
    const aborted = rig.upstreams['mind']!.aborted
    const told = await ask({ reasoning_effort: 'low', max_tokens: 77 })
    assert.equal(told.status, 200, told.text)
    assert.equal(told.json.choices[0].message.content, 'from hand')
    assert.equal(told.json.model, 'doer')
    await rig.upstreams['mind']!.whenAborted(aborted + 1)
    assert.deepEqual(
      [mind().temperature, mind().stream, hand().temperature, hand().stream],
      [0.9, true, 0.1, undefined],
    )
    assert.deepEqual([mind().model, hand().model, hand().max_tokens], ['thinker', 'doer', 77])
    assert.ok(mind().reasoning_effort !== 'low' && hand().reasoning_effort === undefined)
    assert.deepEqual([hand().messages[0], hand().messages[2]], messages)
    assert.match(hand().messages[1].content, /First this, then that\./)
    assert.doesNotMatch(hand().messages[1].content, /answer/)
  })

  test('both legs are booked under one request, as two attempts', async () => {
    const before = parseUsd((await rig.gateway.account(rig.gateway.accountId)).balance)!
    const told = await ask()
    const row = await rig.gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual(
      row.attempts.map(({ backend, status }: Json) => [backend, status]),
      [
        ['mind', 200],
        ['hand', 200],
      ],
    )
    assert.equal(told.headers.get('x-gateway-attempts'), '2')
    const charged = parseUsd(row.charged_cost)!
    // The second: 10 x 2 + 5 x 10 per million. The first was cut off, and what it said is estimated by its bytes.
    const second = 70_000n
    const outputOf = (...texts: string[]) => BigInt(Math.ceil(texts.join('').length / 4)) * 100_000n
    const least = second + outputOf(THOUGHT, 'An answer')
    const most = second + outputOf(THOUGHT, 'An answer', ' that nobody reads') + 100_000n
    assert.ok(charged > least && charged < most, String(charged))
    assert.equal(parseUsd(told.headers.get('x-gateway-cost')!), charged)
    const after = parseUsd((await rig.gateway.account(rig.gateway.accountId)).balance)!
    assert.equal(before - after, charged)
  })

  test('a stream begins with one chunk of reasoning', async () => {
    for (const [path, member] of [
      ['/v1/chat/completions', 'reasoning_content'],
      ['/api/v1/chat/completions', 'reasoning'],
    ] as const) {
      const { text } = await ask({ stream: true }, path)
      const deltas = eventsOf(text).map((event) => event.choices[0]?.delta ?? {})
      assert.equal(deltas[0][member], THOUGHT)
      assert.equal(deltas.filter((delta) => member in delta).length, 1)
      assert.equal(deltas.map((delta) => delta.content ?? '').join(''), 'from hand')
    }
  })

  test('reasoning is understood by either name, and inside of the answer', async () => {
    const frames: Frame[][] = [
      [...thinking('reasoning')],
      [chunk({ content: '<thi' }), chunk({ content: `nk>${THOUGHT}</th` }), chunk({ content: 'ink>An answer' })],
      [chunk({ content: `<thinking>\n${THOUGHT}\n</thinking>` })],
      [...halves.map((half) => chunk({ reasoning: half })), ...END],
    ]
    for (const each of frames) {
      rig.upstreams['mind']!.script({ frames: each })
      assert.equal((await ask()).status, 200)
      assert.match(hand().messages[1].content, /<reasoning>\nFirst this, then that\.\n<\/reasoning>/)
    }
  })

  test('a first leg that answers at once has thought nothing', async () => {
    rig.upstreams['mind']!.script({ frames: [chunk({ content: 'An answer' })] })
    const told = await ask()
    assert.deepEqual([told.status, hand().messages], [200, messages])
  })

  test('reasoning is handed on up to a bound', async () => {
    const long = 'x'.repeat(REASONING_BYTES_MAX - 1)
    rig.upstreams['mind']!.script({ frames: [chunk({ reasoning: long }), chunk({ reasoning: 'yz' }), ...END] })
    await ask()
    assert.equal(/<reasoning>\n(x*y)\n/.exec(hand().messages[1].content)![1]!.length, REASONING_BYTES_MAX)
  })

  test('a first leg that fails: the second goes on without it, with a warning', async () => {
    rig.upstreams['mind']!.script({ status: 500, body: errorBody })
    const told = await ask()
    assert.deepEqual([told.status, hand().messages], [200, messages])
    assert.match(
      told.headers.get('x-gateway-warnings')!,
      /param=model;action=drop;reason=the reasoning model did not answer/,
    )
    const row = await rig.gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.attempts.length, row.charged_cost], [2, '0.00007'])
  })

  test('a second leg that fails: nothing is booked, both attempts are there', async () => {
    rig.upstreams['hand']!.script({ status: 500, body: errorBody })
    const told = await ask()
    assert.equal(told.status, 502)
    const row = await rig.gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.attempts.length, row.charged_cost], [2, '0'])
  })

  test('what both legs may cost is set aside before either is called', async () => {
    const { key } = await rig.gateway.fund({ credit: '0.1' })
    const calls = rig.upstreams['mind']!.count()
    const body = { messages, max_tokens: 10 }
    const single = await rig.gateway.ask('/v1/chat/completions', { key, body: { ...body, model: 'doer' } })
    assert.equal(single.status, 200)
    const told = await rig.gateway.ask('/v1/chat/completions', { key, body: { ...body, model: HYBRID } })
    assert.deepEqual([told.status, told.json.error.code], [402, 'insufficient_balance'])
    assert.equal(rig.upstreams['mind']!.count(), calls)
  })

  test('explained: what both legs may cost, and nobody is called', async () => {
    const calls = [rig.upstreams['mind']!.count(), rig.upstreams['hand']!.count()]
    const body = { model: HYBRID, messages, max_tokens: 10 }
    const { json } = await rig.gateway.ask('/v1/route/explain', { body: { protocol: 'chat', body } })
    const { key } = await rig.gateway.fund({ credit: '0' })
    const told = await rig.gateway.ask('/v1/chat/completions', { key, body })
    assert.equal(told.status, 402)
    assert.ok(told.json.error.message.includes(`up to ${json.would_reserve} `), `${json.would_reserve} ${told.text}`)
    assert.ok(Number(json.would_reserve) > 0.1)
    assert.deepEqual([rig.upstreams['mind']!.count(), rig.upstreams['hand']!.count()], calls)
  })

  test('a fault that is asked for: both legs are the simulator’s in single-user mode, else neither', async () => {
    const headers = { 'x-fault': '429' }
    const body = { model: HYBRID, messages }
    const real = await rig.gateway.ask('/v1/chat/completions', { headers, body })
    assert.equal(real.status, 200)
    assert.match(real.headers.get('x-gateway-warnings')!, /param=x-fault;action=drop/)
    await using single = await start({ auth: { disable_auth: true } })
    const told = await single.gateway.ask('/v1/chat/completions', { key: null, headers, body })
    assert.equal(told.status, 429)
    assert.deepEqual([single.upstreams['mind']!.count(), single.upstreams['hand']!.count()], [0, 0])
  })

  test('what is left out of the first leg’s name is told too', async () => {
    const told = await ask({ model: HYBRID.replace('0.9', 'hot') })
    assert.match(told.headers.get('x-gateway-warnings')!, /param=model.temperature;action=drop/)
  })

  test('what is no pair of models is refused', async () => {
    for (const wrong of ['hybrid:[mind:thinker]', 'hybrid:[,hand:doer]', 'hybrid:thinker,doer']) {
      const { status, json } = await ask({ model: wrong })
      assert.deepEqual([status, json.error.param], [400, 'model'])
      assert.match(json.error.message, /hybrid:\[<reasoning model>,<execution model>\]/)
    }
  })
})

suite('settings of models of two legs', () => {
  const ask = async (routing: object, turns = 1) => {
    await using rig = await start({ routing })
    rig.upstreams['mind']!.always({ frames: [...thinking('reasoning')] })
    const said = Array.from({ length: turns }, () => messages[1])
    const told = await rig.chat({ model: HYBRID, messages: said })
    return { status: told.status, code: told.json.error?.metadata.code, calls: rig.upstreams['mind']!.count() }
  }

  test('disable_hybrid_backend', async () => {
    assert.deepEqual(await ask({ disable_hybrid_backend: true }), { status: 400, code: 'hybrid_disabled', calls: 0 })
  })

  test('reasoning_injection_probability, behind the first turns', async () => {
    const never = { reasoning_injection_probability: 0 }
    assert.equal((await ask(never, 4)).calls, 1)
    assert.equal((await ask(never, 5)).calls, 0)
    assert.equal((await ask({ ...never, hybrid_reasoning_force_initial_turns: 0 })).calls, 0)
    assert.equal((await ask({}, 9)).calls, 1)
  })

  test('hybrid_execution_model_timeout: whole and streamed', async () => {
    await using rig = await start({ routing: { hybrid_execution_model_timeout: 0.2 } })
    rig.upstreams['mind']!.always({ frames: [...thinking('reasoning')] })
    for (const stream of [false, true]) {
      rig.upstreams['hand']!.script({ hang: true })
      const told = await rig.gateway.ask('/v1/chat/completions', { body: { model: HYBRID, messages, stream } })
      assert.deepEqual([told.status, told.json.error.code], [504, 'upstream_timeout'])
    }
  })

  test('hybrid_reasoning_model_timeout: silence, and thinking that takes too long', async () => {
    await using rig = await start({ routing: { hybrid_reasoning_model_timeout: 0.2 } })
    for (const reply of [
      { hang: true },
      { frames: [chunk({ reasoning: 'Hm' }), chunk({ reasoning: 'm' }), ...END], stallAfterFrames: 2 },
    ]) {
      rig.upstreams['mind']!.script(reply)
      const told = await rig.chat({ model: HYBRID, messages })
      assert.equal(told.status, 200)
      assert.match(told.headers.get('x-gateway-warnings')!, /the reasoning model did not answer/)
      assert.deepEqual((rig.upstreams['hand']!.received.at(-1)!.fields as Json).messages, messages)
    }
  })
})
