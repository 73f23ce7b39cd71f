import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sealEnvelope } from '#codecs/seal-envelope.ts'
import { decode, plain, turnsOf } from './testbed.ts'

test('a text is one turn of the user', () => {
  assert.deepEqual(decode({ input: 'hi' }).turns, [
    { role: 'user', blocks: [{ type: 'text', text: 'hi', path: '/input' }], path: '/input' },
  ])
  assert.deepEqual(decode({ input: '' }).turns, [
    { role: 'user', blocks: [{ type: 'text', text: '', path: '/input' }], path: '/input' },
  ])
  assert.deepEqual(decode({}).turns, [])
})

test('messages come with and without a type, with a text and with parts', () => {
  assert.deepEqual(
    plain(turnsOf({ role: 'user', content: 'a' }, { type: 'message', role: 'developer', content: [] })),
    [
      { role: 'user', blocks: [{ type: 'text', text: 'a', path: '/input/0/content' }], path: '/input/0' },
      { role: 'developer', blocks: [], path: '/input/1', ext: { 'openai-responses': {} } },
    ],
  )
  const [turn] = turnsOf({
    type: 'message',
    role: 'assistant',
    id: 'msg_1',
    status: 'completed',
    phase: 'commentary',
    content: [
      {
        type: 'output_text',
        text: 'b',
        annotations: [{ type: 'url_citation', url: 'u', title: 't', start_index: 0, end_index: 1 }],
      },
      { type: 'refusal', refusal: 'no' },
    ],
  })
  assert.deepEqual(plain(turn), {
    role: 'assistant',
    blocks: [
      {
        type: 'text',
        text: 'b',
        path: '/input/0/content/0',
        citations: [
          {
            url: 'u',
            title: 't',
            startIndex: 0,
            endIndex: 1,
            native: {
              issuer: 'openai-responses',
              value: { type: 'url_citation', url: 'u', title: 't', start_index: 0, end_index: 1 },
            },
          },
        ],
      },
      { type: 'refusal', text: 'no', path: '/input/0/content/1' },
    ],
    path: '/input/0',
    ext: { 'openai-responses': { phase: 'commentary' } },
  })
})

test('media stand where they stood, byte for byte', () => {
  const [turn] = turnsOf({
    role: 'user',
    content: [
      { type: 'input_image', image_url: 'data:image/png;base64,AAA=', detail: 'low' },
      { type: 'input_image', image_url: 'https://a.example/b.png' },
      { type: 'input_image', file_id: 'file-1' },
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBB=' },
      { type: 'input_file', file_data: 'CCC=' },
      { type: 'input_file', file_url: 'https://a.example/c' },
      { type: 'input_audio', input_audio: { data: 'DDD=', format: 'mp3' } },
      { type: 'input_file', filename: 'a.mp4', file_data: 'data:video/mp4;base64,EEE=' },
    ],
  })
  const media = turn!.blocks.map((block) => (block.type === 'media' ? [block.kind, block.source] : block.type))
  assert.deepEqual(media, [
    ['image', { type: 'base64', mimeType: 'image/png', data: 'AAA=' }],
    ['image', { type: 'url', mimeType: null, url: 'https://a.example/b.png' }],
    ['image', { type: 'file', issuer: 'openai-responses', id: 'file-1', mimeType: null }],
    ['document', { type: 'base64', mimeType: 'application/pdf', data: 'BBB=' }],
    ['document', { type: 'base64', mimeType: null, data: 'CCC=' }],
    ['document', { type: 'url', mimeType: null, url: 'https://a.example/c' }],
    ['audio', { type: 'base64', mimeType: 'audio/mpeg', data: 'DDD=' }],
    ['video', { type: 'base64', mimeType: 'video/mp4', data: 'EEE=' }],
  ])
  assert.equal((turn!.blocks[0] as { detail?: string }).detail, 'low')
  assert.equal((turn!.blocks[3] as { filename?: string }).filename, 'a.pdf')
})

