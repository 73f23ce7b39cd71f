import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MediaBlock } from '#ir/blocks.ts'
import { familyOf } from './count-tokens.ts'
import type { ImageRule } from './family.ts'
import { countPixels, estimateMedia } from './media.ts'
import { media } from './testbed.ts'

const estimate = (block: MediaBlock, model: string) => estimateMedia(block, familyOf(model, '').family, model)

const base64 = (bytes: Buffer | string, mimeType: string | null = null): MediaBlock['source'] => ({
  type: 'base64',
  mimeType,
  data: Buffer.from(bytes).toString('base64'),
})

/** The head of a PNG of that size. */
function png(width: number, height: number): Buffer {
  const bytes = Buffer.from('89504e470d0a1a0a0000000d494844520000000000000000', 'hex')
  bytes.writeUInt32BE(width, 16)
  bytes.writeUInt32BE(height, 20)
  return bytes
}

test('the formulas give what the providers’ documents say', () => {
  const rows: [ImageRule, number, number, number][] = [
    [{ type: 'tiles', base: 85, tile: 170 }, 1024, 1024, 765],
    [{ type: 'tiles', base: 85, tile: 170 }, 2048, 4096, 1105],
    [{ type: 'tiles', base: 85, tile: 170 }, 1, 1, 255],
    [{ type: 'patches', side: 32, factor: 1, patchesMax: 1536 }, 1024, 1024, 1024],
    [{ type: 'patches', side: 32, factor: 1, patchesMax: 1536 }, 9000, 9000, 1536],
    [{ type: 'area', edgeMax: 1568, tokensMax: 1600 }, 750, 100, 100],
    [{ type: 'area', edgeMax: 1568, tokensMax: 1600 }, 4000, 4000, 1600],
    [{ type: 'gemini' }, 384, 384, 258],
    [{ type: 'gemini' }, 1000, 600, 516],
    [{ type: 'fixed', tokens: 9 }, 1000, 600, 9],
  ]
  for (const [rule, width, height, tokens] of rows)
    assert.equal(countPixels({ width, height }, rule), tokens, JSON.stringify([rule, width, height]))
  assert.equal(countPixels({ width: 0, height: 0 }, { type: 'gemini' }), 258)
})

test('a picture is measured by its head, in the way of its model', async () => {
  const picture = media('image', base64(png(1024, 1024)))
  assert.deepEqual(await estimate(picture, 'gpt-4o'), { tokens: 765, errorBoundPercent: 25 })
  assert.deepEqual(await estimate(picture, 'gpt-4o-mini'), { tokens: 2_833 + 4 * 5_667, errorBoundPercent: 25 })
  assert.deepEqual(await estimate({ ...picture, detail: 'low' }, 'gpt-4o'), { tokens: 85, errorBoundPercent: 25 })
})

test('a picture behind a link or of unknown form is a guess, and says so', async () => {
  const link = media('image', { type: 'url', mimeType: null, url: 'https://example.com/a.png' })
  const expected = { tokens: (640 * 480) / 750, errorBoundPercent: 100 }
  assert.deepEqual(await estimate(link, 'claude-sonnet-4-6'), expected)
  assert.deepEqual(await estimate(media('image', base64('<svg/>')), 'claude-sonnet-4-6'), expected)
})

test('the pages of a PDF are counted where it shows them, also across slices', async () => {
  const page = '<< /Type /Page /Parent 1 0 R >>'
  const small = `%PDF-1.4\n<< /Type /Pages /Count 3 >>\n${page}\n${page.replace('e /P', 'e/P')}\n<</Type/Page>>`
  const expected = (tokens: number) => ({ tokens, errorBoundPercent: 100 })
  assert.deepEqual(
    await estimate(media('document', base64(small, 'application/pdf')), 'gemini-2.5-flash'),
    expected(3 * 258),
  )
  // Every page is found once, wherever the slices of 192 KiB end.
  const large = page.padEnd(1_000, '.').repeat(500)
  assert.deepEqual(
    await estimate(media('document', base64(large, 'application/pdf')), 'gemini-2.5-flash'),
    expected(500 * 258),
  )
  const packed = media('document', base64(Buffer.alloc(200_000), 'application/pdf'))
  assert.deepEqual(await estimate(packed, 'gemini-2.5-flash'), expected(4 * 258))
  const link = media('document', { type: 'url', mimeType: null, url: 'https://example.com/a.pdf' })
  assert.deepEqual(await estimate(link, 'gemini-2.5-flash'), expected(4 * 258))
})

test('other documents by their bytes, sound and film by their length', async () => {
  const tokens = async (block: MediaBlock) => (await estimate(block, 'gemini-2.5-flash')).tokens
  assert.equal(await tokens(media('document', base64(Buffer.alloc(300), 'text/csv'))), 75)
  const word = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
  assert.equal(await tokens(media('document', base64(Buffer.alloc(2400), word))), 30)
  assert.equal(await tokens(media('audio', base64(Buffer.alloc(48_000), 'audio/mpeg'))), 3 * 32)
  assert.equal(await tokens(media('audio', base64(Buffer.alloc(48_000), 'audio/wav'))), 32)
  assert.equal(await tokens(media('video', base64(Buffer.alloc(750_000), 'video/mp4'))), 3 * 263)
  const link = { type: 'url', mimeType: 'video/mp4', url: 'https://example.com/a.mp4' } as const
  assert.equal(await tokens(media('video', link)), 30 * 263)
})
