import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestOf } from './testbed.ts'

const readMessages = (...messages: unknown[]) => requestOf({ messages }).turns
const blocksOf = (message: object) => readMessages(message)[0]!.blocks

test('content in all its forms', () => {
  const path = '/messages/0/content'
  assert.deepEqual(blocksOf({ role: 'user', content: '' }), [{ type: 'text', path, text: '' }])
  assert.deepEqual(blocksOf({ role: 'user', content: [] }), [])
  assert.deepEqual(blocksOf({ role: 'user', content: null }), [])
  const parts = [
    { type: 'text', text: 'a', cache_control: { type: 'ephemeral' }, odd: 1 },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD', detail: 'low', more: 2 } },
    { type: 'image_url', image_url: 'https://x.test/y.png' },
    { type: 'image_url', image_url: { url: 'data:text/plain,hello' } },
    { type: 'video_url', video_url: { url: 'https://x.test/y.mp4' } },
    { type: 'input_audio', input_audio: { data: 'SUQz', format: 'mp3' } },
    { type: 'input_audio', input_audio: 'SUQz' },
    { type: 'file', file: { filename: 'f.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
    { type: 'file', file: { file_data: 'JVBE' } },
    { type: 'file', file: { file_id: 'file-1' } },
    { type: 'refusal', refusal: 'no' },
    { type: 'document_url', document_url: 'https://x.test/z.pdf' },
  ]
  const media = (index: number, kind: string, source: object, more = {}) => ({
    type: 'media',
    path: `${path}/${index}`,
    kind,
    source,
    ...more,
  })
  assert.deepEqual(blocksOf({ role: 'user', content: parts }), [
    {
      type: 'text',
      path: `${path}/0`,
      text: 'a',
      cacheControl: { type: 'ephemeral' },
      ext: { 'openai-chat': { odd: 1 } },
    },
    media(
      1,
      'image',
      { type: 'base64', mimeType: 'image/png', data: 'QUJD' },
      { detail: 'low', ext: { 'openai-chat': { image_url: { more: 2 } } } },
    ),
    media(2, 'image', { type: 'url', mimeType: null, url: 'https://x.test/y.png' }),
    media(3, 'image', { type: 'url', mimeType: null, url: 'data:text/plain,hello' }),
    media(4, 'video', { type: 'url', mimeType: null, url: 'https://x.test/y.mp4' }),
    media(5, 'audio', { type: 'base64', mimeType: 'audio/mpeg', data: 'SUQz' }),
    media(6, 'audio', { type: 'base64', mimeType: null, data: 'SUQz' }),
    media(7, 'document', { type: 'base64', mimeType: 'application/pdf', data: 'JVBE' }, { filename: 'f.pdf' }),
    media(8, 'document', { type: 'base64', mimeType: null, data: 'JVBE' }),
    media(9, 'document', { type: 'file', issuer: 'openai-chat', id: 'file-1', mimeType: null }),
    { type: 'refusal', path: `${path}/10`, text: 'no' },
    { type: 'opaque', path: `${path}/11`, issuer: 'openai-chat', value: parts[11] },
  ])
})

test('an assistant message is reasoning, content, refusal and calls', () => {
  const [turn] = readMessages({
    role: 'assistant',
    name: 'n',
    content: 'c',
    refusal: 'r',
    reasoning_content: 't',
    reasoning: 't',
    prefix: true,
    tool_calls: [
      { id: 'a', type: 'function', index: 0, function: { name: 'f', arguments: '{"x": 1}' }, extra_content: { g: 1 } },
      { id: '', function: { name: 'g', arguments: { y: 2 } } },
      { id: 'c', type: 'custom', custom: { name: 'h', input: 'raw' } },
    ],
    function_call: { name: 'old' },
  })
  const path = '/messages/0'
  assert.deepEqual(turn, {
    role: 'assistant',
    path,
    name: 'n',
    ext: { 'openai-chat': { prefix: true } },
    blocks: [
      { type: 'reasoning', path: `${path}/reasoning_content`, text: 't', seal: null, id: null },
      { type: 'text', path: `${path}/content`, text: 'c' },
      { type: 'refusal', path: `${path}/refusal`, text: 'r' },
      {
        type: 'tool-call',
        kind: 'function',
        path: `${path}/tool_calls/0`,
        id: 'a',
        name: 'f',
        arguments: '{"x": 1}',
        ext: { 'openai-chat': { extra_content: { g: 1 } } },
      },
      { type: 'tool-call', kind: 'function', path: `${path}/tool_calls/1`, id: null, name: 'g', arguments: '{"y":2}' },
      { type: 'tool-call', kind: 'custom', path: `${path}/tool_calls/2`, id: 'c', name: 'h', arguments: 'raw' },
      { type: 'tool-call', kind: 'function', path: `${path}/function_call`, id: null, name: 'old', arguments: '' },
    ],
  })
})

test('a result knows the kind of its call, and the first form has only a name', () => {
  const turns = readMessages(
    { role: 'assistant', tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'h', input: '' } }] },
    { role: 'tool', tool_call_id: 'c', content: 'x', cache_control: { type: 'ephemeral' } },
    { role: 'function', name: 'old', content: null },
  )
  assert.deepEqual(turns[1], {
    role: 'tool',
    path: '/messages/1',
    blocks: [
      {
        type: 'tool-result',
        path: '/messages/1',
        callId: 'c',
        name: null,
        content: [{ type: 'text', path: '/messages/1/content', text: 'x' }],
        isError: null,
        kind: 'custom',
        cacheControl: { type: 'ephemeral' },
      },
    ],
  })
  const [old] = turns[2]!.blocks
  assert.ok(old?.type === 'tool-result')
  assert.deepEqual([old.callId, old.name, old.content, old.kind], [null, 'old', [], 'function'])
})

test('a breakpoint on the message stands behind its last part', () => {
  const [turn] = readMessages({
    role: 'system',
    content: [{ type: 'text', text: 'a' }, 'b'],
    cache_control: { type: 'e' },
  })
  assert.deepEqual(
    turn!.blocks.map((block) => block.cacheControl),
    [undefined, { type: 'e' }],
  )
})

test('Mistral’s thinking is reasoning that goes back as it stood', () => {
  const thinking = [
    { type: 'text', text: 'hm' },
    { type: 'text', text: 'm' },
  ]
  const [block] = blocksOf({ role: 'assistant', content: [{ type: 'thinking', thinking, closed: true }] })
  assert.deepEqual(block, {
    type: 'reasoning',
    path: '/messages/0/content/0',
    text: 'hmm',
    seal: null,
    id: null,
    ext: { 'openai-chat': { thinking, closed: true } },
  })
})
