import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Protocol, Surface } from '#base/protocols.ts'
import type { BlockHead, BlockStart, Finish } from '#ir/chat-event.ts'
import { ANSWER_LOSSES_MAX, AnswerLosses } from './answer-losses.ts'

const start = (block: BlockHead, index = 2, candidate = 0): BlockStart => ({
  type: 'block-start',
  index,
  candidate,
  block,
})
const finish = (raw: string | null, stopSequence: string | null = null): Finish => ({
  type: 'finish',
  candidate: 0,
  reason: 'stop',
  raw,
  stopSequence,
})

function told(upstream: Protocol, client: Surface, declare: (losses: AnswerLosses) => void): string[] {
  const losses = new AnswerLosses(upstream, client)
  declare(losses)
  assert.ok(losses.list.every(({ isSevere }) => !isSevere))
  return losses.list.map(({ path, action, reason }) => `${action} ${path}: ${reason}`)
}

test('the same loss again is one loss, and different ones are bounded', () => {
  const losses = new AnswerLosses('openai-chat', 'anthropic-messages')
  for (let at = 0; at < 3; at++) losses.logprobs(0)
  assert.equal(losses.list.length, 1)
  for (let at = 1; at < ANSWER_LOSSES_MAX + 9; at++) losses.candidate(at)
  assert.deepEqual([losses.list.length, losses.more], [ANSWER_LOSSES_MAX, 9])
})

test('a block is named by its place in the upstream’s answer', () => {
  const image: BlockHead = { type: 'media', mimeType: 'image/png', data: '', kind: 'image' }
  const places = (['openai-chat', 'openai-responses', 'gemini', 'bedrock-converse'] as const).map(
    (upstream) =>
      told(upstream, 'anthropic-messages', (losses) => losses.block(start(image)))[0]!
        .split(' ')[1]!
        .split(':')[0]!,
  )
  assert.deepEqual(places, [
    '/response/choices/0/message/images',
    '/response/output',
    '/response/candidates/0/content/parts',
    '/response/output/message/content/2',
  ])
  const search: BlockHead = { type: 'opaque', issuer: 'anthropic-messages', value: { type: 'web_search_tool_result' } }
  assert.deepEqual(
    told('anthropic-messages', 'openai-chat', (losses) => losses.block(start(search))),
    ['dropped /response/content/2: Chat Completions has no place for a block of type web_search_tool_result'],
  )
})

test('what an upstream calls things is not repeated where it is no word', () => {
  const block: BlockHead = { type: 'opaque', issuer: 'gemini', value: { type: 'a secret, or so' } }
  assert.match(told('gemini', 'openai-chat', (losses) => losses.block(start(block)))[0]!, /of type another word$/)
  assert.match(
    told('gemini', 'openai-chat', (losses) => losses.finish(finish('x\ny'), 'stop'))[0]!,
    /^rewritten .*another word is told as stop$/,
  )
})

test('a word for the end is lost where it says more than the client’s', () => {
  const lost = (raw: string | null, word: string) =>
    told('anthropic-messages', 'openai-chat', (losses) => losses.finish(finish(raw), word))
  assert.deepEqual([lost('end_turn', 'stop'), lost('tool_use', 'tool_calls'), lost(null, 'stop')], [[], [], []])
  assert.deepEqual(lost('pause_turn', 'stop'), ['rewritten /response/stop_reason: pause_turn is told as stop'])
  assert.deepEqual(
    told('anthropic-messages', 'openai-chat', (losses) => losses.finish(finish('stop_sequence', 'END'), 'stop')),
    ['dropped /response/stop_sequence: Chat Completions does not tell which stop sequence it was'],
  )
})

describe('members that only the upstream tells', () => {
  const members = (upstream: Protocol, client: Surface, value: unknown) =>
    told(upstream, client, (losses) => losses.opaque({ type: 'opaque', issuer: upstream, value })).map(
      (each) => each.split(':')[0],
    )

  test('each with its place', () => {
    assert.deepEqual(
      members('openai-chat', 'gemini', {
        system_fingerprint: 'f',
        service_tier: null,
        choices: [{ index: 1, odd: 1, message: { more: 2 } }],
      }),
      [
        'dropped /response/system_fingerprint',
        'dropped /response/choices/1/message/more',
        'dropped /response/choices/1/odd',
      ],
    )
    assert.deepEqual(
      members('anthropic-messages', 'openai-chat', { at: 'message', members: { container: {}, usage: { a: 1 } } }),
      ['dropped /response/container', 'dropped /response/usage/a'],
    )
    assert.deepEqual(members('anthropic-messages', 'openai-chat', { at: 'event', members: { type: 'new_event' } }), [
      'dropped /response/new_event',
    ])
    assert.deepEqual(members('bedrock-converse', 'openai-chat', { metrics: { latencyMs: 1 } }), [
      'dropped /response/metrics',
    ])
  })

  test('what the Responses API repeats of its request is none', () => {
    assert.deepEqual(members('openai-responses', 'openai-chat', { temperature: 1, billing: {} }), [
      'dropped /response/billing',
    ])
  })

  test('what Gemini also says in its blocks is no loss, or not all of it', () => {
    const value = { candidates: [{ index: 0, groundingMetadata: {}, logprobsResult: {} }] }
    const retold = ['groundingMetadata', 'logprobsResult']
    const lost = (client: Surface, names: readonly string[]) =>
      told('gemini', client, (losses) => losses.opaque({ type: 'opaque', issuer: 'gemini', value, retold: names }))
    assert.match(lost('openai-chat', retold).join(), /^rewritten \/response\/candidates\/0\/groundingMetadata[^,]*$/)
    assert.equal(lost('openai-chat', []).length, 2)
    assert.equal(lost('anthropic-messages', retold).length, 2)
  })
})

test('sources and counts that are told in another way', () => {
  const native = { issuer: 'anthropic-messages' as const, value: {} }
  const citation = { url: 'https://a.example', native }
  assert.match(
    told('anthropic-messages', 'openai-chat', (losses) => losses.citation(citation, 0, 1, true))[0]!,
    /^rewritten \/response\/content\/1\/citations/,
  )
  assert.match(told('anthropic-messages', 'gemini', (losses) => losses.citation(citation, 0, 1, false))[0]!, /^dropped/)
  assert.deepEqual(
    told('gemini', 'openai-chat', (losses) => losses.citation({ url: 'u' }, 0, 1, true)),
    [],
  )
  const usage = {
    input: 1,
    cacheRead: null,
    cacheWrite: 1,
    cacheWrite1h: 2,
    output: 1,
    reasoning: null,
    source: 'upstream',
  } as const
  const counted = (client: Surface, changed = {}) =>
    told('anthropic-messages', client, (losses) => losses.usage({ ...usage, ...changed })).length
  assert.deepEqual([counted('openai-chat'), counted('openai-chat', { cacheWrite1h: 0 }), counted('gemini')], [1, 0, 1])
})
