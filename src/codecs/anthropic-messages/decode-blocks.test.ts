import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sealEnvelope } from '#codecs/seal-envelope.ts'
import type { Block } from '#ir/blocks.ts'
import { decoded } from './testbed.ts'

const P = 'anthropic-messages'

function blocksOf(content: unknown, role = 'user'): readonly Block[] {
  return decoded({ messages: [{ role, content }] }).turns[0]!.blocks
}

/** The only block of a content that holds this one. */
function blockOf(block: unknown, role = 'user'): Block {
  const [only, ...others] = blocksOf([block], role)
  assert.deepEqual(others, [])
  return only!
}

describe('blocks', () => {
  const path = '/messages/0/content/0'

  test('text with sources', () => {
    const web = {
      type: 'web_search_result_location',
      url: 'https://a.test',
      title: 'A',
      cited_text: 'q',
      encrypted_index: 'e',
    }
    const page = {
      type: 'page_location',
      document_title: 'D',
      cited_text: 'p',
      document_index: 0,
      start_page_number: 1,
    }
    const found = { type: 'search_result_location', source: 'https://b.test', title: null, cited_text: 'r' }
    assert.deepEqual(blockOf({ type: 'text', text: 't', citations: [web, page, found] }), {
      type: 'text',
      text: 't',
      path,
      citations: [
        { url: 'https://a.test', title: 'A', citedText: 'q', native: { issuer: P, value: web } },
        { title: 'D', citedText: 'p', native: { issuer: P, value: page } },
        { url: 'https://b.test', citedText: 'r', native: { issuer: P, value: found } },
      ],
    })
    assert.deepEqual(blockOf({ type: 'text', text: '', citations: null }), {
      type: 'text',
      text: '',
      path,
      ext: { [P]: { citations: null } },
    })
  })

  test('images by bytes, address and file', () => {
    const image = (source: unknown, more = {}) => blockOf({ type: 'image', source, ...more })
    const media = { type: 'media', kind: 'image', path }
    assert.deepEqual(image({ type: 'base64', media_type: 'image/png', data: 'AA==' }), {
      ...media,
      source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    })
    assert.deepEqual(image({ type: 'url', url: 'https://a.test/x' }, { cache_control: { type: 'ephemeral' } }), {
      ...media,
      source: { type: 'url', mimeType: null, url: 'https://a.test/x' },
      cacheControl: { type: 'ephemeral' },
    })
    assert.deepEqual(image({ type: 'file', file_id: 'f_1' }, { transformations: {} }), {
      ...media,
      source: { type: 'file', issuer: P, id: 'f_1', mimeType: null },
      ext: { [P]: { transformations: {} } },
    })
    const later = { type: 'image', source: { type: 'hologram', data: 'x' } }
    assert.deepEqual(blockOf(later), { type: 'opaque', issuer: P, value: later, path })
  })

  test('documents of every kind of source', () => {
    const document = (source: unknown, more = {}) => blockOf({ type: 'document', source, ...more })
    const media = { type: 'media', kind: 'document', path }
    assert.deepEqual(document({ type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, { title: 'T' }), {
      ...media,
      source: { type: 'base64', mimeType: 'application/pdf', data: 'JVBE' },
      title: 'T',
    })
    const told = { context: 'c', citations: { enabled: true } }
    assert.deepEqual(document({ type: 'text', media_type: 'text/plain', data: 'words' }, told), {
      ...media,
      source: { type: 'text', mimeType: 'text/plain', text: 'words' },
      ext: { [P]: told },
    })
    const content = {
      type: 'content',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    }
    assert.deepEqual(document(content), {
      ...media,
      source: { type: 'text', mimeType: 'text/plain', text: 'a\nb' },
      ext: { [P]: { source: content } },
    })
  })

  test('calls keep their arguments as text', () => {
    const caller = { type: 'direct' }
    assert.deepEqual(blockOf({ type: 'tool_use', id: 't_1', name: 'f', input: { a: [1] }, caller }, 'assistant'), {
      type: 'tool-call',
      id: 't_1',
      name: 'f',
      arguments: '{"a":[1]}',
      kind: 'function',
      path,
      ext: { [P]: { caller } },
    })
    const stoodIn = { type: 'tool_use', id: 't_1', name: 'f', input: { __invalid_json: '{"a":' } }
    const call = blockOf(stoodIn, 'assistant')
    assert.equal(call.type === 'tool-call' && call.arguments, '{"a":')
  })

  test('results of text, blocks and nothing', () => {
    const result = (members: object) => blockOf({ type: 'tool_result', tool_use_id: 't_1', ...members })
    const base = { type: 'tool-result', callId: 't_1', name: null, kind: 'function', path }
    const inside = `${path}/content`
    assert.deepEqual(result({}), { ...base, content: [], isError: null })
    assert.deepEqual(result({ content: [], is_error: false }), {
      ...base,
      content: [],
      isError: false,
      ext: { [P]: { content: [] } },
    })
    assert.deepEqual(result({ content: '', is_error: true, cache_control: { type: 'ephemeral' } }), {
      ...base,
      content: [{ type: 'text', text: '', path: inside }],
      isError: true,
      cacheControl: { type: 'ephemeral' },
    })
    const found = {
      type: 'search_result',
      source: 'https://a.test',
      title: 'A',
      content: [{ type: 'text', text: 'x' }],
      citations: { enabled: true },
    }
    const reference = { type: 'tool_reference', tool_name: 'g' }
    const { title, ...rest } = found
    assert.deepEqual(result({ content: [found, reference] }), {
      ...base,
      isError: null,
      content: [
        {
          type: 'media',
          kind: 'document',
          source: { type: 'text', mimeType: 'text/plain', text: 'x' },
          title,
          path: `${inside}/0`,
          ext: { [P]: rest },
        },
        { type: 'opaque', issuer: P, value: reference, path: `${inside}/1` },
      ],
    })
  })

  test('what the provider ran, and what nobody knows, is its own', () => {
    for (const type of ['server_tool_use', 'web_search_tool_result', 'mcp_tool_use', 'compaction', 'never_heard_of']) {
      const value = { type, id: 's_1', content: null }
      assert.deepEqual(blockOf(value, 'assistant'), { type: 'opaque', issuer: P, value, path })
    }
  })
})

describe('reasoning and seals', () => {
  const path = '/messages/0/content/0'

  test('the API’s own signatures', () => {
    assert.deepEqual(blockOf({ type: 'thinking', thinking: 'hm', signature: 'S==' }, 'assistant'), {
      type: 'reasoning',
      text: 'hm',
      seal: { issuer: P, kind: 'signature', value: 'S==' },
      id: null,
      path,
    })
    assert.deepEqual(blockOf({ type: 'redacted_thinking', data: 'D==' }, 'assistant'), {
      type: 'reasoning',
      text: '',
      seal: { issuer: P, kind: 'encrypted', value: 'D==' },
      id: null,
      path,
    })
  })

  test('unsigned reasoning keeps its text, and how it was unsigned', () => {
    const unsigned = { type: 'reasoning', text: 'hm', seal: null, id: null, path }
    const thinking = { type: 'thinking', thinking: 'hm' }
    assert.deepEqual(blockOf(thinking), { ...unsigned, ext: { [P]: {} } })
    assert.deepEqual(blockOf({ ...thinking, signature: '' }), { ...unsigned, ext: { [P]: { signature: '' } } })
    assert.deepEqual(blockOf({ ...thinking, signature: null }), { ...unsigned, ext: { [P]: { signature: null } } })
  })

  test('foreign seals come back to where they were', () => {
    const reasoning = { issuer: 'openai-responses', kind: 'encrypted', value: 'E' } as const
    const call = { issuer: 'gemini', kind: 'signature', value: 'C' } as const
    const text = { issuer: 'gemini', kind: 'signature', value: 'T' } as const
    const redacted = (entry: Parameters<typeof sealEnvelope>[0][number]) => ({
      type: 'redacted_thinking',
      data: sealEnvelope([entry]),
    })
    const blocks = blocksOf(
      [
        {
          type: 'thinking',
          thinking: 'seen',
          signature: sealEnvelope([{ seal: reasoning, place: 'reasoning', id: 'rs_1' }]),
        },
        redacted({ seal: reasoning, place: 'reasoning', text: 'unseen' }),
        { type: 'text', text: 'hi' },
        redacted({ seal: text, place: 'text' }),
        redacted({ seal: text, place: 'text', text: '' }),
        redacted({ seal: text, place: 'text' }),
        { type: 'text', text: 'unsealed' },
        redacted({ seal: text, place: 'text', text: '' }),
        redacted({ seal: call, place: 'tool-call' }),
        { type: 'tool_use', id: 't_1', name: 'f', input: {} },
      ],
      'assistant',
    )
    const at = (index: number) => `/messages/0/content/${index}`
    assert.deepEqual(blocks, [
      { type: 'reasoning', text: 'seen', seal: reasoning, id: 'rs_1', path: at(0) },
      { type: 'reasoning', text: 'unseen', seal: reasoning, id: null, path: at(1) },
      { type: 'text', text: 'hi', seal: text, path: at(2) },
      { type: 'text', text: '', seal: text, path: at(4) },
      { type: 'text', text: '', seal: text, path: at(5) },
      { type: 'text', text: 'unsealed', path: at(6) },
      { type: 'text', text: '', seal: text, path: at(7) },
      { type: 'tool-call', id: 't_1', name: 'f', arguments: '{}', kind: 'function', seal: call, path: at(9) },
    ])
  })

  test('the seal of a call that is gone is not', () => {
    const seal = { issuer: 'gemini', kind: 'signature', value: 'C' } as const
    const data = sealEnvelope([{ seal, place: 'tool-call' }])
    assert.deepEqual(blocksOf([{ type: 'redacted_thinking', data }], 'assistant'), [
      { type: 'reasoning', text: '', id: null, seal, path },
    ])
  })
})
