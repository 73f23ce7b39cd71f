import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renameEdits } from './request-fields.ts'

test('a name is only put where another one stands, by its letters and by what they mean', () => {
  const isRenamed = (written: string, name: string): boolean => {
    const body = Buffer.from(written)
    const [edit, ...others] = renameEdits(body, { start: 0, end: body.length }, name)
    if (edit) assert.deepEqual([edit.bytes.toString(), edit.start, edit.end], [JSON.stringify(name), 0, body.length])
    assert.equal(others.length, 0)
    return edit !== undefined
  }
  for (const name of ['m', 'vendor/m:1', '', 'mödel', 'a\\b', '🚀'])
    assert.equal(isRenamed(JSON.stringify(name), name), false, name)
  assert.equal(isRenamed('"m"', 'n'), true)
  assert.equal(isRenamed('"m"', 'mm'), true)
  assert.equal(isRenamed('"\\u006d"', 'm'), true, 'the same name in other bytes')
  assert.equal(isRenamed('"a\\b"', 'a\\b'), true, 'a backslash of the name is no escape')
  assert.equal(isRenamed('"Ã¶"', 'ö'), true)
  assert.equal(isRenamed('null', 'ul'), true, 'no name at all')
})
