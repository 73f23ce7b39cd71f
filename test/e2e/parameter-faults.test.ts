/** M13: parameters that would break the arithmetic of a hold, on every surface: refused at once, or held for in full. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { configFor, type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

const ANSWER_MS_MAX = 50
/** Others use the machine as well: one of so many tries has to be in time. */
const TRIES = 3
const CREDIT = '1'
const HELLO = [{ role: 'user', content: 'Hello' }]
const TOOLS = 10_000

interface Surface {
  readonly path: string
  readonly body: object
  /** The body's last members, for a limit on the output and for a number of answers; a null has no such parameter. */
  readonly limit: ((json: string) => string) | null
  readonly count: ((json: string) => string) | null
  readonly tool: (at: number) => object
}

const gemini = (action: string): string => `/v1beta/models/${MODELS.gemini.id}:${action}`
const schema = { type: 'object', properties: {} }
const openAiTool = (at: number) => ({ type: 'function', function: { name: `f${at}`, parameters: schema } })
const chat = (path: string, name: string): Surface => ({
  path,
  body: { model: MODELS.chat.id, messages: HELLO },
  limit: (json) => `"${name}":${json}`,
  count: (json) => `"max_tokens":5,"n":${json}`,
  tool: openAiTool,
})
const google = (path: string): Surface => ({
  path,
  body: { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
  limit: (json) => `"generationConfig":{"maxOutputTokens":${json}}`,
  count: (json) => `"generationConfig":{"maxOutputTokens":5,"candidateCount":${json}}`,
  tool: (at) => ({ functionDeclarations: [{ name: `f${at}` }] }),
})

const SURFACES: Readonly<Record<string, Surface>> = {
  chat: chat('/v1/chat/completions', 'max_tokens'),
  'chat, its newer limit': chat('/v1/chat/completions', 'max_completion_tokens'),
  openRouter: chat('/api/v1/chat/completions', 'max_tokens'),
  responses: {
    path: '/v1/responses',
    body: { model: MODELS.chat.id, input: 'Hello' },
    limit: (json) => `"max_output_tokens":${json}`,
    count: null,
    tool: (at) => ({ type: 'function', name: `f${at}`, parameters: schema }),
  },
  messages: {
    path: '/v1/messages',
    body: { model: MODELS.messages.id, messages: HELLO },
    limit: (json) => `"max_tokens":${json}`,
    count: null,
    tool: (at) => ({ name: `f${at}`, input_schema: schema }),
  },
  gemini: google(gemini('generateContent')),
  'gemini, streamed': google(gemini('streamGenerateContent?alt=sse')),
}
const NO_LIMITS = [
  '-1',
  '0.5',
  '1e400',
  '-1e400',
  '1e-400x',
  '"10"',
  '""',
  '9223372036854775808',
  '{}',
  '[]',
  'true',
  'NaN',
]
const NO_COUNTS = ['-1', '1e6', '1000000', '1.5', '"2"', '1e400', '9223372036854775808', '[]']

let gateway: TestGateway
before(async () => {
  // Without a window it is the money that decides, and not the length.
  gateway = await startTestGateway({
    config: (url) => ({
      models: configFor(url)['models'].map((model: Json) => ({ ...model, context_window: 5_000_000_000 })),
    }),
  })
})
after(() => gateway.close())

const text = (body: object, members: string): string => `${JSON.stringify(body).slice(0, -1)},${members}}`
const send = (path: string, key: string, body: string): Promise<Told> =>
  gateway.ask(path, { key, body, headers: { 'content-type': 'application/json' } })

/** It is refused at once, nobody is asked, and nothing stays held. */
async function assertRefused(path: string, body: string, what: string): Promise<void> {
  const { key, accountId } = await gateway.fund({ credit: CREDIT })
  const calls = gateway.upstream.count()
  let bestMs = Infinity
  for (let tries = 0; tries < TRIES && bestMs > ANSWER_MS_MAX; tries++) {
    const startedAt = performance.now()
    const told = await send(path, key, body)
    bestMs = Math.min(bestMs, performance.now() - startedAt)
    assert.equal(told.status, 400, `${what}: ${told.status} ${told.text.slice(0, 300)}`)
  }
  assert.ok(bestMs <= ANSWER_MS_MAX, `${what}: ${bestMs} ms`)
  assert.equal(gateway.upstream.count(), calls, what)
  const { balance, held } = await gateway.account(accountId)
  assert.deepEqual([balance, held], [CREDIT, '0'], what)
}

/** It is served, and while it runs what is held is an amount of at least what it costs. Gives that amount. */
async function assertHeld(path: string, body: string, what: string, credit = CREDIT): Promise<bigint> {
  const { key, accountId } = await gateway.fund({ credit })
  const gate = Promise.withResolvers<void>()
  const calls = gateway.upstream.count()
  gateway.upstream.script({ waitFor: gate.promise })
  const asked = send(path, key, body)
  await gateway.upstream.whenReceived(calls + 1)
  const held = parseUsd((await gateway.account(accountId)).held)!
  gate.resolve()
  const told = await asked
  assert.equal(told.status, 200, `${what}: ${told.text.slice(0, 300)}`)
  const after = await gateway.account(accountId)
  assert.equal(after.held, '0')
  assert.ok(held > 0n && held <= parseUsd(credit)!, `${what}: ${held}`)
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.equal(parseUsd(after.balance), parseUsd(credit)! - parseUsd(row.charged_cost)!)
  return held
}

for (const [name, { path, body, limit, count, tool }] of Object.entries(SURFACES)) {
  suite(`M13: ${name}`, () => {
    test('a limit that is no count is refused', async () => {
      for (const json of NO_LIMITS) await assertRefused(path, text(body, limit!(json)), json)
    })

    test('no tokens are a limit, and null is none', async () => {
      const none = await assertHeld(path, text(body, limit!('0')), 'limit 0')
      const unlimited = await assertHeld(path, text(body, limit!('null')), 'limit null')
      const ten = await assertHeld(path, text(body, limit!('10')), 'limit 10')
      assert.ok(none < ten && ten < unlimited, `${none} ${ten} ${unlimited}`)
    })

    test('the largest limit there is costs more than anybody has, and nobody is asked', async () => {
      const { key, accountId } = await gateway.fund({ credit: CREDIT })
      const calls = gateway.upstream.count()
      const told = await send(path, key, text(body, limit!('2147483647')))
      assert.equal(told.status, 402, told.text)
      assert.equal(gateway.upstream.count(), calls)
      assert.equal((await gateway.account(accountId)).held, '0')
      await assertRefused(path, text(body, limit!('2147483648')), 'one more')
    })

    test('a million answers are refused, and a few are held for each', async () => {
      if (!count) return
      for (const json of NO_COUNTS) await assertRefused(path, text(body, count(json)), json)
      const one = await assertHeld(path, text(body, count('1')), 'one')
      const eight = await assertHeld(path, text(body, count('8')), 'eight')
      assert.ok(eight >= one + 7n * 5n * 15_000n, `${one} and ${eight}`)
    })

    test('a member that decides on money stands once', async () => {
      for (const members of [`${limit!('5')},${limit!('900000')}`, ...(count ? [`${count('1')},${count('9')}`] : [])])
        await assertRefused(path, text(body, members), members)
    })

    test('ten thousand tools are held for by all their bytes, or refused', async () => {
      const tools = JSON.stringify(Array.from({ length: TOOLS }, (_, at) => tool(at)))
      const asked = text(body, `"tools":${tools},${limit!('10')}`)
      const { key, accountId } = await gateway.fund({ credit: '0.1' })
      const calls = gateway.upstream.count()
      const told = await send(path, key, asked)
      assert.equal(told.status, 402, told.text.slice(0, 300))
      assert.equal(gateway.upstream.count(), calls)
      assert.equal((await gateway.account(accountId)).held, '0')
      const held = await assertHeld(path, asked, 'tools', '10')
      assert.ok(held >= BigInt(asked.length) * 3000n, `${held}: no token is shorter than a byte`)
    })
  })
}

suite('M13: what else a request may say', () => {
  test('logprobs change no hold, whatever they are', async () => {
    const { path, body } = SURFACES['chat']!
    const plain = await assertHeld(path, text(body, '"max_tokens":5'), 'plain')
    for (const json of ['5', '1000000', '-1', '1e400', '"5"', 'null']) {
      const { key } = await gateway.fund({ credit: CREDIT })
      const asked = text(body, `"max_tokens":5,"logprobs":true,"top_logprobs":${json}`)
      const told = await send(path, key, asked)
      assert.ok(told.status === 200 || told.status === 400, told.text)
      if (told.status !== 200) continue
      const held = await assertHeld(path, asked, json)
      // By its bytes, and nothing else.
      assert.ok(held - plain <= BigInt(asked.length) * 6000n && held >= plain)
    }
  })

  test('both limits of a chat completion: the larger one is held for', async () => {
    const { path, body } = SURFACES['chat']!
    const low = await assertHeld(path, text(body, '"max_tokens":1,"max_completion_tokens":1'), 'low')
    for (const members of [
      '"max_tokens":1,"max_completion_tokens":5000',
      '"max_tokens":5000,"max_completion_tokens":1',
    ]) {
      const held = await assertHeld(path, text(body, members), members)
      assert.ok(held >= low + 4999n * 15_000n, `${held}`)
    }
  })

  test('embeddings: no limit of output counts, and a batch is held for by its bytes', async () => {
    const one = await assertHeld('/v1/embeddings', JSON.stringify({ model: MODELS.embedding.id, input: 'a' }), 'one')
    const input = Array.from({ length: 2000 }, () => 'some text')
    const many = await assertHeld('/v1/embeddings', JSON.stringify({ model: MODELS.embedding.id, input }), 'many')
    assert.ok(many > one)
  })
})
