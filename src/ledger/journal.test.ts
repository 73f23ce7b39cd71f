import assert from 'node:assert/strict'
import { appendFileSync, fstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openJournal } from './journal.ts'

const folderOf = (t: { after(work: () => void): void }) => {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-journal-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('records survive a process that ends without a word, in order, and are read once', (t) => {
  const folder = folderOf(t)
  const first = openJournal(folder)
  for (const record of ['a', '{"x":"日本"}', 'c']) first.journal.append(record)
  const second = openJournal(folder)
  assert.deepEqual([...second.records], ['a', '{"x":"日本"}', 'c'])
  second.journal.append('d')
  second.clear()
  assert.deepEqual([...openJournal(folder).records], ['d'])
})

test('what the database took is removed with its segment; what it did not take stays', (t) => {
  const folder = folderOf(t)
  const { journal } = openJournal(folder, 50)
  const written = Array.from({ length: 10 }, (_, at) => journal.append(`record ${at} ${'x'.repeat(20)}`))
  assert.equal(journal.waiting, 10)
  const before = readdirSync(folder).length
  assert.ok(before >= 5)
  for (const segment of written.slice(0, 7)) journal.applied(segment)
  assert.equal(journal.waiting, 3)
  assert.ok(readdirSync(folder).length < before)
  const again = openJournal(folder)
  assert.ok(again.records.length >= 3)
  assert.deepEqual(
    again.records.slice(-3).map((record) => record.slice(0, 8)),
    ['record 7', 'record 8', 'record 9'],
  )
  for (const segment of written.slice(7)) journal.applied(segment)
  assert.equal(journal.waiting, 0)
  assert.throws(() => journal.applied(written[9]!), RangeError)
})

test('a segment of applied records begins anew, and a clean close leaves nothing behind', (t) => {
  const folder = folderOf(t)
  const { journal } = openJournal(folder, 100)
  for (let round = 0; round < 20; round++) {
    journal.applied(journal.append('x'.repeat(60)))
  }
  assert.deepEqual(readdirSync(folder).length, 1)
  journal.applied(journal.append('last'))
  journal.close()
  assert.deepEqual(readdirSync(folder), [])
})

test('a torn last line is no record; a damaged line is counted', (t) => {
  const folder = folderOf(t)
  const { journal } = openJournal(folder)
  journal.append('whole')
  journal.append('damaged')
  const file = join(folder, readdirSync(folder)[0]!)
  writeFileSync(file, readFileSync(file, 'utf8').replace('damaged', 'demaged'))
  appendFileSync(file, '0badc0de torn')
  const { records, damaged } = openJournal(folder)
  assert.deepEqual([...records], ['whole'])
  assert.equal(damaged, 1)
})

test('what was written is brought to the disk a little later, and a closed segment is not touched again', async (t) => {
  const folder = folderOf(t)
  const failures: unknown[] = []
  const { journal } = openJournal(folder, 40, (cause) => failures.push(cause))
  const segments = ['one', 'two', 'three'].map((record) => journal.append(record.repeat(15)))
  assert.ok(segments.every(({ isDirty }) => isDirty))
  // Applied before it was synced: the database has it on the disk.
  journal.applied(segments[0]!)
  await waitFor(() => segments.slice(1).every(({ isDirty, isSyncing }) => !isDirty && !isSyncing))
  assert.ok(segments[0]!.isDirty)
  const last = journal.append('four')
  // Its sync has begun, and may have ended where this process was held up.
  await waitFor(() => !last.isDirty)
  // Closed behind the sync that is under way: a handle of another file would be an error or, worse, that file.
  journal.close()
  await waitFor(() => !last.isSyncing)
  assert.throws(() => fstatSync(last.handle), { code: 'EBADF' })
  assert.deepEqual(failures, [])
})

/** Turns of the event loop until it holds; the runner's own time limit ends a wait for nothing. */
async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}
