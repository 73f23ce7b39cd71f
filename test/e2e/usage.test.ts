import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { answerNatively } from '#test/upstream/native.ts'
import { type Json, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { SURFACES } from './surfaces.ts'

/** What upstreams report oddly or not at all: nothing is invented, nothing is lost, nothing is negative (R87, R91; faults M6, M8). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const GENERATING = ['chat', 'responses', 'messages', 'gemini', 'openRouter'] as const
type Name = (typeof GENERATING)[number]

const TEXT = 'Twenty-four characters…'
const SOLD = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }

/** Names of the counts of prompt and completion, where usage stands. */
const FIELDS: Readonly<Record<Name, readonly [string, string, string]>> = {
  chat: ['usage', 'prompt_tokens', 'completion_tokens'],
  openRouter: ['usage', 'prompt_tokens', 'completion_tokens'],
  responses: ['usage', 'input_tokens', 'output_tokens'],
  messages: ['usage', 'input_tokens', 'output_tokens'],
  gemini: ['usageMetadata', 'promptTokenCount', 'candidatesTokenCount'],
}

/** Sends one request whose native answer, whole or each event of it, was changed first. */
async function callChanged(
  name: Name,
  streamed: boolean,
  change: (value: Json) => void,
): Promise<{ told: Told; row: Json }> {
  gateway.upstream.script((received) => {
    const native = answerNatively(received, { text: TEXT, sold: SOLD })!
    const changed = (value: Json): Json => {
      change(value)
      return value
    }
    const edit = (frame: string) =>
      frame.replace(/^data: (\{.*)$/m, (_, json: string) => `data: ${JSON.stringify(changed(JSON.parse(json)))}`)
    return native.frames ? { frames: native.frames.map(edit) } : { body: changed(structuredClone(native.body)) }
  })
  const { body, path } = SURFACES[name]
  const target = streamed ? path.replace(':generateContent', ':streamGenerateContent?alt=sse') : path
  const told = await gateway.ask(target, { body: streamed && name !== 'gemini' ? { ...body, stream: true } : body })
  assert.equal(told.status, 200, told.text)
  return { told, row: await gateway.log(told.headers.get('x-request-id')!) }
}

/** Calls `edit` with each usage object of a value; `drop` takes it out. */
function onUsage(name: Name, edit: (usage: Json, drop: () => void) => void): (value: Json) => void {
  const [member] = FIELDS[name]
  return (value) => {
    for (const holder of [value, value.response, value.message])
      if (holder?.[member]) edit(holder[member], () => delete holder[member])
  }
}

for (const streamed of [false, true]) {
  for (const name of GENERATING) {
    describe(`${name}, ${streamed ? 'streamed' : 'whole'}`, () => {
      const [, prompt, completion] = FIELDS[name]

      test('zeros that were reported stay zeros and cost nothing', async () => {
        const { row, told } = await callChanged(
          name,
          streamed,
          onUsage(name, (usage) => {
            for (const key of Object.keys(usage)) if (typeof usage[key] === 'number') usage[key] = 0
          }),
        )
        assert.deepEqual([row.usage_source, row.tokens.input, row.tokens.output], ['upstream', 0, 0])
        assert.equal(row.charged_cost, '0')
        if (!streamed) assert.equal(told.headers.get('x-gateway-cost'), '0')
        assert.equal((await gateway.account(gateway.accountId)).held, '0')
      })

      test('no usage: an estimate from what was delivered, flagged, and no usage is invented in the body', async () => {
        const { row, told } = await callChanged(
          name,
          streamed,
          onUsage(name, (_, drop) => drop()),
        )
        assert.equal(row.usage_source, 'estimated')
        assert.ok(row.tokens.input > 0 && row.tokens.output >= 5 && row.tokens.output < 20, JSON.stringify(row.tokens))
        assert.ok(Number(row.charged_cost) > 0)
        assert.ok(!told.text.includes('"cost"'))
        assert.deepEqual([row.tokens.cache_read, row.tokens.reasoning], [null, null])
      })

      for (const [what, bad] of [
        ['negative', -5],
        ['fractional', 2.5],
        ['beyond 2^53', 1e300],
        ['text', '7'],
      ] as const) {
        test(`a ${what} count is refused: estimated and flagged, never booked as it stands`, async () => {
          for (const member of [prompt, completion]) {
            const { row } = await callChanged(
              name,
              streamed,
              onUsage(name, (usage) => {
                usage[member] = bad
              }),
            )
            assert.equal(row.usage_source, 'estimated', member)
            assert.ok(Number(row.charged_cost) > 0 && Number(row.charged_cost) < 0.01, row.charged_cost)
            assert.ok(row.tokens.input > 0 && row.tokens.output > 0)
          }
        })
      }
    })
  }
}

describe('streams that report usage oddly', () => {
  const frame = (value: object) => `data: ${JSON.stringify(value)}\n\n`
  const chunk = (content: string | null, usage?: object, finish: string | null = null) =>
    frame({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: content === null ? [] : [{ index: 0, delta: { content }, finish_reason: finish }],
      ...(usage && { usage }),
    })
  const counts = (prompt: number, completion: number) => ({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  })
  const stream = async (frames: readonly string[]): Promise<Json> => {
    gateway.upstream.script({ frames })
    const told = await gateway.ask('/v1/chat/completions', { body: { ...SURFACES.chat.body, stream: true } })
    return gateway.log(told.headers.get('x-request-id')!)
  }
  const done = 'data: [DONE]\n\n'

  test('usage that grows on every chunk counts once, as last told', async () => {
    const row = await stream([
      chunk('a', counts(10, 1)),
      chunk('b', counts(10, 2)),
      chunk('', counts(10, 3), 'stop'),
      done,
    ])
    assert.deepEqual([row.tokens.input, row.tokens.output, row.usage_source], [10, 3, 'upstream'])
    assert.equal(row.charged_cost, '0.000075')
  })

  test('the same usage twice counts once; usage before the content counts', async () => {
    const usage = chunk(null, counts(10, 3))
    const twice = await stream([chunk('a', undefined, 'stop'), usage, usage, done])
    assert.deepEqual([twice.tokens.input, twice.tokens.output], [10, 3])
    const early = await stream([usage, chunk('a'), chunk('', undefined, 'stop'), done])
    assert.deepEqual([early.tokens.input, early.tokens.output, early.status], [10, 3, 'ok'])
  })

  test('usage behind [DONE]-less ends and without a finish is still the upstream’s', async () => {
    const row = await stream([chunk('a', undefined, 'stop'), chunk(null, counts(10, 3))])
    assert.deepEqual([row.tokens.output, row.status, row.usage_source], [3, 'ok', 'upstream'])
  })

  test('an answer without any content costs nothing when it ends in an error (R91)', async () => {
    const row = await stream([chunk('', undefined), frame({ error: { message: 'filtered', code: 500 } })])
    assert.equal(row.status, 'upstream_error')
    assert.ok(['0', null].includes(row.charged_cost))
  })
})
