import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Surface } from '#base/protocols.ts'
import { findLoop, LOOP_BODY_BYTES_MAX } from './agent-loop.ts'

const K = 5
const find = (surface: Surface, body: object) => findLoop(surface, Buffer.from(JSON.stringify(body)), K)
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))

type Call = readonly [name: string, args: Record<string, unknown>]

/** A conversation in each protocol: somebody speaks, then the agent calls its tools one after the other. */
const CONVERSATIONS: Readonly<Partial<Record<Surface, (user: string, calls: readonly Call[]) => object>>> = {
  'openai-chat': (user, calls) => ({
    messages: [
      { role: 'user', content: user },
      ...calls.flatMap(([name, args], at) => [
        { role: 'assistant', tool_calls: [{ id: `c${at}`, function: { name, arguments: JSON.stringify(args) } }] },
        { role: 'tool', tool_call_id: `c${at}`, content: String(at) },
      ]),
    ],
  }),
  'openai-responses': (user, calls) => ({
    input: [
      { role: 'user', content: user },
      ...calls.flatMap(([name, args], at) => [
        { type: 'function_call', call_id: `c${at}`, name, arguments: JSON.stringify(args) },
        { type: 'function_call_output', call_id: `c${at}`, output: String(at) },
      ]),
    ],
  }),
  'anthropic-messages': (user, calls) => ({
    messages: [
      { role: 'user', content: user },
      ...calls.flatMap(([name, input], at) => [
        {
          role: 'assistant',
          content: [
            { type: 'text', text: String(at) },
            { type: 'tool_use', id: `c${at}`, name, input },
          ],
        },
        // Harnesses put words of their own beside results.
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: `c${at}` },
            { type: 'text', text: 'go on' },
          ],
        },
      ]),
    ],
  }),
  gemini: (user, calls) => ({
    contents: [
      { role: 'user', parts: [{ text: user }] },
      ...calls.flatMap(([name, args]) => [
        { role: 'model', parts: [{ functionCall: { name, args } }] },
        { role: 'user', parts: [{ functionResponse: { name, response: {} } }] },
      ]),
    ],
  }),
}

const same = (at: number): Call => ['read', at % 2 === 0 ? { path: 'a', lines: [1, 2] } : { lines: [1, 2], path: 'a' }]

for (const [surface, conversation] of Object.entries(CONVERSATIONS) as [
  Surface,
  (typeof CONVERSATIONS)['gemini'] & {},
][]) {
  test(`B14: ${surface}: so many identical tool calls in a row are a loop, whatever the order of their arguments`, () => {
    assert.equal(find(surface, conversation('go', times(4, same))), null)
    assert.deepEqual(find(surface, conversation('go', times(5, same))), { of: 'tool calls', times: 5 })
    assert.deepEqual(find(surface, conversation('go', times(7, same))), { of: 'tool calls', times: 7 })
    const other: Call = ['read', { path: 'b', lines: [1, 2] }]
    assert.equal(find(surface, conversation('go', [...times(9, same), other])), null, 'it went on')
    assert.equal(find(surface, conversation('go', [...times(3, same), other, ...times(4, same)])), null)
    assert.equal(
      find(
        surface,
        conversation(
          'go',
          times(9, (at) => ['read', { lines: [2, 1], at }]),
        ),
      ),
      null,
    )
    assert.equal(
      find(
        surface,
        conversation(
          'go',
          times(9, (at) => [`read_${at % 2}`, {}]),
        ),
      ),
      null,
    )
  })
}

test('B14: so many identical turns of the user in a row are a loop; one who asks again begins anew', () => {
  const user = (content: unknown) => ({ role: 'user', content })
  const answer = { role: 'assistant', content: 'no' }
  const turns = (count: number) => times(count, () => [user('again'), answer]).flat()
  assert.deepEqual(find('openai-chat', { messages: turns(5) }), { of: 'user turns', times: 5 })
  assert.equal(find('openai-chat', { messages: turns(4) }), null)
  assert.equal(find('openai-chat', { messages: [...turns(9), user('please')] }), null)
  const call = { role: 'assistant', tool_calls: [{ function: { name: 'test', arguments: '{}' } }] }
  const asked = times(8, (at) => [user(`run them, ${at}`), call]).flat()
  assert.equal(find('openai-chat', { messages: asked }), null, 'somebody wanted each of the calls')
})

test('B14: what is no conversation is no loop, and a long body is not searched', () => {
  for (const body of [
    {},
    { messages: 'x' },
    { messages: [null, 1, 'x', []] },
    { messages: [{ tool_calls: [null, {}] }] },
  ]) {
    assert.equal(find('openai-chat', body), null)
  }
  assert.equal(find('openai-responses', { input: 'hi' }), null)
  assert.equal(find('openai-embeddings', { input: 'hi' }), null)
  const text = JSON.stringify(CONVERSATIONS['openai-chat']!('go', times(5, same)))
  assert.notEqual(findLoop('openai-chat', Buffer.from(text.padEnd(LOOP_BODY_BYTES_MAX)), K), null)
  assert.equal(findLoop('openai-chat', Buffer.from(text.padEnd(LOOP_BODY_BYTES_MAX + 1)), K), null)
})
