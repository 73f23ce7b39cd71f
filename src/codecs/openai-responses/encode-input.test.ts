import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block, Seal } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { encode } from './testbed.ts'

/** The items for turns of a client of another protocol. */
function itemsOf(...turns: Turn[]) {
  const { body, losses } = encode({ ...BLANK_REQUEST, turns })
  return { items: body['input'], losses: losses.map(({ path, reason, isSevere }) => [path, reason, isSevere]) }
}

const turn = (role: Turn['role'], ...blocks: Block[]): Turn => ({ role, blocks, path: '/messages/0' })
const text = (value: string, path = '/messages/0/content/0'): Block => ({ type: 'text', text: value, path })
const own: Seal = { issuer: 'openai-responses', kind: 'encrypted', value: 'E==' }
const claude: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 's' }
const call = (id: string | null, name = 'f'): Block => ({
  type: 'tool-call',
  id,
  name,
  arguments: '',
  kind: 'function',
  path: '/call',
})
const result = (callId: string | null, content: Block[], name: string | null = 'f'): Block => ({
  type: 'tool-result',
  callId,
  name,
  content,
  isError: null,
  kind: 'function',
  path: '/result',
})

test('turns become messages and items in their order', () => {
  const { items, losses } = itemsOf(
    turn('system', text('s')),
    turn('user', text('a'), text('b')),
    turn('assistant', text('c'), call('c1'), text('d')),
    turn('user', result('c1', [text('r')]), text('e')),
    turn('user'),
  )
  assert.deepEqual(items, [
    { type: 'message', role: 'system', content: 's' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'a' },
        { type: 'input_text', text: 'b' },
      ],
    },
    { type: 'message', role: 'assistant', content: 'c' },
    { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
    { type: 'message', role: 'assistant', content: 'd' },
    { type: 'function_call_output', call_id: 'c1', output: 'r' },
    { type: 'message', role: 'user', content: 'e' },
  ])
  assert.deepEqual(losses, [])
})

test('results hold text, media and errors', () => {
  const png: Block = {
    type: 'media',
    kind: 'image',
    source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    path: '/m',
  }
  const failed = { ...result('c1', [text('x'), png]), isError: true } as Block
  const { items, losses } = itemsOf(turn('tool', failed), turn('tool', result('c2', [])))
  assert.deepEqual(items, [
    {
      type: 'function_call_output',
      call_id: 'c1',
      output: [
        { type: 'input_text', text: 'x' },
        { type: 'input_image', image_url: 'data:image/png;base64,AA==' },
      ],
    },
    { type: 'function_call_output', call_id: 'c2', output: '' },
  ])
  assert.deepEqual(losses, [['/result/is_error', 'the Responses API has no flag of failed tools', false]])
})

test('calls without an id get one, and their results the same', () => {
  const { items } = itemsOf(
    turn('assistant', call(null, 'f'), call(null, 'g'), call(null, 'f')),
    turn('user', result(null, [], 'g'), result(null, [], 'f'), result(null, [], 'f')),
  )
  const ids = (items as { call_id: string }[]).map(({ call_id: id }) => id)
  assert.deepEqual(ids, ['call_0', 'call_1', 'call_2', 'call_1', 'call_0', 'call_2'])
})

test('an id that is too long is cut, for the call and its result alike', () => {
  const long = 'x'.repeat(70)
  const { items } = itemsOf(turn('assistant', call(long), call(`${long}y`)), turn('user', result(long, [])))
  const [first, second, answer] = (items as { call_id: string }[]).map(({ call_id: id }) => id)
  assert.equal(first!.length, 64)
  assert.equal(first, answer)
  assert.notEqual(first, second)
})

test('a result answers its call in the call’s own kind', () => {
  const custom: Block = { type: 'tool-call', id: 'c1', name: 'f', arguments: 'free', kind: 'custom', path: '/call' }
  const { items } = itemsOf(turn('assistant', custom), turn('user', result('c1', [text('r')])))
  assert.deepEqual(items, [
    { type: 'custom_tool_call', call_id: 'c1', name: 'f', input: 'free' },
    { type: 'custom_tool_call_output', call_id: 'c1', output: 'r' },
  ])
})

