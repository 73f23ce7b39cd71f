import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { openStore } from '#store/store.ts'
import { BookSessions, SESSIONS_WARM_MAX } from './book-sessions.ts'
import type { SessionAsk } from './session-funds.ts'

const root = mkdtempSync(path.join(tmpdir(), 'trivium-sessions-'))
after(() => rmSync(root, { recursive: true, force: true }))

const ask = (id: string): SessionAsk => ({
  id,
  name: id,
  keyId: null,
  maxNano: 100n,
  requestsMax: null,
  durationMs: null,
})

test('B14: so many sessions of an account are kept in memory; those with open holds stay, the others are read again', async () => {
  const store = await openStore({ kind: 'sqlite', file: path.join(root, 'one.db') })
  try {
    const sessions = new BookSessions()
    const load = (id: string) => sessions.load(store, 'acc_1', ask(id), 1)
    await load('ses_held')
    sessions.hold(['bud_1', 'ses_held'], 30n, 1)
    for (let at = 0; at < SESSIONS_WARM_MAX; at++) await load(`ses_${at}`)
    assert.equal(sessions.get('ses_held')!.heldNano, 30n)
    assert.equal(sessions.get('ses_0'), undefined, 'the oldest that nobody holds on')
    assert.notEqual(sessions.get('ses_1'), undefined)
    sessions.forget()
    assert.equal(sessions.get('ses_held'), undefined)
    await load('ses_held')
    assert.deepEqual([sessions.get('ses_held')!.heldNano, sessions.get('ses_held')!.requests], [30n, 1])
    sessions.hold(['ses_held'], -30n, -1)
    sessions.charge(['ses_held'], 20n)
    const { heldNano, spentNano, requests } = sessions.get('ses_held')!
    assert.deepEqual([heldNano, spentNano, requests], [0n, 20n, 1])
  } finally {
    await store.close()
  }
})

test('B14: what is charged while a session is read is not lost: it is read again', async () => {
  const store = await openStore({ kind: 'sqlite', file: path.join(root, 'two.db') })
  try {
    const sessions = new BookSessions()
    let commands = 0
    store.onCommand(() => {
      // Somebody settles in the moment in which the first read was queued.
      if (++commands === 1) queueMicrotask(() => sessions.charge(['ses_1'], 5n))
    })
    await sessions.load(store, 'acc_1', ask('ses_1'), 1)
    assert.equal(commands, 2)
    assert.equal(sessions.get('ses_1')!.spentNano, 0n, 'as the database says behind the booking')
  } finally {
    await store.close()
  }
})
