import type { Surface } from '#base/protocols.ts'
import { AnswerLosses } from './answer-losses.ts'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Protocol } from '#base/protocols.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { CLIENT_CODECS } from './index.ts'
import type { AnswerContext, ClientCodec } from './translation.ts'

const ANSWER_ID = '01M7WMS0000000000000000000'
/** As upstreams give them: odd, long, repeated, none. */
const GIVEN = [
  'toolu_1',
  'functions.f:0',
  'a b/é',
  `x.${'y'.repeat(98)}`,
  `x_${'y'.repeat(98)}`,
  'f',
  'f',
  'f',
  null,
  '',
]

const BODIES: Readonly<Record<string, object>> = {
  'openai-chat': { model: 'm', messages: [] },
  'openai-responses': { model: 'm', input: 'hi' },
  'anthropic-messages': { model: 'm', max_tokens: 5, messages: [] },
  gemini: { contents: [] },
}
/** What each protocol takes. */
const LEGAL: Readonly<Record<string, RegExp>> = {
  'openai-chat': /^.{1,40}$/s,
  'openai-responses': /^.{1,64}$/s,
  'anthropic-messages': /^[a-zA-Z0-9_-]+$/,
  gemini: /./s,
}

const EVENTS: readonly ChatEvent[] = [
  { type: 'response-start', id: null, model: null, createdAt: null },
  ...GIVEN.flatMap((id, index): ChatEvent[] => [
    { type: 'block-start', index, candidate: 0, block: { type: 'tool-call', id, name: 'f', kind: 'function' } },
    { type: 'block-delta', index, text: '{}' },
    { type: 'block-end', index },
  ]),
  { type: 'finish', candidate: 0, reason: 'tool-calls', raw: null, stopSequence: null },
]

function contextOf(codec: ClientCodec): AnswerContext {
  const requestBody = BODIES[codec.protocol] as Record<string, unknown>
  return {
    id: ANSWER_ID,
    model: 'm',
    createdAt: 0,
    upstream: 'bedrock-converse',
    request: codec.decodeRequest(requestBody, { stream: false }),
    requestBody,
    showsUsage: true,
    isOpenRouter: false,
    losses: new AnswerLosses('bedrock-converse', codec.protocol as Surface),
    costOf: () => null,
  }
}

for (const [protocol, codec] of Object.entries(CLIENT_CODECS) as [Protocol, ClientCodec][]) {
  test(`clients of ${protocol} see the ids that are told beforehand, streamed and whole`, () => {
    const ids = codec.openCallIds(ANSWER_ID)
    const told = GIVEN.map((id, index) => ids.idOf(id, index))
    assert.equal(new Set(told).size, GIVEN.length, 'each is another one')
    assert.deepEqual(
      told.filter((id) => !LEGAL[protocol]!.test(id)),
      [],
    )
    const again = codec.openCallIds(ANSWER_ID)
    assert.deepEqual(
      told.map((id, index) => again.idOf(id, index)),
      told,
      'what it takes stays as it is',
    )
    const encoder = codec.openEncoder(contextOf(codec))
    const stream = EVENTS.map((event) => encoder.push(event)).join('') + encoder.end()
    for (const text of [stream, JSON.stringify(codec.encodeWhole(EVENTS, contextOf(codec)))])
      assert.deepEqual(
        told.filter((id) => !text.includes(JSON.stringify(id))),
        [],
      )
  })
}
