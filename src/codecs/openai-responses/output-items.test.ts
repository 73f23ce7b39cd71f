import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEnvelope } from '#codecs/seal-envelope.ts'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import {
  ANSWER_ID,
  type Body,
  CALL,
  contextOf,
  delta,
  end,
  finish,
  lastOf,
  open,
  START,
  text,
  typesOf,
  write,
} from './testbed.ts'

test('texts and refusals side by side are one message', () => {
  const refusal: ChatEvent[] = [open(1, { type: 'refusal' }), delta(1, 'no'), end(1)]
  const server: ChatEvent[] = [open(2, { type: 'opaque', issuer: 'anthropic-messages', value: {} }), end(2)]
  const { output } = lastOf([START, ...text(0, 'a'), ...refusal, ...server, ...text(3, 'b'), finish('stop')])
  assert.deepEqual(
    output.map(({ content }) => content),
    [
      [
        { type: 'output_text', annotations: [], logprobs: [], text: 'a' },
        { type: 'refusal', refusal: 'no' },
        { type: 'output_text', annotations: [], logprobs: [], text: 'b' },
      ],
    ],
  )
  assert.deepEqual(typesOf([START, ...refusal, finish('stop')]).slice(3, -1), [
    'content_part.added',
    'refusal.delta',
    'refusal.done',
    'content_part.done',
    'output_item.done',
  ])
})

test('citations and probabilities', () => {
  const token = { token: 'a', logprob: -1 }
  const native = { type: 'file_citation', file_id: 'f', filename: 'n', index: 0 }
  const cited = (citation: object): ChatEvent => ({ type: 'block-citation', index: 0, citation })
  const events = write([
    START,
    open(0, { type: 'text' }),
    delta(0, 'abc'),
    { type: 'block-logprobs', index: 0, tokens: [token] },
    cited({ url: 'u', title: 't', startIndex: 1, endIndex: 2 }),
    cited({ url: 'v', citedText: 'x' }),
    cited({ title: 'a book without a place' }),
    cited({ native: { issuer: 'openai-responses', value: native } }),
    end(0),
    finish('stop'),
  ])
  const annotations = [
    { type: 'url_citation', url: 'u', title: 't', start_index: 1, end_index: 2 },
    { type: 'url_citation', url: 'v', title: '', start_index: 0, end_index: 3 },
    native,
  ]
  const added = events.filter(({ type }) => type === 'output_text.annotation.added').map(({ data }) => data)
  assert.deepEqual(
    added.map(({ annotation }) => annotation),
    annotations,
  )
  assert.deepEqual(
    added.map(({ annotation_index: number }) => number),
    [0, 1, 2],
  )
  const deltas = events
    .filter(({ type }) => type === 'output_text.delta')
    .map(({ data }) => [data['delta'], data['logprobs']])
  assert.deepEqual(deltas, [
    ['abc', []],
    ['', [token]],
  ])
  const [item] = (events.at(-1)!.data['response'] as { output: Body[] }).output
  assert.deepEqual(item!['content'], [{ type: 'output_text', annotations, logprobs: [token], text: 'abc' }])
})

test('reasoning is a summary with its parts', () => {
  const head: BlockHead = { type: 'reasoning', id: null, isSummary: false }
  const events: ChatEvent[] = [
    START,
    open(0, head),
    delta(0, 'one'),
    { type: 'block-delta', index: 0, text: 'two', startsPart: true },
    end(0),
    ...text(1, 'a'),
    finish('stop'),
  ]
  assert.deepEqual(typesOf(events).slice(2, 12), [
    'output_item.added',
    'reasoning_summary_part.added',
    'reasoning_summary_text.delta',
    'reasoning_summary_text.done',
    'reasoning_summary_part.done',
    'reasoning_summary_part.added',
    'reasoning_summary_text.delta',
    'reasoning_summary_text.done',
    'reasoning_summary_part.done',
    'output_item.done',
  ])
  const { output } = lastOf(events)
  const summary = [
    { type: 'summary_text', text: 'one' },
    { type: 'summary_text', text: 'two' },
  ]
  assert.deepEqual(output[0], { id: `rs_${ANSWER_ID}_0`, type: 'reasoning', summary })
  assert.equal(output[1]!['id'], `msg_${ANSWER_ID}_1`)
  const native = lastOf(events, contextOf({}, { upstream: 'openai-responses' })).output[0]
  const content = [
    { type: 'reasoning_text', text: 'one' },
    { type: 'reasoning_text', text: 'two' },
  ]
  assert.deepEqual(native, { id: `rs_${ANSWER_ID}_0`, type: 'reasoning', summary: [], content })
})

test('reasoning that the client wants to be spared goes into its seal', () => {
  const seal: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 'S==' }
  const events: ChatEvent[] = [
    START,
    open(0, { type: 'reasoning', id: null, isSummary: false }),
    delta(0, 'sec'),
    delta(0, 'ret'),
    { type: 'block-seal', index: 0, seal },
    end(0),
    ...text(1, 'a'),
    finish('stop'),
  ]
  const body = { reasoning: { effort: 'high', exclude: true } }
  const context = contextOf(body)
  assert.deepEqual(typesOf(events, context).slice(2, 4), ['output_item.added', 'output_item.done'])
  const [item] = lastOf(events, context).output
  assert.deepEqual(item!['summary'], [])
  const carried = openEnvelope(String(item!['encrypted_content']))
  assert.deepEqual(carried, [{ seal, place: 'reasoning', text: 'secret' }])
  const own = contextOf(body, { upstream: 'openai-responses' })
  assert.ok(typesOf(events, own).includes('reasoning_text.delta'))
})

