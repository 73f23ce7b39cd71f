import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block, MediaBlock, MediaSource } from '#ir/blocks.ts'
import { DocumentNames, joinBase64 } from './media.ts'
import { encode, turns } from './testbed.ts'

const media = (kind: MediaBlock['kind'], source: MediaSource, some: Partial<MediaBlock> = {}): Block => ({
  type: 'media',
  kind,
  source,
  path: '/m',
  ...some,
})
const base64 = (mimeType: string | null, data = 'AA=='): MediaSource => ({ type: 'base64', mimeType, data })

/** The content of the one message, and the losses. */
function sent(block: Block, role: 'user' | 'assistant' = 'user'): unknown[] {
  const { body, losses } = encode({ turns: turns([role, 'x', block]) })
  const [message] = body['messages'] as { content: unknown[] }[]
  return [...message!.content.slice(1), ...losses]
}

test('images keep their bytes, character for character', () => {
  for (const [mimeType, format] of [
    ['image/png', 'png'],
    ['image/jpeg', 'jpeg'],
    ['image/jpg', 'jpeg'],
    ['image/gif', 'gif'],
    ['IMAGE/WebP; q=1', 'webp'],
  ] as const)
    assert.deepEqual(sent(media('image', base64(mimeType, 'AA\n=='))), [
      { image: { format, source: { bytes: 'AA\n==' } } },
    ])
  assert.deepEqual(sent(media('image', base64('image/tiff'))), ['dropped! /m: Bedrock takes no image of this type'])
})

test('what nobody said is read from the beginning of the bytes', () => {
  const format = (data: string) =>
    (sent(media('image', base64(null, data)))[0] as { image?: { format: string } }).image?.format
  assert.equal(format('iVBORw0KGgoAAA'), 'png')
  assert.equal(format('/9j/4AAQ'), 'jpeg')
  assert.equal(format('R0lGODlh'), 'gif')
  assert.equal(format('UklGRgAA'), 'webp')
  assert.equal(format('AAAA'), undefined)
})

test('documents need a name and a format', () => {
  const pdf = (some: Partial<MediaBlock>) => sent(media('document', base64('application/pdf'), some))
  const document = (name: string, more = {}) => ({
    document: { name, format: 'pdf', source: { bytes: 'AA==' }, ...more },
  })
  assert.deepEqual(pdf({ filename: 'Q3 report.final.pdf' }), [document('Q3 report-final')])
  assert.deepEqual(pdf({ title: 'A  title' }), [document('A title')])
  assert.deepEqual(pdf({}), [document('document')])
  const ext = { 'anthropic-messages': { citations: { enabled: true }, context: 'c', odd: 1 } }
  assert.deepEqual(pdf({ ext }), [
    document('document', { context: 'c', citations: { enabled: true } }),
    'dropped /m/odd: Bedrock knows no such member',
  ])
})

test('documents by their types, by their names, and as plain text', () => {
  const format = (source: MediaSource, filename?: string) => {
    const [first, ...rest] = sent(media('document', source, filename === undefined ? {} : { filename }))
    return [(first as { document?: { format: string } }).document?.format ?? first, ...rest]
  }
  assert.deepEqual(format(base64('text/csv')), ['csv'])
  assert.deepEqual(format(base64('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')), ['xlsx'])
  assert.deepEqual(format(base64(null, 'JVBERi0xLjQ')), ['pdf'])
  assert.deepEqual(format(base64(null), 'a.DOCX'), ['docx'])
  assert.deepEqual(format(base64('application/json')), ['txt', 'rewritten /m: Bedrock reads this type as plain text'])
  assert.deepEqual(format(base64('application/zip')), ['dropped! /m: Bedrock takes no document of this type'])
  assert.deepEqual(format(base64(null), 'a.zip'), ['dropped! /m: Bedrock takes no document of this type'])
})

test('a text document is sent as its bytes', () => {
  const bytes = Buffer.from('é🚀').toString('base64')
  assert.deepEqual(sent(media('document', { type: 'text', mimeType: null, text: 'é🚀' })), [
    { document: { name: 'document', format: 'txt', source: { bytes } } },
  ])
})

test('no name twice, and none with characters that Bedrock refuses', () => {
  const names = new DocumentNames()
  const given = ['a.pdf', 'A.docx', 'a.v2.pdf', undefined, '年報.pdf', '...', 'x (1) [b]-c', `${'y'.repeat(300)}.pdf`]
  assert.deepEqual(
    given.map((name) => names.nameOf(name)),
    ['a', 'A (2)', 'a-v2', 'document', 'document (2)', 'document (3)', 'x (1) [b]-c', 'y'.repeat(200)],
  )
})

test('a document without a text beside it gets one', () => {
  const document = media('document', base64('application/pdf'))
  const { body, losses } = encode({ turns: turns(['user', document], ['user', ' ']) })
  const [message] = body['messages'] as { content: unknown[] }[]
  assert.deepEqual(message!.content.at(-1), { text: '.' })
  assert.deepEqual(losses, [
    'dropped /messages/1/content/0: Bedrock takes no blank text',
    'emulated /messages/0: Bedrock wants a text beside a document',
  ])
})

test('remote media are lost unless they lie in S3', () => {
  const url = (address: string): MediaSource => ({ type: 'url', mimeType: 'image/png', url: address })
  assert.deepEqual(sent(media('image', url('https://a.example/x.png'))), ['dropped! /m: Bedrock takes no remote image'])
  assert.deepEqual(sent(media('image', url('s3://bucket/key'))), [
    { image: { format: 'png', source: { s3Location: { uri: 's3://bucket/key' } } } },
  ])
})

test("files of others, audio, video, and the model's own media", () => {
  const file: MediaSource = { type: 'file', issuer: 'openai-responses', id: 'file-1', mimeType: null }
  assert.deepEqual(sent(media('document', file)), ['dropped! /m: a file of openai-responses means nothing to Bedrock'])
  assert.deepEqual(sent(media('audio', base64('audio/wav'))), ['dropped! /m: Bedrock takes no audio'])
  assert.deepEqual(sent(media('video', base64('video/quicktime'))), [
    { video: { format: 'mov', source: { bytes: 'AA==' } } },
  ])
  assert.deepEqual(sent(media('video', base64('video/x-unknown'))), [
    'dropped! /m: Bedrock takes no video of this type',
  ])
  assert.deepEqual(sent(media('image', base64('image/png')), 'assistant'), [
    'dropped! /m: Bedrock takes media from the user only',
  ])
})

test('the detail of an image and a foreign seal are declared', () => {
  const seal = { issuer: 'gemini', kind: 'signature', value: 's' } as const
  const image = { image: { format: 'png', source: { bytes: 'AA==' } } }
  assert.deepEqual(sent(media('image', base64('image/png'), { detail: 'high', seal })), [
    image,
    'dropped /m: foreign_reasoning',
    'dropped /m/detail: Bedrock has no detail of an image',
  ])
  assert.deepEqual(sent(media('image', base64('image/png'), { detail: 'auto' })), [image])
})

test('pieces of base64 are joined as bytes', () => {
  assert.equal(joinBase64(['AA==']), 'AA==')
  assert.equal(joinBase64(['AA==', 'AQI=']), 'AAEC')
})
