import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadedKind, loadedType } from './media-type.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
const NONE = Buffer.from('nothing known')

test('the type of a file that was loaded', () => {
  const cases: [...Parameters<typeof loadedType>, type: string | null][] = [
    ['image', 'image/png', null, PNG, 'image/png'],
    ['image', 'IMAGE/PNG; a=b', null, PNG, 'image/png'],
    ['image', 'image/jpeg', null, PNG, 'image/png'],
    ['image', 'image/svg+xml', null, NONE, 'image/svg+xml'],
    ['image', null, null, PNG, 'image/png'],
    ['image', 'application/octet-stream', 'image/jpeg', PNG, 'image/png'],
    ['image', 'binary/octet-stream', 'image/jpeg', NONE, 'image/jpeg'],
    ['image', null, null, NONE, null],
    ['image', 'text/html', 'image/png', PNG, null],
    ['image', 'image/png', null, Buffer.from('%PDF-1.7'), null],
    ['audio', 'audio/mpeg', null, NONE, 'audio/mpeg'],
    ['audio', 'image/png', null, PNG, null],
    ['video', 'video/x-matroska', null, Buffer.from('1a45dfa3', 'hex'), 'video/x-matroska'],
    ['document', 'application/pdf', null, NONE, 'application/pdf'],
    ['document', 'text/csv', null, NONE, 'text/csv'],
    ['document', null, null, PNG, 'image/png'],
    ['document', 'multipart/mixed', null, NONE, null],
    ['document', 'application/octet-stream', null, NONE, null],
    ['document', 'text/plain"><', null, NONE, null],
  ]
  for (const [kind, contentType, told, body, type] of cases)
    assert.equal(loadedType(kind, contentType, told, body), type, `${kind} ${contentType}`)
  assert.deepEqual([loadedKind('document', 'image/png'), loadedKind('document', 'text/csv')], ['image', 'document'])
  assert.deepEqual([loadedKind('audio', 'application/ogg'), loadedKind('document', 'video/mp4')], ['audio', 'video'])
})
