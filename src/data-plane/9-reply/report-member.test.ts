import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyEdits } from '#wire/splice.ts'
import { closingWithReport, hasReportMember, reportEdits, responseReportEdits } from './report-member.ts'

const REPORT = '{"warnings":[]}'

const added = (text: string) => applyEdits(Buffer.from(text), reportEdits(Buffer.from(text), REPORT)).toString()

test('a body gets one more member', () => {
  assert.equal(added('{"a":{"b":"}"}}\n'), `{"a":{"b":"}"},"trivium":${REPORT}}\n`)
  assert.equal(added('{ }'), `{ "trivium":${REPORT}}`)
  assert.equal(added('[1]'), '[1]')
  assert.equal(added('data: {"id":"x"}\n\n'), `data: {"id":"x","trivium":${REPORT}}\n\n`)
})

test('the response object of an event gets it, and an event without one does not', () => {
  const edited = (text: string) =>
    applyEdits(Buffer.from(text), responseReportEdits(Buffer.from(text), REPORT)).toString()
  const event = (tail: string) =>
    `event: response.completed\ndata: {"response": {"id":"r","output":[]${tail}},"type":"response.completed"}\n\n`
  assert.equal(edited(event('')), event(`,"trivium":${REPORT}`))
  assert.equal(edited('data: {"type":"response.completed"}\n\n'), 'data: {"type":"response.completed"}\n\n')
})

test('of the last events the last one that says something', () => {
  const chat = 'data: {"choices":[{}]}\n\ndata: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\n'
  assert.equal(
    closingWithReport('openai-chat', Buffer.from(chat), REPORT).toString(),
    chat.replace('"usage":{}', `"usage":{},"trivium":${REPORT}`),
  )
  const item = 'event: x\ndata: {"response":{}}\n\n'
  const done = 'event: response.completed\ndata: {"type":"response.completed","response":{"a":1}}\n\n'
  assert.equal(
    closingWithReport('openai-responses', Buffer.from(item + done), REPORT).toString(),
    item + done.replace('"a":1', `"a":1,"trivium":${REPORT}`),
  )
  assert.equal(closingWithReport('gemini', Buffer.from(done), REPORT).toString(), done)
})

test('Messages and Gemini stay native', () => {
  const surfaces = ['openai-chat', 'openai-responses', 'openai-embeddings', 'anthropic-messages', 'gemini'] as const
  assert.deepEqual(surfaces.map(hasReportMember), [true, true, true, false, false])
})
