import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import { openEnvelope } from '#codecs/seal-envelope.ts'
import { contextOf, decodeStream, requestOf } from './testbed.ts'
import { chatClient, chatUpstream } from './translation.ts'

interface Told {
  readonly text?: string
  readonly seal?: Seal
  readonly more?: readonly ChatEvent[]
}

/** The events of blocks, in their order. */
function blocks(...list: readonly (readonly [BlockHead, Told])[]): ChatEvent[] {
  return list.flatMap(([block, { text, seal, more }], index): ChatEvent[] => [
    { type: 'block-start', index, candidate: 0, block },
    ...(text === undefined ? [] : [{ type: 'block-delta', index, text } as const]),
    ...(more ?? []),
    ...(seal ? [{ type: 'block-seal', index, seal } as const] : []),
    { type: 'block-end', index },
  ])
}

const finish = (reason: 'stop' | 'error' | 'tool-calls', raw: string | null = null): ChatEvent => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw,
  stopSequence: null,
})

const TEXT: BlockHead = { type: 'text' }
const reasoning = (id: string | null = null): BlockHead => ({ type: 'reasoning', id, isSummary: false })
const call = (id: string | null, some: object = {}): BlockHead => ({
  type: 'tool-call',
  id,
  name: 'f',
  kind: 'function',
  ...some,
})

const write = (events: readonly ChatEvent[], some: Partial<AnswerContext> = {}) =>
  JSON.parse(JSON.stringify(chatClient.encodeWhole(events, contextOf(some)))) as {
    choices: { message: Record<string, unknown> }[]
  }
const messageOf = (events: readonly ChatEvent[], some: Partial<AnswerContext> = {}) =>
  write(events, some).choices[0]!.message

test('a whole answer', () => {
  const body = chatClient.encodeWhole(
    [
      ...blocks(
        [reasoning(), { text: 'hm' }],
        [TEXT, { text: 'a', more: [{ type: 'block-logprobs', index: 1, tokens: [{ token: 'a' }] }] }],
        [TEXT, { text: 'b', more: [{ type: 'block-citation', index: 2, citation: { url: 'u', title: 't' } }] }],
        [call('x'), { text: '{"n": 1}' }],
        [call(null), {}],
        [call('x', { kind: 'custom' }), { text: 'raw' }],
        [{ type: 'media', kind: 'image', mimeType: 'image/png', data: 'QQ' }, {}],
      ),
      finish('tool-calls'),
      {
        type: 'usage',
        total: null,
        usage: {
          input: 1,
          cacheRead: 0,
          cacheWrite: null,
          cacheWrite1h: null,
          output: 2,
          reasoning: null,
          source: 'upstream',
        },
      },
    ],
    contextOf(),
  )
  const source = { url: 'u', title: 't', start_index: 1, end_index: 2 }
  assert.equal(
    JSON.stringify(body),
    JSON.stringify({
      id: `chatcmpl-${'A'.repeat(26)}`,
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'public',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: 'ab',
            refusal: null,
            reasoning_content: 'hm',
            reasoning: 'hm',
            tool_calls: [
              { id: 'x', type: 'function', function: { name: 'f', arguments: '{"n": 1}' } },
              { id: `call_${'A'.repeat(26)}_4`, type: 'function', function: { name: 'f', arguments: '{}' } },
              { id: 'x_5', type: 'custom', custom: { name: 'f', input: 'raw' } },
            ],
            annotations: [{ type: 'url_citation', index: 0, url_citation: source }],
            images: [{ type: 'image_url', index: 0, image_url: { url: 'data:image/png;base64,QQ' } }],
          },
          logprobs: { content: [{ token: 'a' }], refusal: null },
          finish_reason: 'tool_calls',
        },
      ],
      usage: {
        prompt_tokens: 1,
        completion_tokens: 2,
        total_tokens: 3,
        prompt_tokens_details: { cached_tokens: 0 },
        cost: 'COST',
      },
    }).replace('"COST"', '0.0000010'),
  )
})

test('content is null beside a call or a refusal, and empty where nothing was said', () => {
  assert.equal(messageOf(blocks([call('a'), {}]))['content'], null)
  assert.equal(messageOf([finish('stop')])['content'], '')
  const refused = messageOf(blocks([{ type: 'refusal' }, { text: 'no' }]))
  assert.deepEqual([refused['content'], refused['refusal']], [null, 'no'])
})

test('an answer that failed says so', () => {
  const [choice] = write([...blocks([TEXT, { text: 'a' }]), finish('error', 'MALFORMED_FUNCTION_CALL')]).choices
  assert.deepEqual(choice, {
    index: 0,
    message: { role: 'assistant', content: 'a', refusal: null },
    logprobs: null,
    finish_reason: 'error',
    error: {
      message: 'The model failed to answer: MALFORMED_FUNCTION_CALL.',
      type: 'server_error',
      code: 'upstream_bad_response',
      param: null,
    },
  })
})

