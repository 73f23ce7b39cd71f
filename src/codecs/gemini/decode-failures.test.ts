import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventText, responseOf, shortly, streamed } from './testbed.ts'
import { geminiUpstream } from './translation.ts'

const stop = { finishReason: 'STOP' }
const whole = (body: unknown) => geminiUpstream.decodeWhole(body, { candidates: 1 })

test('an error inside the stream is a failure with the status it means', () => {
  const { failure, events } = streamed(responseOf([{ text: 'a' }]), {
    error: { code: 503, status: 'UNAVAILABLE', message: 'm' },
  })
  assert.deepEqual(failure, {
    status: 503,
    message: 'm',
    code: 'upstream_error',
    upstreamType: 'UNAVAILABLE',
    upstreamCode: '503',
  })
  assert.deepEqual(shortly(events), ['start 0 text', '0+a'])
})

test('what is no event of Gemini is a failure, and nothing throws', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const deepArgs = `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":${deep}}}}]}}]}`
  for (const frame of [
    'data: {oops\n\n',
    'data: 7\n\n',
    'data: null\n\n',
    '<html><body>busy</body></html>\n\n',
    '{"error": "plain"}\n\n',
    `data: ${deep}\n\n`,
  ]) {
    const { failure, complete } = streamed(frame)
    assert.ok(failure !== null && !complete, frame.slice(0, 40))
  }
  assert.doesNotThrow(() => streamed(`data: ${deepArgs}\n\n`))
  for (const odd of [
    { candidates: 7 },
    { candidates: [null] },
    { candidates: [{ content: { parts: [null, 7, 'x'] } }] },
  ])
    assert.equal(streamed(odd).failure, null)
})

test('nothing is read behind a failure', () => {
  const decoder = geminiUpstream.openDecoder({ candidates: 1 })
  decoder.push(Buffer.from('data: {oops\n\n'))
  assert.deepEqual(decoder.push(Buffer.from(eventText(responseOf([{ text: 'a' }])))), [])
})

test('a whole answer is the same events, complete even without a reason', () => {
  const body = { ...(responseOf([{ text: 'a' }, { functionCall: { name: 'f' } }], stop) as object), responseId: 'r' }
  assert.deepEqual(whole(body), { events: streamed(body).events, failure: null })
  assert.deepEqual(shortly(whole(responseOf([{ text: 'a' }])).events).at(-1), 'finish stop null')
  assert.deepEqual(shortly(whole({ candidates: [], usageMetadata: {} }).events), ['finish stop null'])
  assert.deepEqual(shortly(whole({ promptFeedback: { blockReason: 'OTHER' } }).events), [
    'opaque',
    'finish content-filter blocked:OTHER',
  ])
})

test('a list of responses is the answer that they make together', () => {
  const { events } = whole([responseOf([{ text: 'a' }]), responseOf([{ text: 'b' }], stop)])
  assert.deepEqual(shortly(events), ['start 0 text', '0+a', '0+b', 'end 0', 'finish stop STOP'])
})

test('a whole body that is no answer is a failure', () => {
  for (const body of [null, 7, 'x', {}, [], [[]], { candidates: null }, { model: 'x' }])
    assert.equal(whole(body).failure?.status, 502, JSON.stringify(body))
  assert.equal(whole([{ error: { code: 429, message: 'slow' } }]).failure?.status, 429)
})
