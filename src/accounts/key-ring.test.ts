import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { openStore } from '#store/store.ts'
import { createAccounts } from './accounts.ts'
import { createKeys } from './keys.ts'
import { createKeyRing } from './key-ring.ts'
import { newKeyText } from './key-text.ts'

const codeOf = async (find: () => unknown): Promise<string> => {
  try {
    await find()
    return 'found'
  } catch (error) {
    return (error as GatewayError).code
  }
}

test('S11: ten thousand wrong checksums cost no query, and ten thousand right ones open nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-ring-'))
  const store = await openStore({ kind: 'sqlite', file: join(folder, 'test.db') })
  const ring = createKeyRing(store, 'pepper')
  const valid = Array.from({ length: 10_000 }, newKeyText)
  const codes = await Promise.all(valid.map((key) => codeOf(() => ring.find(key, 0))))
  assert.deepEqual([...new Set(codes)], ['invalid_api_key'])
  await store.close()
  // A closed store answers every query with an outage, so that a 401 proves that none was made.
  assert.equal(await codeOf(() => ring.find(newKeyText(), 0)), 'store_unavailable')
  for (let at = 0; at < 10_000; at++) {
    const text = newKeyText()
    const spoiled =
      at % 2 === 0
        ? `sk-tv-${randomBytes(40).toString('hex').slice(0, 49)}`
        : `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`
    assert.equal(await codeOf(() => ring.find(spoiled, 0)), 'invalid_api_key')
  }
  rmSync(folder, { recursive: true, force: true })
})

test('a connection is who its last key says, however often it changes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-ring-'))
  const store = await openStore({ kind: 'sqlite', file: join(folder, 'test.db') })
  t.after(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const ring = createKeyRing(store, 'pepper')
  const account = await createAccounts(store).create({ email: 'a@b.test', mode: 'prepaid', actor: 'test' })
  const keys = createKeys(store, 'pepper', ring)
  const named = async (name: string) => (await keys.create({ name, accountId: account.id })).plaintext
  const [first, second] = [await named('first'), await named('second')]
  const [one, other] = [{}, {}]
  const nameOf = async (text: string, connection: object) => (await ring.find(text, 1, connection)).key?.name
  for (const [connection, text, name] of [
    [one, first, 'first'],
    [one, first, 'first'],
    [one, second, 'second'],
    [other, first, 'first'],
    [one, first, 'first'],
  ] as const)
    assert.equal(await nameOf(text, connection), name)
  assert.equal(await codeOf(() => ring.find(`${first.slice(0, -1)}~`, 1, one)), 'invalid_api_key')
  assert.equal(await codeOf(() => ring.find(newKeyText(), 1, one)), 'invalid_api_key')
  assert.equal(await nameOf(second, one), 'second')
})
