import assert from 'node:assert/strict'
import { after, before, beforeEach, suite, test } from 'node:test'
import type { Frame } from '#test/upstream/upstream.ts'
import { eventsOf, type Json, type Told } from './gateway.ts'
import { model, type Rig, rigOf } from './openrouter-rig.ts'

/** R40: models of two legs on the surfaces besides Chat Completions. */

const HYBRID = 'hybrid:[mind:thinker?temperature=0.9,hand:doer?temperature=0.1]'
const THOUGHT = 'First this, then that.'

const chunk = (delta: object): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'inner', choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`
const thinking: Frame[] = [chunk({ reasoning_content: THOUGHT }), chunk({ content: 'An answer' })]

/** The second leg's backend speaks `type`, so that the client's own surface is passed through or translated. */
const start = (type: string, routing: object = {}): Promise<Rig> =>
  rigOf(['mind', 'hand'], (urlOf) => ({
    failure_handling: { enabled: false },
    routing,
    models: [
      model('thinker', { price: { input: 1, output: 100 }, capabilities: ['thinking', 'tools'] }),
      model('doer', { price: { input: 2, output: 10 }, capabilities: ['thinking', 'tools'] }),
    ],
    routes: [
      { model: 'thinker', backend: 'mind', upstream_model: 'thinker' },
      { model: 'doer', backend: 'hand', upstream_model: 'doer' },
    ],
    backends: {
      mind: { type: 'openai-compatible', api_url: `${urlOf('mind')}/v1`, api_key: 'sk-1' },
      hand: { type, api_url: type === 'openai' ? `${urlOf('hand')}/v1` : urlOf('hand'), api_key: 'sk-1' },
    },
  }))

const tools = {
  chat: [{ type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } }],
  claude: [{ name: 'look', input_schema: { type: 'object', properties: {} } }],
  gemini: [{ functionDeclarations: [{ name: 'look' }] }],
} as const

const SURFACES = {
  messages: {
    type: 'anthropic-compatible',
    path: () => '/v1/messages',
    body: (rest: object = {}) => ({
      model: HYBRID,
      max_tokens: 77,
      system: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }],
      messages: [{ role: 'user', content: 'What now?' }],
      thinking: { type: 'enabled', budget_tokens: 1024 },
      tools: tools.claude,
      ...rest,
    }),
    text: ({ json }: Told) => json.content[0].text,
    thoughtIn: (body: Json) => body.system[1].text,
    isUnchanged: (body: Json) =>
      assert.deepEqual(
        [body.system[0].cache_control, body.messages, body.thinking, body.max_tokens],
        [{ type: 'ephemeral' }, [{ role: 'user', content: 'What now?' }], undefined, 77],
      ),
    repeated: (body: Json) => body.messages.at(-1),
  },
  responses: {
    type: 'openai',
    path: () => '/v1/responses',
    body: (rest: object = {}) => ({
      model: HYBRID,
      max_output_tokens: 77,
      instructions: 'Be kind.',
      input: 'What now?',
      reasoning: { effort: 'low' },
      tools: [{ type: 'function', name: 'look', parameters: { type: 'object', properties: {} } }],
      ...rest,
    }),
    text: ({ json }: Told) => json.output.at(-1).content[0].text,
    thoughtIn: (body: Json) => body.input[0].content,
    isUnchanged: (body: Json) =>
      assert.deepEqual(
        [body.instructions, body.input[0].role, body.input[1], body.reasoning, body.max_output_tokens],
        ['Be kind.', 'developer', { role: 'user', content: 'What now?' }, undefined, 77],
      ),
    repeated: (body: Json) => body.input.at(-1),
  },
  gemini: {
    type: 'gemini-compatible',
    path: (stream: boolean) =>
      `/v1beta/models/${encodeURIComponent(HYBRID)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: (rest: object = {}) => ({
      systemInstruction: { parts: [{ text: 'Be kind.' }] },
      contents: [{ role: 'user', parts: [{ text: 'What now?' }] }],
      generationConfig: { maxOutputTokens: 77, thinkingConfig: { thinkingBudget: 9 } },
      tools: tools.gemini,
      ...rest,
    }),
    text: ({ json }: Told) => json.candidates[0].content.parts[0].text,
    thoughtIn: (body: Json) => body.systemInstruction.parts[1].text,
    isUnchanged: (body: Json) =>
      assert.deepEqual(
        [body.contents.length, body.generationConfig.thinkingConfig, body.generationConfig.maxOutputTokens],
        [1, undefined, 77],
      ),
    repeated: (body: Json) => ({ role: body.contents.at(-1).role, content: body.contents.at(-1).parts[0].text }),
  },
} as const

