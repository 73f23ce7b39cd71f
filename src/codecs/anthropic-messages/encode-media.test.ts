import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { media, messagesOf, text, turn } from './testbed.ts'

const P = 'anthropic-messages'

describe('media', () => {
  /** The block that the API gets, and what was lost. */
  const blockOf = (block: Parameters<typeof media>[0]) => {
    const { messages, losses } = messagesOf(turn('user', [text('a', '/0/0'), media(block)]))
    return [(messages as { content: unknown[] }[])[0]!.content[1], losses]
  }
  const path = '/messages/0/content/1'

  test('images', () => {
    const bytes = (mimeType: string | null, data: string) =>
      blockOf({ kind: 'image', source: { type: 'base64', mimeType, data } })
    const image = (mediaType: string, data: string) => ({
      type: 'image',
      source: { type: 'base64', media_type: mediaType, data },
    })
    assert.deepEqual(bytes('image/webp', 'AA=='), [image('image/webp', 'AA=='), []])
    assert.deepEqual(bytes('image/jpg', '/9j/'), [image('image/jpeg', '/9j/'), []])
    assert.deepEqual(bytes(null, 'iVBORw0KGgoAAA'), [image('image/png', 'iVBORw0KGgoAAA'), []])
    const source = { type: 'url', mimeType: 'image/png', url: 'https://a.test/x.png' } as const
    assert.deepEqual(blockOf({ kind: 'image', source, detail: 'low', cacheControl: { type: 'ephemeral' } }), [
      { type: 'image', source: { type: 'url', url: source.url }, cache_control: { type: 'ephemeral' } },
      [`dropped ${path}`],
    ])
    assert.deepEqual(blockOf({ kind: 'image', source, detail: 'auto' })[1], [])
  })

  test('documents', () => {
    const bytes = (mimeType: string | null, data: string, more: object = {}) =>
      blockOf({ kind: 'document', source: { type: 'base64', mimeType, data }, ...more })
    const pdf = { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0x' }
    assert.deepEqual(bytes(null, 'JVBERi0x', { filename: 'a.pdf' }), [
      { type: 'document', source: pdf, title: 'a.pdf' },
      [],
    ])
    const plain = { type: 'text', media_type: 'text/plain', data: 'a,b' }
    assert.deepEqual(bytes('text/csv', 'YSxi', { title: 'T', filename: 'a.csv' }), [
      { type: 'document', source: plain, title: 'T' },
      [`rewritten ${path}`],
    ])
    assert.deepEqual(bytes('application/msword', 'AA=='), [undefined, [`dropped! ${path}`]])
    const source = { type: 'text', mimeType: 'text/plain', text: 'a,b' } as const
    assert.deepEqual(blockOf({ kind: 'document', source }), [{ type: 'document', source: plain }, []])
  })

  test('files of the API, and of others', () => {
    const file = (issuer: typeof P | 'gemini') => ({ type: 'file', issuer, id: 'f_1', mimeType: null }) as const
    const told = { type: 'document', source: { type: 'file', file_id: 'f_1' } }
    assert.deepEqual(blockOf({ kind: 'document', source: file(P) }), [told, []])
    assert.deepEqual(blockOf({ kind: 'document', source: file('gemini') }), [undefined, [`dropped! ${path}`]])
  })

  test('sound and films have no place', () => {
    const source = { type: 'base64', mimeType: 'audio/wav', data: 'AA==' } as const
    assert.deepEqual(blockOf({ kind: 'audio', source }), [undefined, [`dropped! ${path}`]])
    assert.deepEqual(blockOf({ kind: 'video', source }), [undefined, [`dropped! ${path}`]])
  })
})
