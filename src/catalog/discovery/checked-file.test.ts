import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import {
  type Check,
  CHECKED_BYTES_MAX,
  CHECKED_ENTRIES_MAX,
  CHECKED_FILE,
  readChecked,
  writeChecked,
} from './checked-file.ts'
import { DISCOVERED_FOLDER } from './discovered-file.ts'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'trivium-checked-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const check = (change: Partial<Check> = {}): Check => ({
  model: 'm',
  group: 'default',
  protocol: 'chat',
  checked_at: '2026-11-21T00:00:00.000Z',
  results: { chat: 'pass' },
  ...change,
})

test('R121: a check replaces the one before it, and no other', () => {
  assert.deepEqual(readChecked(folder), [])
  const others = [check({ model: 'n' }), check({ group: 'gold' }), check({ protocol: 'gemini' })]
  writeChecked(folder, [check(), ...others])
  const later = check({ checked_at: '2026-11-22T00:00:00.000Z', results: { chat: 'fail' } })
  writeChecked(folder, [later])
  assert.deepEqual(readChecked(folder), [...others, later])
})

test(`R121: ${CHECKED_ENTRIES_MAX} checks are kept, the newest ones`, () => {
  writeChecked(
    folder,
    Array.from({ length: CHECKED_ENTRIES_MAX }, (_, at) => check({ model: `m${at}` })),
  )
  writeChecked(folder, [check({ model: 'new' })])
  const kept = readChecked(folder).map(({ model }) => model)
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [CHECKED_ENTRIES_MAX, 'm1', 'new'])
})

test('R121: a file that is not ours is told by its name, and the next check replaces it', () => {
  writeChecked(folder, [check()])
  const path = join(folder, DISCOVERED_FOLDER, CHECKED_FILE)
  for (const text of ['{', '[]', '{"checks":[{"model":1}]}']) {
    writeFileSync(path, text)
    assert.throws(() => readChecked(folder), /checked\.json: not what check-model writes/)
  }
  truncateSync(path, CHECKED_BYTES_MAX + 1)
  assert.throws(() => readChecked(folder), /checked\.json: larger than/)
  writeChecked(folder, [check()])
  assert.deepEqual(readChecked(folder), [check()])
})
