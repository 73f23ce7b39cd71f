import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileTypeOf } from './file-type.ts'

test('files are known by their first bytes', () => {
  const cases: readonly (readonly [text: string, type: string | null])[] = [
    ['\x89PNG\r\n\x1a\n\0\0', 'image/png'],
    ['\xff\xd8\xff\xe0', 'image/jpeg'],
    ['GIF89a', 'image/gif'],
    ['RIFF\n\r\0\0WEBPVP8 ', 'image/webp'],
    ['RIFF\0\0\0\0WAVEfmt ', 'audio/wav'],
    ['BM\x01\x02\x03\x04\0\0\0\0', 'image/bmp'],
    ['\0\0\0\x1cftypavif', 'image/avif'],
    ['\0\0\0\x1cftypheic', 'image/heic'],
    ['\0\0\0\x1cftypM4A ', 'audio/mp4'],
    ['\0\0\0\x1cftypisom', 'video/mp4'],
    ['%PDF-1.7', 'application/pdf'],
    ['ID3\x04', 'audio/mpeg'],
    ['OggS', 'audio/ogg'],
    ['\x1a\x45\xdf\xa3', 'video/webm'],
    ['<svg xmlns="http', null],
    ['BMW is a car, and ', null],
    ['RIFF\0\0\0\0AVI LIST', null],
    ['', null],
  ]
  for (const [text, type] of cases) assert.equal(fileTypeOf(Buffer.from(text, 'latin1')), type, JSON.stringify(text))
})
