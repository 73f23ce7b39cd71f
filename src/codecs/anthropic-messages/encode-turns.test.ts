import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Block, Seal } from '#ir/blocks.ts'
import { call, encoded, media, messagesOf, OWN, result, text, turn } from './testbed.ts'

const P = 'anthropic-messages'

describe('turns', () => {
  test('system text has one place, and keeps its order', () => {
    const cache = { type: 'ephemeral' }
    const { body, losses } = encoded({
      instructions: [text('a', '/instructions')],
      turns: [
        turn('developer', [text('b', '/messages/0/content')], 0),
        turn('user', [text('hi', '/messages/1/content')], 1),
        turn('system', [text('c', '/messages/2/content/0', { cacheControl: cache })], 2),
        turn('user', [text('there', '/messages/3/content')], 3),
      ],
    })
    assert.deepEqual(body['system'], [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
      { type: 'text', text: 'c', cache_control: cache },
    ])
    assert.deepEqual(body['messages'], [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hi' },
          { type: 'text', text: 'there' },
        ],
      },
    ])
    assert.deepEqual(
      losses.map(({ action, path }) => [action, path]),
      [['rewritten', '/messages/2']],
    )
    assert.equal(encoded({ instructions: [text('a', '/instructions')] }).body['system'], 'a')
  })

  test('text that was one string is one, parts are parts', () => {
    const { messages } = messagesOf(
      turn('user', [text('hi')]),
      turn('assistant', [text('a', '/messages/1/content/0')]),
      turn('user', [text('b', '/messages/2/content', { cacheControl: { type: 'ephemeral' } })]),
    )
    assert.deepEqual(messages, [
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: [{ type: 'text', text: 'a' }] },
      { role: 'user', content: [{ type: 'text', text: 'b', cache_control: { type: 'ephemeral' } }] },
    ])
  })

  test('the results of parallel calls share a turn, before the words of the user', () => {
    const { messages, losses } = messagesOf(
      turn('user', [text('go')]),
      turn('assistant', [text('ok', '/x/0'), call('c.1')], 1),
      turn('assistant', [call('c_2', { arguments: '' })], 2),
      turn('user', [text('quick', '/x/1')], 3),
      turn('tool', [result('c_2', [text('2', '/messages/4/content')], { isError: true })], 4),
      turn('tool', [result('c.1', [], { isError: false })], 5),
    )
    const [, assistant, user] = messages as { content: Record<string, unknown>[] }[]
    const [, first, second] = assistant!.content
    assert.match(String(first!['id']), /^c_1_[0-9a-f]{8}$/)
    assert.deepEqual([first!['input'], second!['input'], second!['id']], [{ a: 1 }, {}, 'c_2'])
    assert.deepEqual(user!.content, [
      { type: 'tool_result', tool_use_id: 'c_2', content: '2', is_error: true },
      { type: 'tool_result', tool_use_id: first!['id'], is_error: false },
      { type: 'text', text: 'quick' },
    ])
    assert.equal((messages as unknown[]).length, 3)
    assert.deepEqual(losses, ['rewritten /x/1'])
  })

  test('text that the API refuses is left out, with its turn', () => {
    const { messages, losses } = messagesOf(
      turn('user', [text('a')]),
      turn('assistant', [text('', '/messages/1/content')], 1),
      turn('user', [text('', '/2/0'), text(' \n', '/2/1'), text('b', '/2/2')], 2),
      turn('assistant', [text('', '/3/0', { cacheControl: {} }), call('c')], 3),
      turn('tool', [result('c', [text('', '/4/content')])], 4),
      turn('tool', [result('c', [text('', '/5/content/0'), text(' ', '/5/content/1')])], 5),
    )
    assert.deepEqual(messages, [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'f', input: { a: 1 } }] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'c', content: '' },
          { type: 'tool_result', tool_use_id: 'c', content: [{ type: 'text', text: ' ' }] },
        ],
      },
    ])
    assert.deepEqual(losses, ['dropped /2/1', 'dropped /3/0'])
  })

  test('a begun answer does not end in white space', () => {
    const { messages, losses } = messagesOf(
      turn('user', [text('a')]),
      turn('assistant', [text('So: \n', '/p/content')], 1),
    )
    assert.deepEqual((messages as unknown[])[1], { role: 'assistant', content: 'So:' })
    assert.deepEqual(losses, ['rewritten /p/content'])
  })

  test('names, refusals, foreign members and foreign blocks', () => {
    const { messages, losses } = messagesOf(
      { ...turn('user', [text('a', '/0/0', { ext: { 'openai-chat': { x: 1 } } })]), name: 'Ann' },
      {
        ...turn('assistant', [
          { type: 'refusal', text: 'No.', path: '/1/0' },
          { type: 'opaque', issuer: 'gemini', value: { executableCode: {} }, path: '/1/1' },
          { type: 'opaque', issuer: P, value: { type: 'compaction', content: 'c' }, path: '/1/2' },
          text('b', '/1/3', { citations: [{ url: 'https://a.test' }] }),
          media({ kind: 'image', source: { type: 'url', mimeType: null, url: 'https://a.test' }, path: '/1/4' }),
        ]),
        ext: { 'openai-responses': { phase: 'x' } },
      },
    )
    assert.deepEqual((messages as unknown[])[1], {
      role: 'assistant',
      content: [
        { type: 'text', text: 'No.' },
        { type: 'compaction', content: 'c' },
        { type: 'text', text: 'b' },
      ],
    })
    assert.deepEqual(losses, [
      'dropped /messages/0/name',
      'dropped /0/0/x',
      'dropped /messages/0/phase',
      'dropped /1/1',
      'dropped /1/3',
      'dropped /1/4',
    ])
  })

  test('calls and results without ids are paired, repeated ids told apart', () => {
    const { messages } = messagesOf(
      turn('assistant', [call(null, { name: 'g' }), call(null, { name: 'f' })]),
      turn('user', [result(null, [], { name: 'f' }), result(null, [], { name: 'g' })]),
      turn('assistant', [call('c')]),
      turn('user', [result('c', [])]),
      turn('assistant', [call('c')]),
      turn('user', [result('c', [])]),
    )
    const ids = (messages as { content: { id?: string; tool_use_id?: string }[] }[]).flatMap(({ content }) =>
      content.map((block) => block.id ?? block.tool_use_id),
    )
    assert.deepEqual(ids, ['call_0', 'call_1', 'call_1', 'call_0', 'c', 'c', 'c_2', 'c_2'])
  })

  test('arguments that are no object, and free text, are told inside one', () => {
    const { messages, losses } = messagesOf(
      turn('assistant', [
        call('a', { arguments: '{"x":', path: '/c/0' }),
        call('b', { arguments: '{"x"', kind: 'custom', path: '/c/1' }),
        call('c', { arguments: '{"__invalid_json":"y"}', path: '/c/2' }),
      ]),
    )
    const inputs = (messages as { content: { input: unknown }[] }[])[0]!.content.map(({ input }) => input)
    assert.deepEqual(inputs, [{ __invalid_json: '{"x":' }, { input: '{"x"' }, { __invalid_json: 'y' }])
    assert.deepEqual(losses.slice(0, 1), ['emulated /c/0'])
  })
})