for (const [name, surface] of Object.entries(SURFACES)) {
  suite(`R40: two legs: ${name}`, () => {
    let rig: Rig
    before(async () => {
      rig = await start(surface.type)
    })
    beforeEach(() => rig.upstreams['mind']!.always({ frames: thinking }))
    after(() => rig[Symbol.asyncDispose]())

    const ask = (rest: object = {}, stream = false) =>
      rig.gateway.ask(surface.path(stream), { body: surface.body(rest) })
    const last = (leg: string) => rig.upstreams[leg]!.received.at(-1)!.fields as Json

    test('R40: the first thinks about a chat of the same words, the second is told and answers', async () => {
      const told = await ask()
      assert.equal(told.status, 200, told.text)
      assert.equal(surface.text(told), 'from hand')
      const mind = last('mind')
      const said = mind.messages.map(({ role, content }: Json) => [role, content[0].text ?? content])
      assert.deepEqual(
        said.map(([role, text]: [string, string]) => [role === 'developer' ? 'system' : role, text]),
        [
          ['system', 'Be kind.'],
          ['user', 'What now?'],
        ],
      )
      assert.deepEqual(
        [mind.model, mind.stream, mind.temperature, mind.tools[0].function.name, mind.max_tokens],
        ['thinker', true, 0.9, 'look', 1000],
      )
      assert.match(surface.thoughtIn(last('hand')), /<reasoning>\nFirst this, then that\.\n<\/reasoning>/)
      surface.isUnchanged(last('hand'))
      const row = await rig.gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual(
        row.attempts.map(({ backend }: Json) => backend),
        ['mind', 'hand'],
      )
      assert.ok(Number(row.charged_cost) > 0.0005, row.charged_cost)
    })

    test('R40: with the first leg down the second answers alone, with a warning', async () => {
      rig.upstreams['mind']!.script({ status: 500, body: { error: { message: 'no' } } })
      const told = await ask()
      assert.deepEqual([told.status, surface.text(told)], [200, 'from hand'])
      assert.match(told.headers.get('x-gateway-warnings')!, /the reasoning model did not answer/)
      assert.doesNotMatch(rig.upstreams['hand']!.received.at(-1)!.bytes.toString(), /<reasoning>/)
    })

    test('R40: streamed', async () => {
      const { status, text } = await ask(name === 'gemini' ? {} : { stream: true }, true)
      assert.equal(status, 200, text)
      assert.match(text, /from|hand/)
      assert.equal(last('hand').model === undefined || last('hand').stream === true, true)
      const events = eventsOf(text)
      if (name === 'gemini') {
        assert.deepEqual(events[0].candidates[0].content.parts, [{ text: THOUGHT, thought: true }])
        const array = await rig.gateway.ask(surface.path(true).replace('?alt=sse', ''), { body: surface.body() })
        assert.deepEqual(JSON.parse(array.text)[0].candidates[0].content.parts[0].thought, true)
      } else assert.doesNotMatch(text, /First this/)
    })
  })
}

suite('R40: two legs: the rest', () => {
  test('hybrid_backend_repeat_messages: the reasoning stands once more as the assistant’s own words', async () => {
    for (const surface of Object.values(SURFACES)) {
      await using rig = await start(surface.type, { hybrid_backend_repeat_messages: true })
      rig.upstreams['mind']!.always({ frames: thinking })
      assert.equal((await rig.gateway.ask(surface.path(false), { body: surface.body() })).status, 200)
      const { role, content } = surface.repeated(rig.upstreams['hand']!.received.at(-1)!.fields)
      assert.deepEqual(
        [role === 'model' ? 'assistant' : role, content],
        ['assistant', `<reasoning>\n${THOUGHT}\n</reasoning>`],
      )
    }
    await using rig = await start('openai', { hybrid_backend_repeat_messages: true })
    rig.upstreams['mind']!.always({ frames: thinking })
    const body = { model: HYBRID, messages: [{ role: 'user', content: 'What now?' }] }
    assert.equal((await rig.gateway.ask('/v1/chat/completions', { body })).status, 200)
    const { messages } = rig.upstreams['hand']!.received.at(-1)!.fields as Json
    assert.deepEqual(
      messages.map(({ role }: Json) => role),
      ['system', 'user', 'assistant'],
    )
  })

  test('a translated second leg is told the same; its data policy holds for the first as well', async () => {
    await using rig = await start('gemini-compatible')
    rig.upstreams['mind']!.always({ frames: thinking })
    const body = SURFACES.messages.body({ thinking: undefined })
    const told = await rig.gateway.ask('/v1/messages', { body })
    assert.deepEqual([told.status, told.json.content[0].text], [200, 'from hand'], told.text)
    assert.match(rig.upstreams['hand']!.received.at(-1)!.bytes.toString(), /First this, then that/)
    const private_ = { ...body, provider: { zdr: true } }
    assert.equal((await rig.gateway.ask('/v1/messages', { body: private_ })).status, 503)
  })

  test('earlier turns that are only named cannot be thought about; what counts the prompt counts the second leg’s', async () => {
    await using rig = await start('openai')
    const body = SURFACES.responses.body({ previous_response_id: 'resp_1' })
    const { status, json } = await rig.gateway.ask('/v1/responses', { body })
    assert.deepEqual([status, json.error.param], [400, 'previous_response_id'])
    const counted = await rig.gateway.ask('/v1/messages/count_tokens', {
      body: { model: HYBRID, messages: [{ role: 'user', content: 'What now?' }] },
    })
    assert.equal(counted.status, 200, counted.text)
    assert.equal(rig.upstreams['mind']!.count(), 0)
  })
})
