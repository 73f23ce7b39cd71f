import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createCapture } from './capture.ts'
import type { RequestRow } from './request-row.ts'

const folder = mkdtempSync(join(tmpdir(), 'capture-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const row = (id: string): RequestRow => ({ request_id: id, charged_cost_nano: 5n, status: 'ok' }) as RequestRow
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('each request is one line, amounts as text, readable by its owner only', async () => {
  const path = join(folder, 'new', 'a.jsonl')
  const capture = createCapture(path)
  for (const id of ['a', 'b']) capture.append(row(id))
  await capture.close()
  assert.deepEqual(
    linesOf(path),
    ['a', 'b'].map((request_id) => ({ request_id, charged_cost_nano: '5', status: 'ok' })),
  )
  assert.equal(statSync(path).mode & 0o777, 0o600)
  const again = createCapture(path)
  again.append(row('c'))
  await again.close()
  assert.equal(linesOf(path).length, 3)
})

test('a full file is put aside, and two are kept', async () => {
  const path = join(folder, 'b.jsonl')
  const { length } = `${JSON.stringify({ request_id: 'a', charged_cost_nano: '5', status: 'ok' })}\n`
  for (const [index, id] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const capture = createCapture(path, { bytesMax: 2 * length })
    capture.append(row(id))
    await capture.close()
    assert.ok(statSync(path).size <= 2 * length, String(index))
  }
  assert.deepEqual(
    linesOf(`${path}.1`).map((line) => line.request_id),
    ['c', 'd'],
  )
  assert.deepEqual(
    linesOf(path).map((line) => line.request_id),
    ['e'],
  )
})

test('what waits is bounded, and what is left out is counted', async () => {
  const path = join(folder, 'c.jsonl')
  const { length } = `${JSON.stringify({ request_id: 'a', charged_cost_nano: '5', status: 'ok' })}\n`
  const capture = createCapture(path, { waitingBytesMax: 2 * length })
  for (const id of ['a', 'b', 'c']) capture.append(row(id))
  assert.equal(capture.dropped, 1)
  await capture.close()
  assert.equal(linesOf(path).length, 2)
})

test('a place that cannot be written is refused at once', () => {
  assert.throws(() => createCapture(folder), /EISDIR/)
})
