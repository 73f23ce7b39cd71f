import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block, ReasoningBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import { MISTRAL_CALL_IDS } from '#codecs/legal-call-id.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { encode, OPENROUTER, request, told } from './testbed.ts'

const text = (value: string, path = '/t'): Block => ({ type: 'text', path, text: value })
const call = (id: string | null, some: Partial<ToolCallBlock> = {}): ToolCallBlock => ({
  type: 'tool-call',
  kind: 'function',
  path: '/call',
  id,
  name: 'f',
  arguments: '',
  ...some,
})
const result = (callId: string | null, content: readonly Block[], some: Partial<ToolResultBlock> = {}): Block => ({
  type: 'tool-result',
  kind: 'function',
  path: '/result',
  callId,
  name: null,
  content,
  isError: null,
  ...some,
})
const image = (data: string): Block => ({
  type: 'media',
  path: '/image',
  kind: 'image',
  source: { type: 'base64', mimeType: 'image/png', data },
})
const reasoning = (some: Partial<ReasoningBlock>): ReasoningBlock => ({
  type: 'reasoning',
  path: '/r',
  text: 'hm',
  seal: null,
  id: null,
  ...some,
})
const turn = (role: Turn['role'], ...blocks: Block[]): Turn => ({ role, blocks, path: '/turn' })

function write(turns: readonly Turn[], traits: Partial<TargetTraits> = {}) {
  const { body, losses } = encode(request({ turns }), traits)
  return { messages: body['messages'], losses: told(losses) }
}

const called = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })
const parts = (...data: string[]) =>
  data.map((one) => ({ type: 'image_url', image_url: { url: `data:image/png;base64,${one}` } }))

test('instructions are the first message', () => {
  const instructions = [
    { type: 'text' as const, path: '/system/0', text: 'a' },
    { type: 'text' as const, path: '/system/1', text: 'b', cacheControl: { type: 'ephemeral' } },
  ]
  const asked = request({ instructions, turns: [turn('user', text('hi'))] })
  assert.deepEqual(encode(asked, OPENROUTER).body['messages'], [
    {
      role: 'system',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b', cache_control: { type: 'ephemeral' } },
      ],
    },
    { role: 'user', content: 'hi' },
  ])
  assert.deepEqual(encode(request({ instructions: instructions.slice(0, 1) })).body['messages'], [
    { role: 'system', content: 'a' },
  ])
})

test('the items of one answer become one message, with its results behind it', () => {
  const { messages, losses } = write([
    turn('assistant', text('said')),
    turn('assistant', call('a')),
    turn('assistant', call('b')),
    turn('user', result('b', [text('2')], { path: '/b' })),
    turn('user', text('and')),
    turn('user', result('a', [text('1')], { path: '/a' })),
    turn('assistant', text('x')),
    turn('assistant', text('y')),
  ])
  assert.deepEqual(messages, [
    { role: 'assistant', content: 'said', tool_calls: [called('a'), called('b')] },
    { role: 'tool', tool_call_id: 'b', content: '2' },
    { role: 'tool', tool_call_id: 'a', content: '1' },
    { role: 'user', content: 'and' },
    { role: 'assistant', content: 'x' },
    { role: 'assistant', content: 'y' },
  ])
  assert.deepEqual(losses, [])
})

test('media of results stand in a user message behind all of them', () => {
  const { messages, losses } = write([
    turn('assistant', call('a'), call('b')),
    turn('tool', result('a', [text('seen'), image('QQ==')])),
    turn('tool', result('b', [image('Qg==')], { isError: true, path: '/messages/2' })),
    turn('user', text('?')),
    turn('assistant', call('c')),
    turn('user', text('!'), result('c', [image('Qw==')])),
  ])
  assert.deepEqual(messages, [
    { role: 'assistant', content: null, tool_calls: [called('a'), called('b')] },
    { role: 'tool', tool_call_id: 'a', content: 'seen' },
    { role: 'tool', tool_call_id: 'b', content: '' },
    { role: 'user', content: parts('QQ==', 'Qg==') },
    { role: 'user', content: '?' },
    { role: 'assistant', content: null, tool_calls: [called('c')] },
    { role: 'tool', tool_call_id: 'c', content: '' },
    { role: 'user', content: [...parts('Qw=='), { type: 'text', text: '!' }] },
  ])
  assert.deepEqual(losses, [
    '/image: rewritten',
    '/messages/2/is_error: dropped',
    '/image: rewritten',
    '/image: rewritten',
  ])
})

