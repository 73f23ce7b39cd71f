import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readImageSize } from './image-size.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const webp = (kind: string, rest: string): Buffer =>
  Buffer.concat([Buffer.from('RIFF\0\0\0\0WEBP'), Buffer.from(kind), hex('00000000'), hex(rest)])

test('PNG, GIF and JPEG', () => {
  const png = hex('89504e470d0a1a0a 0000000d 49484452 00000280 000001e0')
  assert.deepEqual(readImageSize(png), { width: 640, height: 480 })
  assert.deepEqual(readImageSize(Buffer.concat([Buffer.from('GIF89a'), hex('8002e001')])), { width: 640, height: 480 })
  // Start, a quantisation table of four bytes, a filling byte, then the frame header.
  const jpeg = hex('ffd8 ffdb00040000 ff ffc0 0011 08 01e0 0280 03')
  assert.deepEqual(readImageSize(jpeg), { width: 640, height: 480 })
})

test('the three kinds of WebP', () => {
  assert.deepEqual(readImageSize(webp('VP8 ', '000000 9d012a 8002 e001')), { width: 640, height: 480 })
  const bits = Buffer.alloc(4)
  bits.writeUInt32LE(639 | (479 << 14))
  assert.deepEqual(readImageSize(webp('VP8L', `2f${bits.toString('hex')}0000000000`)), { width: 640, height: 480 })
  assert.deepEqual(readImageSize(webp('VP8X', '00000000 7f0200 df0100')), { width: 640, height: 480 })
})

test('anything else, and what ends too early, has no size', () => {
  for (const bytes of ['', '00', '89504e470d0a1a0a', 'ffd8ff', 'ffd8 ffdb0004', 'ffd8 00112233445566778899'])
    assert.equal(readImageSize(hex(bytes)), null, bytes)
  assert.equal(readImageSize(webp('VP9 ', '00000000000000000000')), null)
  assert.equal(readImageSize(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')), null)
})