test('OpenRouter’s members, and those of a host of this protocol', () => {
  const events: ChatEvent[] = [
    ...blocks([TEXT, { text: 'a' }], [{ type: 'media', kind: 'audio', mimeType: 'audio/wav', data: 'UklG' }, {}]),
    { type: 'opaque', issuer: 'openai-chat', value: { service_tier: 'flex', model: 'theirs' } },
    { type: 'opaque', issuer: 'openai-chat', value: { choices: [{ index: 0, seed: 1, message: { padding: 'p' } }] } },
    { type: 'opaque', issuer: 'gemini', value: { safetyRatings: [] } },
    finish('stop', 'end_turn'),
  ]
  const { id: _id, created: _created, ...rest } = write(events, { isOpenRouter: true }) as Record<string, unknown>
  assert.deepEqual(rest, {
    object: 'chat.completion',
    model: 'public',
    service_tier: 'flex',
    system_fingerprint: null,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'a', refusal: null, padding: 'p', audio: { data: 'UklG' } },
        logprobs: null,
        finish_reason: 'stop',
        seed: 1,
        native_finish_reason: 'end_turn',
      },
    ],
  })
})

test('the list of a host of this protocol passes as it stood', () => {
  const details = [
    { type: 'reasoning.summary', summary: 's', format: 'openai-responses-v1', index: 0 },
    { type: 'reasoning.encrypted', data: 'd', id: 'rs_1', format: 'openai-responses-v1', index: 0 },
  ]
  const message = { content: 'x', reasoning: 's', reasoning_details: details, reasoning_opaque: 'o' }
  const { events } = chatUpstream.decodeWhole({ choices: [{ message, finish_reason: 'stop' }] }, { candidates: 1 })
  assert.deepEqual(messageOf(events, { upstream: 'openai-chat' }), {
    role: 'assistant',
    refusal: null,
    reasoning_content: 's',
    ...message,
  })
})

const seal = (issuer: Seal['issuer'], value: string, kind: Seal['kind'] = 'signature'): Seal => ({
  issuer,
  kind,
  value,
})

test('hidden reasoning hides in the envelope', () => {
  const request = requestOf({ reasoning: { exclude: true } })
  const told = { text: 'hm', seal: seal('anthropic-messages', 's') }
  const message = messageOf(blocks([reasoning(), told]), { request })
  const [entry] = message['reasoning_details'] as { text: string; signature: string }[]
  assert.deepEqual([entry!.text, message['reasoning']], ['', undefined])
  assert.equal(openEnvelope(entry!.signature)![0]!.text, 'hm')
})

/** What a client holds after a stream, put together as OpenAI's Python library and OpenRouter's clients do. */
function accumulate(events: readonly ChatEvent[], some: Partial<AnswerContext>): Record<string, unknown> {
  const encoder = chatClient.openEncoder(contextOf(some))
  const text = events.map((event) => encoder.push(event)).join('') + encoder.end()
  const frames = text.split(/(?<=\n\n)/).map((frame) => Buffer.from(frame))
  const { events: seen } = decodeStream(frames)
  return messageOf(seen, { upstream: 'openai-chat' })
}

for (const [name, held] of [
  ['whole', messageOf],
  ['streamed', accumulate],
] as const)
  test(`seals of every protocol come back to their places: ${name}`, () => {
    const answer = blocks(
      [reasoning(), { text: 'one', seal: seal('anthropic-messages', 'sig1') }],
      [TEXT, { text: 'said', seal: seal('gemini', 'sig2') }],
      [reasoning(), { seal: seal('anthropic-messages', 'red', 'encrypted') }],
      [reasoning('rs_1'), { text: 'two', seal: seal('openai-responses', 'enc', 'encrypted') }],
      [call('c', { seal: seal('gemini', 'sig3') }), { text: '{}' }],
    )
    const message = held([...answer, finish('tool-calls')], {})
    const { turns } = requestOf({ messages: [message] })
    const shown = turns[0]!.blocks.map((block) => [
      block.type,
      'text' in block ? block.text : '',
      'seal' in block ? block.seal : null,
      ...(block.type === 'reasoning' ? [block.id] : []),
    ])
    assert.deepEqual(shown, [
      ['reasoning', 'one', seal('anthropic-messages', 'sig1'), null],
      ['text', 'said', seal('gemini', 'sig2')],
      ['reasoning', '', seal('anthropic-messages', 'red', 'encrypted'), null],
      ['reasoning', 'two', seal('openai-responses', 'enc', 'encrypted'), 'rs_1'],
      ['tool-call', '', seal('gemini', 'sig3')],
    ])
  })

test('reasoning without a seal comes back as text alone', () => {
  const message = messageOf([...blocks([reasoning(), { text: 'hm' }], [TEXT, { text: 'x' }]), finish('stop')])
  assert.equal('reasoning_details' in message, false)
  assert.deepEqual(requestOf({ messages: [message] }).turns[0]!.blocks, [
    { type: 'reasoning', path: '/messages/0/reasoning_content', text: 'hm', seal: null, id: null },
    { type: 'text', path: '/messages/0/content', text: 'x' },
  ])
})
