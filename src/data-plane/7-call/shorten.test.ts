import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { parsedOf } from '#data-plane/testbed.ts'
import { shorten, SHORTENED_MESSAGES_MAX } from './shorten.ts'

interface Message {
  readonly role: string
  readonly content: string | null
}

const DEPTH = 64
const user = (content: string): Message => ({ role: 'user', content })
const shortened = (messages: readonly object[], tokens: number, rest: object = {}) => {
  const body = JSON.stringify({ model: 'm', ...rest, messages })
  const { parsed, loss } = shorten(parsedOf({ body }), tokens, DEPTH)
  const sent = JSON.parse(parsed.body.toString('utf8'))
  return { sent, messages: sent.messages as Message[], bytes: parsed.body.length, reason: loss.reason, loss }
}
const texts = (messages: readonly Message[]) => messages.map(({ content }) => content)

suite('what becomes of a chat that is too long', () => {
  const numbered = Array.from({ length: 20 }, (_, index) => user(`${index} ${'word '.repeat(20)}`))

  test('its middle is left out; its start, its end and the operator’s words stay', () => {
    const system = { role: 'system', content: 'Be kind.' }
    const { messages, bytes, loss, sent } = shortened([system, ...numbered], 400, { seed: 7 })
    assert.ok(bytes <= 1600, String(bytes))
    assert.deepEqual([messages[0], messages[1], messages.at(-1)], [system, numbered[0], numbered[19]])
    const kept = messages.slice(1).map(({ content }) => parseInt(content!, 10))
    assert.deepEqual(
      kept,
      kept.toSorted((left, right) => left - right),
    )
    assert.ok(kept.length > 8 && kept.length < 14, String(kept))
    // About as many from either end.
    assert.ok(Math.abs(kept.filter((each) => each < 10).length - kept.length / 2) <= 1)
    assert.deepEqual([loss.path, loss.action, sent.seed], ['/messages', 'narrowed', 7])
    assert.match(loss.reason, new RegExp(`${20 - kept.length} messages left out`))
  })

  test('a call stays with its results', () => {
    const call = { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function' }] }
    const result = { role: 'tool', tool_call_id: 'c', content: 'x'.repeat(400) }
    const long = Array.from({ length: 9 }, () => [call, result]).flat()
    const { messages } = shortened([user('first'), ...long, user('last')], 600)
    assert.deepEqual([messages[0]!.content, messages.at(-1)!.content], ['first', 'last'])
    const roles = messages.slice(1, -1).map(({ role }) => role)
    assert.ok(roles.length > 0 && roles.length < 18)
    assert.deepEqual(
      roles,
      roles.map((_, index) => (index % 2 === 0 ? 'assistant' : 'tool')),
    )
  })

  test('one text that is too long is cut in its middle', () => {
    const text = `BEGIN ${'word '.repeat(2000)}END`
    const { messages, bytes, reason } = shortened([user(text), user('short')], 500)
    assert.ok(bytes <= 2000 && bytes > 1900, String(bytes))
    assert.match(messages[0]!.content!, /^BEGIN .* \[\.\.\.\] .*END$/s)
    assert.equal(messages[1]!.content, 'short')
    assert.match(reason, /0 messages left out, one text cut/)
    const { messages: signs, bytes: size } = shortened([user('🚀'.repeat(3000))], 500)
    assert.match(signs[0]!.content!, /^🚀+ \[\.\.\.\] 🚀+$/u)
    assert.ok(size <= 2000 && size > 1900, String(size))
  })

  test('more messages than models take: half from the start, half from the end', () => {
    const many = Array.from({ length: SHORTENED_MESSAGES_MAX + 500 }, (_, index) => user(String(index)))
    const kept = texts(shortened(many, 1_000_000).messages)
    assert.equal(kept.length, SHORTENED_MESSAGES_MAX)
    const half = SHORTENED_MESSAGES_MAX / 2
    assert.deepEqual([kept[half - 1], kept[half]], [String(half - 1), String(many.length - half)])
  })

  test('what cannot be cut is refused', () => {
    const parts = { role: 'user', content: [{ type: 'text', text: 'x'.repeat(9000) }] }
    assert.throws(
      () => shortened([parts], 100),
      (error) => error instanceof GatewayError && error.code === 'context_length_exceeded',
    )
  })
})

test('hundreds of thousands of messages, and texts of nothing but damaged letters, hold nobody up', () => {
  const many = Array.from({ length: 300_000 }, () => user(''))
  const damaged = [user(`${'\ufffd'.repeat(400_000)}x`.repeat(2))]
  const startedAt = performance.now()
  assert.equal(shortened(many, 1_000_000).messages.length, SHORTENED_MESSAGES_MAX)
  const cut = shortened(damaged, 100_000)
  assert.ok(cut.bytes <= 400_000)
  // Cut between letters: what is left of the text was in it before.
  assert.match(cut.messages[0]!.content!, /^\ufffd+ \[\.{3}\] \ufffd+x$/)
  assert.ok(performance.now() - startedAt < BLOCKED_MS_MAX)
})

/** Far above what they take; the square of their number would be minutes. */
const BLOCKED_MS_MAX = 5000