test('only reasoning that this upstream sealed is sent, byte for byte', () => {
  const reasoning = (seal: Seal | null, some = {}): Block => ({
    type: 'reasoning',
    text: 'why',
    seal,
    id: null,
    path: '/r',
    ...some,
  })
  const { items, losses } = itemsOf(
    turn(
      'assistant',
      reasoning(own, { id: 'rs_1' }),
      reasoning(claude),
      reasoning(null),
      reasoning(own, { text: '' }),
      text('a'),
    ),
    turn('user', text('b')),
    turn('assistant', { ...call('c'), seal: claude } as Block, reasoning(own, { path: '/last' })),
    turn('user', result('c', [])),
  )
  assert.deepEqual(items, [
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'why' }], encrypted_content: 'E==' },
    { type: 'reasoning', summary: [], encrypted_content: 'E==' },
    { type: 'message', role: 'assistant', content: 'a' },
    { type: 'message', role: 'user', content: 'b' },
    { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c', output: '' },
  ])
  assert.deepEqual(losses, [
    ['/r', 'foreign_reasoning', false],
    ['/r', 'foreign_reasoning', false],
    ['/call', 'foreign_reasoning', false],
    ['/last', 'reasoning without an answer cannot be given back', false],
  ])
})

test('media in every form', () => {
  const media = (kind: 'image' | 'document' | 'audio' | 'video', source: unknown, more = {}): Block =>
    ({ type: 'media', kind, source, path: `/${kind}`, ...more }) as Block
  const base64 = (mimeType: string | null, data = 'AA==') => ({ type: 'base64', mimeType, data })
  const { items, losses } = itemsOf(
    turn(
      'user',
      media('image', base64('image/webp'), { detail: 'low' }),
      media('image', base64(null, '/9j/AA==')),
      media('image', { type: 'url', mimeType: null, url: 'https://a.example/x' }, { filename: 'x.png' }),
      media('document', base64('application/pdf'), { filename: 'a.pdf' }),
      media('document', base64(null), { title: 'Paper' }),
      media('document', { type: 'text', mimeType: null, text: 'hi' }),
      media('document', { type: 'url', mimeType: null, url: 'https://a.example/y' }),
      media('audio', base64('audio/mpeg')),
      media('audio', base64('audio/x-wav')),
      media('audio', { type: 'url', mimeType: null, url: 'u' }),
      media('video', base64('video/mp4')),
      media('document', { type: 'file', issuer: 'gemini', id: 'f', mimeType: null }),
    ),
  )
  assert.deepEqual(items, [
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_image', image_url: 'data:image/webp;base64,AA==', detail: 'low' },
        { type: 'input_image', image_url: 'data:image/jpeg;base64,/9j/AA==' },
        { type: 'input_image', image_url: 'https://a.example/x' },
        { type: 'input_file', file_data: 'data:application/pdf;base64,AA==', filename: 'a.pdf' },
        { type: 'input_file', file_data: 'data:application/pdf;base64,AA==', filename: 'Paper' },
        { type: 'input_file', file_data: 'data:text/plain;base64,aGk=', filename: 'document.txt' },
        { type: 'input_file', file_url: 'https://a.example/y' },
        { type: 'input_audio', input_audio: { data: 'AA==', format: 'mp3' } },
        { type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } },
      ],
    },
  ])
  assert.deepEqual(losses, [
    ['/audio', 'the Responses API takes no audio', true],
    ['/video', 'the Responses API takes no video', true],
    ['/document', 'only its issuer holds the file', true],
  ])
})

test('what has no place is declared', () => {
  const { items, losses } = itemsOf(
    {
      ...turn(
        'assistant',
        { type: 'opaque', issuer: 'anthropic-messages', value: {}, path: '/o' },
        { type: 'media', kind: 'image', source: { type: 'base64', mimeType: 'image/png', data: '' }, path: '/i' },
        { type: 'text', text: 'a', path: '/t', citations: [{ url: 'u' }], cacheControl: {}, ext: { gemini: { x: 1 } } },
        { type: 'refusal', text: 'no', path: '/n' },
      ),
      name: 'bob',
    },
    turn('user', { type: 'refusal', text: 'odd', path: '/n' }),
  )
  assert.deepEqual(items, [
    {
      type: 'message',
      role: 'assistant',
      content: [
        { type: 'output_text', text: 'a', annotations: [] },
        { type: 'refusal', refusal: 'no' },
      ],
    },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'odd' }] },
  ])
  assert.deepEqual(losses, [
    ['/messages/0/name', 'the Responses API has no names of participants', false],
    ['/o', 'only anthropic-messages understands it', false],
    ['/i', 'the Responses API takes media from the user only', false],
    ['/t/cache_control', 'the Responses API caches without breakpoints', false],
    ['/t/x', 'the Responses API knows no such member', false],
    ['/t/citations', 'the Responses API takes no citations of others', false],
  ])
})