test('seals of this protocol stay what they are, others travel in an envelope', () => {
  const sealed = (seal: Seal): ChatEvent[] => [
    open(0, { type: 'reasoning', id: 'rs_up', isSummary: true }),
    { type: 'block-seal', index: 0, seal },
    end(0),
  ]
  const own: Seal = { issuer: 'openai-responses', kind: 'encrypted', value: 'E==' }
  const native = lastOf([START, ...sealed(own), finish('stop')], contextOf({}, { upstream: 'openai-responses' }))
  assert.deepEqual(native.output, [{ id: 'rs_up', type: 'reasoning', summary: [], encrypted_content: 'E==' }])
  const claude: Seal = { issuer: 'anthropic-messages', kind: 'encrypted', value: 'R==' }
  const [item] = lastOf([START, ...sealed(claude), finish('stop')]).output
  assert.equal(item!['id'], `rs_${ANSWER_ID}_0`)
  assert.deepEqual(openEnvelope(String(item!['encrypted_content'])), [
    { seal: claude, place: 'reasoning', id: 'rs_up' },
  ])
  const gemini: Seal = { issuer: 'gemini', kind: 'signature', value: 'G==' }
  const { output } = lastOf([
    START,
    open(0, { type: 'text' }),
    delta(0, 'a'),
    { type: 'block-seal', index: 0, seal: gemini },
    end(0),
    open(1, { ...CALL, seal: gemini } as BlockHead),
    end(1),
    finish('tool-calls'),
  ])
  assert.deepEqual(
    output.map(({ type }) => type),
    ['message', 'reasoning', 'reasoning', 'function_call'],
  )
  const places = output.slice(1, 3).map((each) => openEnvelope(String(each['encrypted_content']))![0]!.place)
  assert.deepEqual(places, ['text', 'tool-call'])
  assert.deepEqual(
    output.map(({ id }) => String(id).slice(-2)),
    ['_0', '_1', '_2', '_3'],
  )
})

test('calls of functions and custom tools', () => {
  const events: ChatEvent[] = [
    START,
    open(0, { ...CALL, namespace: 'n' } as BlockHead),
    delta(0, '{"a"'),
    delta(0, ':1}'),
    end(0),
    open(1, { type: 'tool-call', id: 'c2', name: 'g', kind: 'custom' }),
    delta(1, 'free'),
    end(1),
    finish('tool-calls'),
  ]
  assert.deepEqual(typesOf(events).slice(2, -1), [
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.delta',
    'function_call_arguments.done',
    'output_item.done',
    'output_item.added',
    'custom_tool_call_input.delta',
    'custom_tool_call_input.done',
    'output_item.done',
  ])
  assert.deepEqual(lastOf(events).output, [
    {
      id: `fc_${ANSWER_ID}_0`,
      type: 'function_call',
      status: 'completed',
      call_id: 'c1',
      name: 'f',
      namespace: 'n',
      arguments: '{"a":1}',
    },
    {
      id: `ctc_${ANSWER_ID}_1`,
      type: 'custom_tool_call',
      status: 'completed',
      call_id: 'c2',
      name: 'g',
      input: 'free',
    },
  ])
})

test('a call has arguments and an id of its own', () => {
  const calls = [null, 'same', 'same', 'x'.repeat(80)].flatMap((id, index) => [
    open(index, { ...CALL, id } as BlockHead),
    end(index),
  ])
  const events = [START, ...calls, finish('tool-calls')]
  const { output } = lastOf(events)
  assert.deepEqual(
    output.map((item) => item['arguments']),
    ['{}', '{}', '{}', '{}'],
  )
  const ids = output.map((item) => String(item['call_id']))
  assert.deepEqual(ids.slice(0, 3), [`call_${ANSWER_ID}_0`, 'same', 'same_2'])
  assert.equal(ids[3]!.length, 64)
  assert.ok(write(events).some(({ data }) => data['delta'] === '{}'))
})

test('images are calls of the image tool, other media have no place', () => {
  const media = (index: number, kind: 'image' | 'audio'): ChatEvent[] => [
    open(index, { type: 'media', kind, mimeType: `${kind}/webp`, data: 'AA==' }),
    end(index),
  ]
  const events = [START, ...media(0, 'image'), ...media(1, 'audio'), finish('stop')]
  assert.deepEqual(typesOf(events).slice(2, -1), [
    'output_item.added',
    'image_generation_call.in_progress',
    'image_generation_call.generating',
    'image_generation_call.completed',
    'output_item.done',
  ])
  assert.deepEqual(lastOf(events).output, [
    {
      id: `ig_${ANSWER_ID}_0`,
      type: 'image_generation_call',
      status: 'completed',
      output_format: 'webp',
      result: 'AA==',
    },
  ])
})

test('opaque items of this protocol are written as they stood, other candidates not at all', () => {
  const item = { type: 'web_search_call', id: 'ws_1', status: 'completed' }
  const { output } = lastOf([
    START,
    open(0, { type: 'opaque', issuer: 'openai-responses', value: item }),
    end(0),
    open(1, { type: 'text' }, 1),
    delta(1, 'second'),
    end(1),
    ...text(2, 'first'),
    finish('stop'),
    { type: 'finish', candidate: 1, reason: 'length', raw: null, stopSequence: null },
  ])
  assert.deepEqual(output[0], item)
  assert.equal(output.length, 2)
})
