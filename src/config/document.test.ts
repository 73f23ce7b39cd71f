import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FILE_BYTES_MAX, parseConfig, readDocument } from './document.ts'
import { ConfigError } from './error.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-document-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const lines = (act: () => unknown): readonly string[] => {
  try {
    act()
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError)
    return thrown.lines
  }
  assert.fail('nothing was thrown')
}

test('faults of syntax and repeated keys carry line and column', () => {
  assert.match(lines(() => parseConfig('a: 1\na: 2\n', 'f.yaml', {}))[0]!, /^f\.yaml:2:1: Map keys must be unique/)
  assert.match(lines(() => parseConfig('a:\n  b: [1,\n', 'f.yaml', {}))[0]!, /^f\.yaml:\d+:\d+: /)
  assert.match(lines(() => parseConfig('- a\n', 'f.yaml', {}))[0]!, /^f\.yaml:1:1: expected a mapping/)
})

test('an empty file is an empty configuration', () => {
  for (const text of ['', '# nothing\n', '---\n', 'null\n']) assert.deepEqual(parseConfig(text, 'f.yaml', {}), {})
})

test('variables are expanded; unquoted ones keep the type they spell', () => {
  const text =
    'port: ${PORT}\nquoted: "${PORT}"\nurl: http://${HOST:-localhost}:${PORT}/v1\nflag: ${FLAG}\nkept: $${PORT}\nlong: ${LONG}\n'
  assert.deepEqual(parseConfig(text, 'f.yaml', { PORT: '8000', FLAG: 'true', LONG: '12345678901234567890' }), {
    port: 8000,
    quoted: '8000',
    url: 'http://localhost:8000/v1',
    flag: true,
    kept: '${PORT}',
    long: '12345678901234567890',
  })
})

test('a variable that is set nowhere is an error at its place', () => {
  assert.deepEqual(
    lines(() => parseConfig('a: 1\nb:\n  c: ${NOWHERE}\n', 'f.yaml', {})),
    ['f.yaml:3:6: environment variable NOWHERE is not set and has no default.'],
  )
})

test('a value from the environment cannot add structure', () => {
  const values = parseConfig('key: ${KEY}\n', 'f.yaml', { KEY: 'a: b\nserver: { port: 1 }' })
  assert.deepEqual(values, { key: 'a: b\nserver: { port: 1 }' })
})

test('a file at the size bound is read, one byte more is refused', () => {
  const path = join(folder, 'large.yaml')
  const head = 'a: 1\n#'
  writeFileSync(path, head + 'x'.repeat(FILE_BYTES_MAX - head.length))
  assert.deepEqual(readDocument(path, folder, {}).values, { a: 1 })
  writeFileSync(path, head + 'x'.repeat(FILE_BYTES_MAX - head.length + 1))
  assert.match(lines(() => readDocument(path, folder, {}))[0]!, /larger than/)
})
