import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '#ir/collect.ts'
import { chatUpstream } from './translation.ts'

const answer = (message: object, choice: object = {}, rest: object = {}) => ({
  id: 'c',
  object: 'chat.completion',
  created: 7,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...choice }],
  ...rest,
})

const read = (body: unknown, candidates = 1) => chatUpstream.decodeWhole(body, { candidates })
const blocksOf = (body: unknown, candidates = 1) =>
  collect(read(body, candidates).events).candidates.map(({ blocks }) =>
    blocks.map(({ head, text }) =>
      head.type === 'tool-call' ? `${head.id} ${head.name} ${text}` : `${head.type} ${text}`,
    ),
  )

test('a whole answer is the same events at once', () => {
  const { events, failure } = read(
    answer(
      {
        content: 'x',
        reasoning_content: 'hm',
        refusal: '',
        annotations: [],
        tool_calls: [
          { id: 'a', index: 0, type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
          { id: 'b', index: 0, type: 'function', function: { name: 'g', arguments: '' } },
        ],
        padding: 'p',
      },
      { logprobs: { content: [{ token: 'x' }], reasoning_content: [{ token: 'h' }] } },
      { system_fingerprint: 'fp', service_tier: null },
    ),
  )
  assert.equal(failure, null)
  const own = (value: object) => ({ type: 'opaque', issuer: 'openai-chat', value })
  const call = { type: 'tool-call', kind: 'function' }
  assert.deepEqual(events, [
    { type: 'response-start', id: 'c', model: 'm', createdAt: 7 },
    { type: 'block-start', index: 0, candidate: 0, block: { type: 'reasoning', id: null, isSummary: false } },
    { type: 'block-delta', index: 0, text: 'hm' },
    { type: 'block-logprobs', index: 0, tokens: [{ token: 'h' }] },
    { type: 'block-end', index: 0 },
    { type: 'block-start', index: 1, candidate: 0, block: { type: 'text' } },
    { type: 'block-delta', index: 1, text: 'x' },
    { type: 'block-logprobs', index: 1, tokens: [{ token: 'x' }] },
    { type: 'block-end', index: 1 },
    { type: 'block-start', index: 2, candidate: 0, block: { ...call, id: 'a', name: 'f' } },
    { type: 'block-delta', index: 2, text: '{"x":1}' },
    { type: 'block-end', index: 2 },
    { type: 'block-start', index: 3, candidate: 0, block: { ...call, id: 'b', name: 'g' } },
    own({ choices: [{ index: 0, message: { padding: 'p' } }] }),
    own({ system_fingerprint: 'fp' }),
    { type: 'block-end', index: 3 },
    { type: 'finish', candidate: 0, reason: 'tool-calls', raw: 'stop', stopSequence: null },
  ])
})

test('what is nothing is no block', () => {
  const empty = {
    function_call: { name: '', arguments: '' },
    audio: { id: '', data: '', expires_at: null },
    tool_calls: null,
  }
  assert.deepEqual(blocksOf(answer({ content: '', ...empty })), [[]])
  assert.deepEqual(blocksOf(answer({ content: null, function_call: { name: 'f', arguments: '{}' } })), [['null f {}']])
})

test('Copilot’s two choices are one answer, and two that were asked for are two', () => {
  const two = {
    choices: [
      { index: 0, message: { content: 'a' }, finish_reason: 'stop' },
      { message: { tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{}' } }] }, finish_reason: 'tool_calls' },
    ],
  }
  assert.deepEqual(blocksOf(two), [['text a', 'a f {}']])
  assert.deepEqual(blocksOf(two, 2), [['text a'], ['a f {}']])
})

test('a finish that is empty, missing or told elsewhere', () => {
  const finishOf = (choice: object) => collect(read(answer({ content: 'a' }, choice)).events).candidates[0]!.finish
  assert.deepEqual(finishOf({ finish_reason: '' })?.raw, '')
  assert.deepEqual(finishOf({ finish_reason: null })?.reason, 'stop')
  assert.deepEqual(finishOf({ finish_reason: null, finish_details: { type: 'max_tokens' } })?.reason, 'length')
  assert.deepEqual(finishOf({ finish_reason: 7 })?.raw, '7')
})

test('sources and details of a whole message', () => {
  const annotation = { type: 'url_citation', url_citation: { url: 'u', title: 't', start_index: 0, end_index: 1 } }
  const details = [{ type: 'reasoning.encrypted', data: 'd', format: 'openai-responses-v1', index: 0 }]
  const body = answer({ content: 'x', annotations: [annotation], reasoning_details: details })
  const [sealed, text] = collect(read(body).events).candidates[0]!.blocks
  assert.equal(sealed!.seal?.value, JSON.stringify(details))
  assert.deepEqual(text!.citations, [
    { url: 'u', title: 't', startIndex: 0, endIndex: 1, native: { issuer: 'openai-chat', value: annotation } },
  ])
})

test('a 200 that is no answer', () => {
  const failureOf = (body: unknown) => read(body).failure
  assert.deepEqual(failureOf({ error: { message: 'filtered', code: 'content_filter', status: 400 } }), {
    status: 502,
    message: 'filtered',
    code: 'upstream_error',
    upstreamCode: 'content_filter',
  })
  assert.equal(failureOf(answer({}, { error: { message: 'gone', code: 429 } }))?.status, 429)
  for (const body of [null, [], 'x', {}, { choices: [] }, { choices: null }, { choices: [1] }])
    assert.equal(failureOf(body)?.code, 'upstream_bad_response', JSON.stringify(body))
})
