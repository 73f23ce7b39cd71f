import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { openStore, type Store } from '#store/store.ts'
import { createSealState } from './seal-state.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'trivium-seal-state-'))
let store: Store
before(async () => {
  store = await openStore({ kind: 'sqlite', file: path.join(folder, 'trivium.db') })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The store, refusing so many writes first; `written` resolves with the rows of the next one that it takes. */
function refusing(times: number) {
  const { promise: written, resolve } = Promise.withResolvers<number>()
  let tries = 0
  const execute = (async (name: 'saveSeals', rows: never) => {
    if (++tries <= times) throw new Error('store')
    await store.execute(name, rows)
    resolve((rows as unknown[]).length)
  }) as unknown as Store['execute']
  return { store: { ...store, read: store.read, execute }, written, tries: () => tries }
}

test('texts are written at once, in one command, and nobody waits for it', async () => {
  const { store: watched, written, tries } = refusing(0)
  const seals = createSealState(watched, 'secret')
  seals.keep('acc_1', 'a', 'text a')
  seals.keep('acc_1', 'b', 'text b')
  assert.equal(tries(), 0)
  assert.equal(await written, 2)
})

test('what the store refuses is tried again, in its order', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { store: watched, written, tries } = refusing(1)
  const seals = createSealState(watched, 'secret')
  seals.keep('acc_1', 'c', 'text c')
  await seals.flush()
  assert.deepEqual([tries(), (await seals.find('acc_1', ['c'])).size], [1, 0])
  seals.keep('acc_1', 'd', 'text d')
  assert.equal(await written, 2)
  const again = refusing(1)
  const later = createSealState(again.store, 'secret')
  const refused = Promise.withResolvers<void>()
  const { execute } = again.store
  again.store.execute = ((name: never, args: never) => {
    const result = execute(name, args)
    result.catch(() => setImmediate(refused.resolve))
    return result
  }) as Store['execute']
  later.keep('acc_1', 'e', 'text e')
  await refused.promise
  t.mock.timers.tick(1_000)
  assert.equal(await again.written, 1)
  assert.equal((await later.find('acc_1', ['e'])).get('e')!.text, 'text e')
})