test('calls without ids pair by name, and among equals in order', () => {
  const { messages } = write([
    turn('assistant', call(null), call(null, { name: 'g' }), call(null)),
    turn('user', result(null, [text('g')], { name: 'g' }), result(null, [text('1')], { name: 'f' })),
    turn('user', result(null, [text('2')])),
  ])
  assert.deepEqual(messages, [
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        called('call_0'),
        { ...called('call_1'), function: { name: 'g', arguments: '{}' } },
        called('call_2'),
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', name: 'g', content: 'g' },
    { role: 'tool', tool_call_id: 'call_0', name: 'f', content: '1' },
    { role: 'tool', tool_call_id: 'call_2', content: '2' },
  ])
})

test('ids that are too long are cut the same way for the call and its result', () => {
  const long = 'x'.repeat(41)
  const { messages } = write([turn('assistant', call(long)), turn('tool', result(long, [text('1')]))])
  const [first, second] = messages as [{ tool_calls: { id: string }[] }, { tool_call_id: string }]
  assert.equal(first.tool_calls[0]!.id.length, 40)
  assert.equal(first.tool_calls[0]!.id, second.tool_call_id)
  assert.notEqual(write([turn('tool', result(`${long}y`, []))]).messages, second.tool_call_id)
})

test('a call that comes again under its id is answered by the result behind it', () => {
  const { messages } = write([
    turn('assistant', call('a')),
    turn('tool', result('a', [text('1')])),
    turn('assistant', call('a')),
    turn('tool', result('a', [text('2')])),
  ])
  assert.deepEqual(
    (messages as { role: string; content: unknown }[]).map(({ role, content }) => [role, content]),
    [
      ['assistant', null],
      ['tool', '1'],
      ['assistant', null],
      ['tool', '2'],
    ],
  )
})

test('results within a turn of the model cut it', () => {
  const { messages } = write([turn('assistant', call('a'), result('a', [text('1')]), text('so'))])
  assert.deepEqual(messages, [
    { role: 'assistant', content: null, tool_calls: [called('a')] },
    { role: 'tool', tool_call_id: 'a', content: '1' },
    { role: 'assistant', content: 'so' },
  ])
})

test('reasoning of others is never sent', () => {
  const seal = { issuer: 'gemini' as const, kind: 'signature' as const, value: 's' }
  const { messages, losses } = write(
    [
      turn('assistant', reasoning({ seal, path: '/r1' })),
      turn('assistant', text('x'), call('a', { seal, path: '/c' })),
    ],
    { takesReasoningContent: true },
  )
  assert.deepEqual(messages, [{ role: 'assistant', content: 'x', tool_calls: [called('a')] }])
  assert.deepEqual(losses, ['/r1: dropped', '/c: dropped'])
})

test('a message of which nothing is left is none', () => {
  const seal = { issuer: 'gemini' as const, kind: 'signature' as const, value: 's' }
  const opaque: Block = { type: 'opaque', path: '/o', issuer: 'gemini', value: {} }
  const { messages } = write([turn('assistant', reasoning({ seal })), turn('user', opaque), turn('assistant')])
  assert.deepEqual(messages, [{ role: 'assistant', content: '' }])
})

test('reasoning without a seal goes where it is wanted', () => {
  const turns = [turn('assistant', reasoning({ text: 'a', path: '/m/reasoning' }), reasoning({ text: 'b' }), text('x'))]
  assert.deepEqual(write(turns, { takesReasoningContent: true }).messages, [
    { role: 'assistant', content: 'x', reasoning_content: 'ab' },
  ])
  const { messages, losses } = write(turns)
  assert.deepEqual(messages, [{ role: 'assistant', content: 'x' }])
  assert.deepEqual(losses, ['/m/reasoning: dropped', '/r: dropped'])
  assert.deepEqual(write([turn('assistant', reasoning({ text: '' }), text('x'))]).losses, [])
})