describe('seals', () => {
  test('the API’s own go back as they came, all others stay away', () => {
    const reasoning = (seal: Seal | null, words: string, path: string): Block => ({
      type: 'reasoning',
      text: words,
      seal,
      id: null,
      path,
    })
    const foreign: Seal = { issuer: 'bedrock-converse', kind: 'signature', value: 'B==' }
    const { messages, losses } = messagesOf(
      turn('assistant', [
        reasoning(OWN, 'hm', '/0'),
        reasoning({ ...OWN, kind: 'encrypted', value: 'D==' }, '', '/1'),
        reasoning(OWN, '', '/2'),
        reasoning(foreign, 'foreign', '/3'),
        reasoning(null, 'unsigned', '/4'),
        text('a', '/5', { seal: { ...foreign, issuer: 'gemini' } }),
        call('c', { seal: foreign, path: '/6' }),
      ]),
    )
    assert.deepEqual(messages, [
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'S==' },
          { type: 'redacted_thinking', data: 'D==' },
          { type: 'thinking', thinking: '', signature: 'S==' },
          { type: 'text', text: 'a' },
          { type: 'tool_use', id: 'c', name: 'f', input: { a: 1 } },
        ],
      },
    ])
    assert.deepEqual(losses, ['dropped /3', 'dropped /4', 'dropped /5', 'dropped /6'])
    assert.doesNotMatch(JSON.stringify(messages), /foreign|unsigned|B==/)
  })
})
