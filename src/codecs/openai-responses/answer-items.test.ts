import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '#ir/collect.ts'
import { added, call, completed, CREATED, done, finishOf, message, say, streamed, told, whole } from './testbed.ts'

test('what the deltas did not tell is told once', () => {
  const output = [message('Hello'), call('{"a":1}')]
  const expected = [
    ['text', 'Hello'],
    ['f', '{"a":1}'],
  ]
  const args = (type: string, more: object) => ({
    type: `response.function_call_arguments.${type}`,
    output_index: 1,
    ...more,
  })
  const forms: unknown[][] = [
    [CREATED, completed(output)],
    [done(0, message('Hello')), done(1, call('{"a":1}')), completed(output)],
    [done(0, message('Hello')), done(1, call('{"a":1}')), completed([])],
    [say(0, 'Hel'), done(0, message('Hello')), added(1, call('')), args('delta', { delta: '{"a"' }), completed(output)],
    [
      say(0, 'Hel'),
      say(0, 'lo'),
      added(1, call('')),
      args('done', { arguments: '{"a":1}' }),
      completed(output),
      completed(output),
    ],
    // The ids and numbers of another host.
    [say(3, 'Hello'), added(7, call('', 'x')), done(7, call('{"a":1}', 'y')), completed(output)],
  ]
  for (const form of forms) {
    const { events, decoder } = streamed(...form)
    assert.deepEqual(told(events), expected)
    assert.deepEqual(finishOf(events), ['tool-calls', 'completed'])
    assert.equal(decoder.failure, null)
  }
  const parted = streamed(say(0, 'abc'), done(0, message('other')))
  assert.deepEqual(told(parted.events).map(String), ['text,abc'])
})

test('parts of a message are blocks of their own', () => {
  const { events } = streamed(
    say(0, 'a'),
    { type: 'response.refusal.delta', output_index: 0, content_index: 1, delta: 'n' },
    { type: 'response.refusal.done', output_index: 0, content_index: 1, refusal: 'no' },
    completed([
      {
        type: 'message',
        content: [
          { type: 'output_text', text: 'a' },
          { type: 'refusal', refusal: 'no' },
        ],
      },
    ]),
  )
  assert.deepEqual(told(events).map(String), ['text,a', 'refusal,no'])
  assert.deepEqual(finishOf(events), ['stop', 'completed'])
})

test('annotations and probabilities', () => {
  const annotation = (url: string) => ({ type: 'url_citation', url, title: 't', start_index: 0, end_index: 1 })
  const token = { token: 'a', logprob: -1, top_logprobs: [] }
  const { events } = streamed(
    say(0, 'a', { logprobs: [token] }),
    { type: 'response.output_text.annotation.added', output_index: 0, content_index: 0, annotation: annotation('u') },
    done(0, message('a', { annotations: [annotation('u'), annotation('v')], logprobs: [token] })),
    completed([message('a', { annotations: [annotation('u'), annotation('v')], logprobs: [token] })]),
  )
  const [block] = collect(events).candidates[0]!.blocks
  assert.deepEqual(block!.logprobs, [token])
  assert.deepEqual(
    block!.citations.map(({ url, startIndex, endIndex, native }) => [url, startIndex, endIndex, native?.value]),
    [
      ['u', 0, 1, annotation('u')],
      ['v', 0, 1, annotation('v')],
    ],
  )
  const file = { type: 'file_citation', file_id: 'f', filename: 'a.txt', index: 3 }
  const all = whole({ status: 'completed', output: [message('a', { annotations: [file], logprobs: [token] })] })
  assert.deepEqual(collect(all.events).candidates[0]!.blocks[0]!.citations, [
    { title: 'a.txt', native: { issuer: 'openai-responses', value: file } },
  ])
})

test('summaries keep their parts, seals come last', () => {
  const summary = (type: string, summary_index: number, more: object) => ({
    type: `response.reasoning_summary_${type}`,
    output_index: 0,
    summary_index,
    ...more,
  })
  const item = {
    type: 'reasoning',
    id: 'rs_1',
    summary: [
      { type: 'summary_text', text: 'one' },
      { type: 'summary_text', text: 'two' },
    ],
    encrypted_content: 'final',
  }
  const { events } = streamed(
    added(0, { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'unfinished' }),
    summary('part.added', 0, { part: { type: 'summary_text', text: '' } }),
    summary('text.delta', 0, { delta: 'o' }),
    summary('text.delta', 0, { delta: 'n' }),
    summary('text.done', 0, { text: 'one' }),
    summary('text.delta', 1, { delta: 'tw' }),
    done(0, item),
    completed([item]),
  )
  assert.deepEqual(
    events.filter(({ type }) => type.startsWith('block')),
    [
      { type: 'block-start', index: 0, candidate: 0, block: { type: 'reasoning', id: 'rs_1', isSummary: true } },
      { type: 'block-delta', index: 0, text: 'o' },
      { type: 'block-delta', index: 0, text: 'n' },
      { type: 'block-delta', index: 0, text: 'e' },
      { type: 'block-delta', index: 0, text: 'tw', startsPart: true },
      { type: 'block-delta', index: 0, text: 'o' },
      { type: 'block-seal', index: 0, seal: { issuer: 'openai-responses', kind: 'encrypted', value: 'final' } },
      { type: 'block-end', index: 0 },
    ],
  )
  assert.deepEqual(told(whole({ output: [item] }).events), [['reasoning', 'one', 'two', 'seal:final']])
})

