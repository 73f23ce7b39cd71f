import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { messagesClient } from './translation.ts'
import { refusesSampling } from './versions.ts'

const NEW = '2026-10-21'
const decode = (body: object, version?: string) =>
  messagesClient.decodeRequest({ messages: [], ...body }, { stream: false, version })

function refused(body: object, param: string): void {
  assert.throws(
    () => decode(body, NEW),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error))
      assert.deepEqual([error.status, error.details.param], [400, param])
      assert.equal(error.message, `${param}: Extra inputs are not permitted`)
      return true
    },
  )
  for (const version of [undefined, '2023-06-01', '2026-10-20', 'latest', '']) decode(body, version)
}

test('the version of 2026-10-21 and those after it refuse sampling', () => {
  for (const version of [undefined, '', '2023-01-01', '2023-06-01', '2026-10-20', 'z', '2026-10-21x'])
    assert.equal(refusesSampling(version), false, String(version))
  for (const version of [NEW, '2027-01-01']) assert.equal(refusesSampling(version), true, version)
})

test('sampling values are refused there, at their defaults too', () => {
  refused({ temperature: 1 }, 'temperature')
  refused({ temperature: 0 }, 'temperature')
  refused({ top_p: 0.9 }, 'top_p')
  refused({ top_k: 5 }, 'top_k')
  decode({ temperature: null }, NEW)
})

test('documents of the assistant and citations of the user are refused there', () => {
  const document = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a' } }
  const text = { type: 'text', text: 'a' }
  const messages = (role: string, ...content: object[]) => ({
    messages: [
      { role: 'user', content: 'hi' },
      { role, content },
    ],
  })
  refused(messages('assistant', text, document), 'messages.1.content.1')
  refused(messages('user', { ...text, citations: [{ type: 'char_location' }] }), 'messages.1.content.0.citations')
  for (const taken of [
    messages('user', document, text),
    messages('user', { ...text, citations: [] }, { ...text, citations: null }),
    messages('assistant', { ...text, citations: [{ type: 'char_location' }] }),
  ])
    decode(taken, NEW)
})
