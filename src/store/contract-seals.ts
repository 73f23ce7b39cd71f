import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SWEEP_ROWS_MAX } from '#seal-state/commands.ts'
import {
  createSealState,
  IDS_PER_READ_MAX,
  KEPT_HOURS,
  READ_BYTES_MAX,
  type SealStateOptions,
  TEXT_CHARACTERS_MAX,
  WAITING_CHARACTERS_MAX,
} from '#seal-state/seal-state.ts'
import type { SealArchive } from '#seal-state/types.ts'
import { CONTRACT_PEPPER, type Harness, NOON_MS, openBooks } from './contract-books.ts'

const KEPT_MS = KEPT_HOURS * 3_600_000

/** An archive on an empty database, with a clock that a test may move; `losses` is what it told. */
async function openSeals(harness: Harness, options: SealStateOptions = {}) {
  const books = await openBooks(harness)
  const losses: [string, number][] = []
  const onLoss = (what: string, count: number) => void losses.push([what, count])
  const seals = createSealState(books.store, CONTRACT_PEPPER, { now: () => books.clock.nowMs, onLoss, ...options })
  return { ...books, seals, losses, [Symbol.asyncDispose]: () => books.store.close() }
}

/** The texts alone. */
async function textsOf(seals: SealArchive, accountId: string, ids: readonly string[]) {
  const found = await seals.find(accountId, ids)
  return Object.fromEntries([...found].map(([id, { text }]) => [id, text]))
}

export function sealContract(harness: Harness): void {
  test('what was kept is found by the next process, by its own account and in its newest form', async () => {
    await using books = await openSeals(harness)
    const { seals } = books
    seals.keep('acc_1', 'c1', 'old')
    seals.keep('acc_1', 'c1', 'Größe \u0000')
    seals.keep('acc_1', 'c2', '')
    await seals.flush()
    seals.keep('acc_1', 'c2', 'later')
    seals.keep('acc_2', 'c1', 'theirs')
    await seals.flush()
    await books.store.close()
    const again = await books.again()
    try {
      const next = createSealState(again, CONTRACT_PEPPER, { now: () => NOON_MS })
      assert.deepEqual(await textsOf(next, 'acc_1', ['c1', 'c2', 'c3']), { c1: 'Größe \u0000', c2: 'later' })
      assert.deepEqual(await textsOf(next, 'acc_2', ['c1', 'c2']), { c1: 'theirs' })
      assert.equal((await next.find('acc_1', [])).size, 0)
      assert.equal((await next.find('acc_1', ['c1'])).get('c1')!.expiresAtMs, NOON_MS + KEPT_MS)
    } finally {
      await again.close()
    }
  })

  test('nothing that was kept can be read in the database', async () => {
    await using books = await openSeals(harness)
    books.seals.keep('acc_1', 'claude\ntoolu_secretive', 'a secret thought')
    await books.seals.flush()
    const dump = await harness.dump(books.store)
    assert.ok(dump.includes('acc_1'))
    for (const secret of ['a secret thought', 'toolu_secretive', CONTRACT_PEPPER]) assert.ok(!dump.includes(secret))
  })

  test('what cannot be opened is told and is not there', async () => {
    await using books = await openSeals(harness)
    const { seals, losses } = books
    for (const id of ['c1', 'c2']) seals.keep('acc_1', id, id)
    await seals.flush()
    const other = createSealState(books.store, CONTRACT_PEPPER, { now: () => NOON_MS })
    await harness.tamper(books.store, "update tool_seals set account_id = 'acc_2'")
    assert.equal((await other.find('acc_1', ['c1', 'c2'])).size, 0)
    await harness.tamper(books.store, "update tool_seals set account_id = 'acc_1', sealed = 'AAAA'")
    assert.equal((await seals.find('acc_1', ['c1', 'c2'])).size, 0)
    assert.deepEqual(losses, [['unreadable', 2]])
  })

  sealBoundContract(harness)
}

function sealBoundContract(harness: Harness): void {
  test(`it is gone after ${KEPT_HOURS} hours, and a sweep deletes more than one command does`, async () => {
    await using books = await openSeals(harness)
    const { seals, clock, store } = books
    const ids = Array.from({ length: 2 * SWEEP_ROWS_MAX + 1 }, (_, at) => `c${at}`)
    for (const id of ids) seals.keep('acc_1', id, id)
    await seals.flush()
    clock.nowMs++
    seals.keep('acc_1', 'young', 'young')
    await seals.flush()
    clock.nowMs = NOON_MS + KEPT_MS - 1
    assert.equal(await seals.sweep(clock.nowMs), 0)
    assert.deepEqual(await textsOf(seals, 'acc_1', ['c0']), { c0: 'c0' })
    clock.nowMs++
    assert.deepEqual(await textsOf(seals, 'acc_1', ['c0', 'young']), { young: 'young' })
    assert.equal(await seals.sweep(clock.nowMs), ids.length)
    assert.equal((await store.read.selectFrom('tool_seals').select('id').execute()).length, 1)
  })

  test('a read has a bound of ids and of bytes, and the newest come first', async () => {
    await using books = await openSeals(harness)
    const { seals, clock } = books
    const ids = Array.from({ length: IDS_PER_READ_MAX + 1 }, (_, at) => `c${at}`)
    for (const id of ids) seals.keep('acc_1', id, id)
    assert.equal(seals.idsPerReadMax, IDS_PER_READ_MAX)
    await seals.flush()
    const found = await seals.find('acc_1', ids)
    assert.deepEqual([found.size, found.has('c0'), found.has(ids.at(-1)!)], [IDS_PER_READ_MAX, true, false])
    const large = Array.from({ length: 7 }, (_, at) => `large${at}`)
    for (const id of large) {
      clock.nowMs++
      seals.keep('acc_1', id, id.padEnd(TEXT_CHARACTERS_MAX))
    }
    await seals.flush()
    // Base64, of a nonce and a tag too.
    const count = Math.floor(READ_BYTES_MAX / (((TEXT_CHARACTERS_MAX + 28) * 4) / 3))
    assert.deepEqual([...(await seals.find('acc_1', large)).keys()].toSorted(), large.slice(-count))
  })

  test('what is too long, and what waits beyond the bound, is not kept and is told', async () => {
    // A small bound, because what is written here has to be read again after the crash that another test makes.
    const waitingCharactersMax = 2 * TEXT_CHARACTERS_MAX
    assert.ok(WAITING_CHARACTERS_MAX > waitingCharactersMax)
    await using books = await openSeals(harness, { waitingCharactersMax })
    const { seals, losses } = books
    seals.keep('acc_1', 'over', 'x'.repeat(TEXT_CHARACTERS_MAX + 1))
    const texts = waitingCharactersMax / TEXT_CHARACTERS_MAX
    for (let at = 0; at < texts; at++) seals.keep('acc_1', `c${at}`, 'x'.repeat(TEXT_CHARACTERS_MAX))
    seals.keep('acc_1', 'more', 'x')
    await seals.flush()
    assert.deepEqual(losses, [['dropped', 2]])
    seals.keep('acc_1', 'after', 'x')
    await seals.flush()
    const found = ['over', 'more', 'after', 'c0', `c${texts - 1}`].map(
      async (id) => (await seals.find('acc_1', [id])).size,
    )
    assert.deepEqual(await Promise.all(found), [0, 0, 1, 1, 1])
  })
}