test('reasoning in its own words, encrypted alone, and known by its id alone', () => {
  const content = (delta: string) => ({
    type: 'response.reasoning_text.delta',
    output_index: 0,
    content_index: 0,
    delta,
  })
  const item = { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'raw' }] }
  const { events } = streamed(content('r'), content('a'), done(0, item), completed([item]))
  assert.deepEqual(told(events), [['reasoning', 'raw']])
  assert.deepEqual(collect(events).candidates[0]!.blocks[0]!.head, { type: 'reasoning', id: null, isSummary: false })
  const both = { ...item, summary: [{ type: 'summary_text', text: 'short' }] }
  assert.deepEqual(told(whole({ output: [both] }).events), [['reasoning', 'short']])
  assert.deepEqual(told(streamed(content('raw'), done(0, both)).events), [['reasoning', 'raw']])
  const sealed = { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'E' }
  assert.deepEqual(told(whole({ output: [sealed] }).events), [['reasoning', 'seal:E']])
  const bare = { type: 'reasoning', id: 'rs_3', summary: [] }
  assert.deepEqual(collect(whole({ output: [bare] }).events).candidates[0]!.blocks[0]!.head, {
    type: 'opaque',
    issuer: 'openai-responses',
    value: bare,
  })
})

test('reasoning that is finished after the answer keeps its seal', () => {
  const reasoning = { type: 'reasoning', id: 'rs_1', summary: [{ text: 'why' }], encrypted_content: 'E' }
  const { events } = streamed(
    added(0, { type: 'reasoning', id: 'rs_1' }),
    { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'why' },
    added(1, { type: 'message', id: 'msg_1' }),
    say(1, 'a'),
    done(1, message('a')),
    done(0, reasoning),
    completed([reasoning, message('a')]),
  )
  assert.deepEqual(told(events), [
    ['reasoning', 'why'],
    ['text', 'a'],
    ['reasoning', 'seal:E'],
  ])
})

test('calls of functions and custom tools', () => {
  const custom = { type: 'custom_tool_call', id: 'ctc_1', call_id: 'c2', name: 'g', input: 'SELECT 1' }
  const { events } = streamed(
    added(0, { ...call(''), namespace: 'n' }),
    { type: 'response.function_call_arguments.delta', output_index: 0, delta: '{}' },
    done(0, call('{}')),
    added(1, { ...custom, input: '' }),
    { type: 'response.custom_tool_call_input.delta', output_index: 1, delta: 'SELECT ' },
    { type: 'response.custom_tool_call_input.done', output_index: 1, input: 'SELECT 1' },
    done(1, custom),
    completed([]),
  )
  const [first, second] = collect(events).candidates[0]!.blocks
  assert.deepEqual(
    [first!.head, first!.text],
    [{ type: 'tool-call', id: 'call_fc_1', name: 'f', kind: 'function', itemId: 'fc_1', namespace: 'n' }, '{}'],
  )
  assert.deepEqual(
    [second!.head, second!.text],
    [{ type: 'tool-call', id: 'c2', name: 'g', kind: 'custom', itemId: 'ctc_1' }, 'SELECT 1'],
  )
})

test('calls that are told side by side come one after the other', () => {
  const side = streamed(
    added(0, call('', 'a')),
    added(1, call('', 'b')),
    done(0, call('1', 'a')),
    done(1, call('2', 'b')),
  )
  assert.deepEqual(told(side.events), [
    ['f', '1'],
    ['f', '2'],
  ])
  const args = (output_index: number, delta: string) => ({
    type: 'response.function_call_arguments.delta',
    output_index,
    delta,
  })
  const mixed = streamed(added(0, call('', 'a')), args(0, '1'), added(1, call('', 'b')), args(1, '2'), args(0, '3'))
  assert.equal(mixed.decoder.failure?.code, 'upstream_bad_response')
  const late = streamed(
    added(0, call('', 'a')),
    args(0, '1'),
    added(1, call('', 'b')),
    args(1, '2'),
    done(0, call('1', 'a')),
  )
  assert.equal(late.decoder.failure, null)
})

test('images become media, what the provider ran itself stays as it stood', () => {
  const image = { type: 'image_generation_call', id: 'ig_1', result: 'UklGRg==', output_format: 'webp' }
  const search = { type: 'web_search_call', id: 'ws_1', status: 'completed' }
  const items = [
    image,
    { ...image, output_format: undefined, result: '/9j/' },
    { ...image, result: null },
    search,
    { type: 'odd' },
  ]
  const { events } = streamed(added(0, image), done(0, image), added(3, search), done(3, search), completed(items))
  assert.deepEqual(
    collect(events).candidates[0]!.blocks.map(({ head }) => head),
    [
      { type: 'media', kind: 'image', mimeType: 'image/webp', data: 'UklGRg==' },
      { type: 'opaque', issuer: 'openai-responses', value: search },
      { type: 'media', kind: 'image', mimeType: 'image/jpeg', data: '/9j/' },
      { type: 'opaque', issuer: 'openai-responses', value: { ...image, result: null } },
      { type: 'opaque', issuer: 'openai-responses', value: { type: 'odd' } },
    ],
  )
  assert.deepEqual(finishOf(events), ['stop', 'completed'])
})