test('what a host of this protocol sealed goes back as it stood', () => {
  const details = [{ type: 'reasoning.text', text: 'hm', signature: 's', index: 0, format: 'unknown' }]
  const sealOf = (value: unknown) => ({
    issuer: 'openai-chat' as const,
    kind: 'encrypted' as const,
    value: JSON.stringify(value),
  })
  const calls = call('a', { seal: sealOf({ extra_content: { google: { thought_signature: 'g' } } }) })
  const { messages, losses } = write([
    turn('assistant', reasoning({ seal: sealOf(details), path: '/m/reasoning' }), calls),
    turn('assistant', reasoning({ text: '', seal: sealOf({ reasoning_opaque: 'o' }) })),
  ])
  assert.deepEqual(messages, [
    {
      role: 'assistant',
      content: null,
      reasoning: 'hm',
      reasoning_details: details,
      reasoning_opaque: 'o',
      tool_calls: [{ ...called('a'), extra_content: { google: { thought_signature: 'g' } } }],
    },
  ])
  assert.deepEqual(losses, [])
  const forged = { issuer: 'openai-chat' as const, kind: 'encrypted' as const, value: '{' }
  assert.deepEqual(write([turn('assistant', reasoning({ seal: forged }), text('x'))]).messages, [
    { role: 'assistant', content: 'x' },
  ])
})

test('media and files without a place are severe losses', () => {
  const media = (kind: 'audio' | 'document' | 'image', source: object, more = {}): Block =>
    ({ type: 'media', path: `/${kind}`, kind, source, ...more }) as Block
  const { messages, losses } = write([
    turn(
      'user',
      media('audio', { type: 'url', mimeType: null, url: 'https://x.test/a.wav' }),
      media('document', { type: 'url', mimeType: null, url: 'https://x.test/a.pdf' }),
      media('image', { type: 'file', issuer: 'openai-responses', id: 'file-1', mimeType: null }),
      media('document', { type: 'text', mimeType: 'text/plain', text: 'plain' }, { title: 'T' }),
      media('document', { type: 'base64', mimeType: 'application/pdf', data: 'JVBE' }),
      media('image', { type: 'base64', mimeType: null, data: 'iVBORw0KGgoA' }),
    ),
  ])
  assert.deepEqual(messages, [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'plain' },
        { type: 'file', file: { filename: 'document.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgoA' } },
      ],
    },
  ])
  assert.deepEqual(losses, ['/audio: dropped!', '/document: dropped!', '/image: dropped!', '/document/title: dropped'])
})

test('what other protocols alone know is told', () => {
  const block: Block = { type: 'text', path: '/b', text: 'x', ext: { gemini: { odd: 1 } }, citations: [{ url: 'u' }] }
  const { losses } = write([{ ...turn('user', block), ext: { 'openai-responses': { id: 'msg_1' } } }])
  assert.deepEqual(losses, ['/turn/id: dropped', '/b/odd: dropped', '/b/citations: dropped'])
})

test('a host that takes nine letters and digits gets such ids, alike for call and result', () => {
  const turns = [
    turn('assistant', call('call_abc'), call(null), call('D681PevKs')),
    turn('tool', result('call_abc', [text('r')]), result('D681PevKs', [text('r')])),
  ]
  const sent = write(turns, { callIds: MISTRAL_CALL_IDS }).messages as {
    tool_calls?: { id: string }[]
    tool_call_id?: string
  }[]
  const ids = sent.flatMap(({ tool_calls: calls, tool_call_id: id }) => calls?.map((each) => each.id) ?? [id!])
  for (const id of ids) assert.match(id, /^[a-zA-Z0-9]{9}$/)
  assert.equal(new Set(ids.slice(0, 3)).size, 3)
  assert.deepEqual(ids.slice(3), [ids[0], ids[2]])
  assert.equal(ids[2], 'D681PevKs')
})

test('a video goes to hosts that take one, and is refused for OpenAI', () => {
  const video: Block = {
    type: 'media',
    path: '/v',
    kind: 'video',
    source: { type: 'url', mimeType: null, url: 'https://a.example/v.mp4' },
  }
  const turns: Turn[] = [{ role: 'user', path: '/t', blocks: [video] }]
  const taken = write(turns)
  assert.deepEqual(taken.losses, [])
  assert.match(JSON.stringify(taken.messages), /video_url/)
  const refused = write(turns, { takesVideo: false })
  assert.deepEqual(refused.losses, ['/v: dropped!'])
  assert.doesNotMatch(JSON.stringify(refused.messages), /video_url/)
})