test('calls keep their text, ids and namespace; results their parts', () => {
  const turns = turnsOf(
    { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'f', arguments: '{ "a":1 }', status: 'completed' },
    { type: 'function_call', call_id: 'c2', name: 'g', namespace: 'n', arguments: '' },
    { type: 'custom_tool_call', call_id: 'c3', name: 'h', input: 'free text' },
    { type: 'function_call_output', call_id: 'c1', output: '' },
    {
      type: 'function_call_output',
      call_id: 'c2',
      output: [
        { type: 'input_text', text: 't' },
        { type: 'input_image', image_url: 'u' },
      ],
    },
    { type: 'custom_tool_call_output', call_id: 'c3', output: 'done' },
  )
  assert.deepEqual(
    turns.map(({ role }) => role),
    ['assistant', 'assistant', 'assistant', 'tool', 'tool', 'tool'],
  )
  const [first, second, third, empty, parts, custom] = turns.map(({ blocks }) => plain(blocks[0]))
  assert.deepEqual(first, {
    type: 'tool-call',
    id: 'c1',
    name: 'f',
    path: '/input/0',
    itemId: 'fc_1',
    arguments: '{ "a":1 }',
    kind: 'function',
    ext: { 'openai-responses': {} },
  })
  assert.deepEqual(second, {
    type: 'tool-call',
    id: 'c2',
    name: 'g',
    path: '/input/1',
    namespace: 'n',
    arguments: '',
    kind: 'function',
  })
  assert.deepEqual(third, {
    type: 'tool-call',
    id: 'c3',
    name: 'h',
    path: '/input/2',
    arguments: 'free text',
    kind: 'custom',
  })
  assert.deepEqual(empty, {
    type: 'tool-result',
    callId: 'c1',
    name: null,
    content: [{ type: 'text', text: '', path: '/input/3/output' }],
    isError: null,
    kind: 'function',
    path: '/input/3',
  })
  assert.deepEqual(
    (parts as { content: { type: string }[] }).content.map(({ type }) => type),
    ['text', 'media'],
  )
  assert.equal((custom as { kind: string }).kind, 'custom')
})

test('reasoning keeps the parts of its summary and its seal', () => {
  const [sealed, open, content] = turnsOf(
    {
      type: 'reasoning',
      id: 'rs_1',
      summary: [
        { type: 'summary_text', text: 'a' },
        { type: 'summary_text', text: 'b' },
      ],
      encrypted_content: 'E==',
      content: null,
    },
    { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: '' },
    { type: 'reasoning', id: 'rs_3', summary: [], content: [{ type: 'reasoning_text', text: 'raw' }] },
  ).map(
    ({ blocks }) => plain(blocks[0]) as { text: string; seal: unknown; id: string; summary: string[]; ext: unknown },
  )
  assert.deepEqual(sealed, {
    type: 'reasoning',
    text: 'ab',
    summary: ['a', 'b'],
    seal: { issuer: 'openai-responses', kind: 'encrypted', value: 'E==' },
    id: 'rs_1',
    path: '/input/0',
    ext: { 'openai-responses': {} },
  })
  assert.deepEqual([open!.text, open!.seal, open!.id], ['', null, 'rs_2'])
  assert.deepEqual([content!.text, content!.summary], ['raw', []])
  assert.deepEqual(content!.ext, { 'openai-responses': { content: [{ type: 'reasoning_text', text: 'raw' }] } })
})

test('an envelope gives its seals back to what they belong to', () => {
  const claude = { issuer: 'anthropic-messages', kind: 'signature', value: 's1' } as const
  const gemini = { issuer: 'gemini', kind: 'signature', value: 's2' } as const
  const carrier = (
    place: 'reasoning' | 'tool-call' | 'text',
    seal: typeof claude | typeof gemini,
    summary: unknown[] = [],
  ) => ({
    type: 'reasoning',
    id: 'rs_01ARZ3NDEKTSV4RRFFQ69G5FAV_0',
    summary,
    encrypted_content: sealEnvelope([{ seal, place }]),
  })
  const turns = turnsOf(
    carrier('reasoning', claude, [{ type: 'summary_text', text: 'thought' }]),
    { role: 'assistant', content: 'said' },
    carrier('text', gemini),
    carrier('tool-call', gemini),
    { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
    carrier('tool-call', gemini),
    { role: 'user', content: 'go on' },
    carrier('text', gemini),
  ).map(({ blocks }) => blocks[0]!)
  assert.deepEqual(
    turns.map((block) => [block.type, 'text' in block ? block.text : null, 'seal' in block ? block.seal : null]),
    [
      ['reasoning', 'thought', claude],
      ['text', 'said', gemini],
      ['tool-call', null, gemini],
      ['text', 'go on', null],
      // Neither has anything to belong to, and both are kept.
      ['reasoning', '', gemini],
      ['reasoning', '', gemini],
    ],
  )
})

test('every item that nobody else understands is opaque', () => {
  const items = [
    'web_search_call',
    'computer_call',
    'local_shell_call',
    'mcp_call',
    'image_generation_call',
    'item_reference',
    'new_one',
  ]
  const turns = turnsOf(...items.map((type) => ({ type, id: 'x' })), { type: 'computer_call_output', output: {} })
  for (const [index, type] of items.entries()) {
    assert.deepEqual(turns[index], {
      role: 'assistant',
      blocks: [{ type: 'opaque', issuer: 'openai-responses', value: { type, id: 'x' }, path: `/input/${index}` }],
      path: `/input/${index}`,
    })
  }
  assert.equal(turns.at(-1)!.role, 'user')
  const [turn] = turnsOf({ role: 'user', content: [{ type: 'input_video', x: 1 }, { type: 'input_image' }] })
  assert.deepEqual(
    turn!.blocks.map((block) => (block.type === 'opaque' ? block.value : null)),
    [{ type: 'input_video', x: 1 }, { type: 'input_image' }],
  )
})
