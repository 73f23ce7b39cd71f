import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { openStore } from '#store/store.ts'
import { ensurePepper, ensureSecret } from './secrets.ts'

const root = mkdtempSync(path.join(tmpdir(), 'trivium-secrets-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('a secret is made once, beside others, in a file for its owner only', () => {
  const file = path.join(root, 'new', 'secrets.json')
  const first = ensureSecret(file, 'one')
  const second = ensureSecret(file, 'two', () => 'made')
  assert.match(first, /^[0-9a-f]{64}$/)
  assert.equal(second, 'made')
  assert.equal(ensureSecret(file, 'one'), first)
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { one: first, two: 'made' })
  assert.equal(statSync(file).mode & 0o777, 0o600)
  chmodSync(file, 0o644)
  ensureSecret(file, 'one')
  assert.equal(statSync(file).mode & 0o777, 0o600)
})

test('a damaged file is an error and not a new secret, and its text stays out of the message', () => {
  for (const text of ['{"one": "hidden', '["hidden"]', '"hidden"', '']) {
    const file = path.join(root, 'damaged.json')
    writeFileSync(file, text)
    assert.throws(
      () => ensureSecret(file, 'one'),
      (thrown: Error) => /is damaged/.test(thrown.message) && !thrown.message.includes('hidden'),
    )
    assert.equal(readFileSync(file, 'utf8'), text)
  }
})

test('with SQLite the pepper is in the data folder and not in the database', async () => {
  const dataDir = path.join(root, 'data')
  const store = await openStore({ kind: 'sqlite', file: path.join(dataDir, 'trivium.db') })
  const pepper = await ensurePepper(store, dataDir)
  assert.equal(await ensurePepper(store, dataDir), pepper)
  assert.deepEqual(await store.read.selectFrom('settings').selectAll().execute(), [])
  await store.close()
})
