import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTENTS_PER_COMMAND_MAX } from '#observe/content-commands.ts'
import {
  CONTENT_BYTES_MAX,
  CONTENT_WAITING_BYTES_MAX,
  type ContentLogOptions,
  createContentLog,
  type NewContent,
} from '#observe/content-log.ts'
import { CONTRACT_PEPPER, type Harness, NOON_MS, openBooks } from './contract-books.ts'

const DAY_MS = 86_400_000
const PROMPT = 'a prompt: Größe, 世界 \u0000'

/** A log on an empty database, with a clock that a test may move; `losses` is what it told. */
async function openLog(harness: Harness, options: ContentLogOptions = {}) {
  const books = await openBooks(harness)
  const losses: number[] = []
  const onLoss = (count: number) => void losses.push(count)
  const log = createContentLog(books.store, CONTRACT_PEPPER, { now: () => books.clock.nowMs, onLoss, ...options })
  return { ...books, log, losses, [Symbol.asyncDispose]: () => books.store.close() }
}

const part = (text: string, bytes?: number) => {
  const kept = Buffer.from(text)
  return { kept, bytes: bytes ?? kept.length }
}

const content = (requestId: string, change: Partial<NewContent> = {}): NewContent => ({
  requestId,
  accountId: 'acc_1',
  keyId: 'key_1',
  mode: 'full',
  retentionDays: 2,
  atMs: NOON_MS,
  request: part(PROMPT),
  response: part('an answer'),
  ...change,
})

export function contentContract(harness: Harness): void {
  test('R101: content is read again by its own account and key, also by the next process', async () => {
    await using books = await openLog(harness)
    books.log.keep(content('req_1'))
    books.log.keep(content('req_1', { request: part('another') }))
    await books.log.flush()
    await books.store.close()
    const again = await books.again()
    try {
      const log = createContentLog(again, CONTRACT_PEPPER, { now: () => NOON_MS })
      const found = await log.find('req_1', { accountId: 'acc_1', keyId: 'key_1' })
      assert.deepEqual([found?.request.text, found?.response.text], [PROMPT, 'an answer'])
      assert.deepEqual([found?.mode, found?.createdMs, found?.expiresMs], ['full', NOON_MS, NOON_MS + 2 * DAY_MS])
      assert.deepEqual([found?.request.bytes, found?.request.isCut], [Buffer.byteLength(PROMPT), false])
      for (const owner of [{ accountId: 'acc_2' }, { accountId: 'acc_1', keyId: 'key_2' }])
        assert.equal(await log.find('req_1', owner), undefined)
      const other = createContentLog(again, 'another pepper', { now: () => NOON_MS })
      assert.equal((await other.find('req_1', { accountId: 'acc_1' }))?.request.text, null)
    } finally {
      await again.close()
    }
  })

  test('S14: nothing that was asked or answered can be read in the database; of metadata there is no text at all', async () => {
    await using books = await openLog(harness)
    books.log.keep(content('req_full'))
    books.log.keep(content('req_meta', { mode: 'metadata', request: part('canary-metadata') }))
    await books.log.flush()
    const dump = await harness.dump(books.store)
    for (const text of ['a prompt', 'an answer', 'canary-metadata', CONTRACT_PEPPER]) assert.ok(!dump.includes(text))
    const [full, meta] = await Promise.all(
      ['req_full', 'req_meta'].map((id) => books.log.find(id, { accountId: 'acc_1' })),
    )
    assert.deepEqual([meta?.mode, meta?.request.text, meta?.request.bytes], ['metadata', null, 15])
    assert.equal(meta?.response.digest, full?.response.digest)
    assert.notEqual(meta?.request.digest, full?.request.digest)
    const rows = await books.store.read.selectFrom('request_contents').select(['request_id', 'sealed']).execute()
    assert.equal(rows.find((row) => row.request_id === 'req_meta')?.sealed, null)
    await harness.tamper(books.store, "update request_contents set account_id = 'acc_9'")
    assert.equal((await books.log.find('req_full', { accountId: 'acc_9' }))?.request.text, null)
  })

  test('R20: secrets in what is kept are cut, and a cut text says so and ends with a whole character', async () => {
    await using books = await openLog(harness)
    const secret = 'sk-ant-api03-0123456789abcdef'
    books.log.keep(content('req_1', { request: part(`use ${secret}`), response: part('Bearer abcdef0123456789') }))
    const found = await books.log.find('req_1', { accountId: 'acc_1' })
    assert.deepEqual([found?.request.text, found?.response.text], ['use sk-ant-ap****', 'Bearer ****'])
    books.log.keep(content('req_2', { request: { kept: Buffer.from('ab世').subarray(0, 4), bytes: 5 } }))
    const cut = await books.log.find('req_2', { accountId: 'acc_1' })
    assert.deepEqual([cut?.request.text, cut?.request.bytes, cut?.request.isCut], ['ab', 5, true])
  })

  contentBoundContract(harness)
}

function contentBoundContract(harness: Harness): void {
  test('R101: content is gone the moment its days are over, and a sweep deletes more than one command does', async () => {
    await using books = await openLog(harness)
    const { log, clock, store } = books
    const ids = Array.from({ length: 2 * CONTENTS_PER_COMMAND_MAX + 1 }, (_, at) => `req_${at}`)
    for (const id of ids) log.keep(content(id))
    log.keep(content('req_young', { retentionDays: 3 }))
    await log.flush()
    clock.nowMs = NOON_MS + 2 * DAY_MS - 1
    assert.equal(await log.sweep(clock.nowMs), 0)
    assert.ok(await log.find('req_0', { accountId: 'acc_1' }))
    clock.nowMs++
    assert.equal(await log.find('req_0', { accountId: 'acc_1' }), undefined)
    assert.equal(await log.sweep(clock.nowMs), ids.length)
    assert.equal((await store.read.selectFrom('request_contents').select('request_id').execute()).length, 1)
  })

  test('R101: one, all of a key, and all of an account are deleted; those of others stay', async () => {
    await using books = await openLog(harness)
    const { log, store } = books
    const left = async () =>
      (await store.read.selectFrom('request_contents').select('request_id').orderBy('request_id').execute()).map(
        (row) => row.request_id,
      )
    const many = Array.from({ length: CONTENTS_PER_COMMAND_MAX + 1 }, (_, at) => `req_key2_${at}`)
    for (const id of ['req_a', 'req_b']) log.keep(content(id))
    for (const id of many) log.keep(content(id, { keyId: 'key_2' }))
    log.keep(content('req_other', { accountId: 'acc_2', keyId: 'key_3' }))
    assert.equal(await log.remove({ accountId: 'acc_2', requestId: 'req_a' }), 0)
    assert.equal(await log.remove({ accountId: 'acc_1', requestId: 'req_a' }), 1)
    assert.equal(await log.remove({ accountId: 'acc_2', keyId: 'key_2' }), 0)
    assert.equal(await log.remove({ accountId: 'acc_1', keyId: 'key_2' }), many.length)
    assert.deepEqual(await left(), ['req_b', 'req_other'])
    assert.equal(await log.remove({ accountId: 'acc_1' }), 1)
    assert.deepEqual(await left(), ['req_other'])
  })

  test('R101: what waits has a bound, and what is beyond it is told', async () => {
    // A small bound, because what is written here has to be read again after the crash that another test makes.
    const bound = 4 * Buffer.byteLength(PROMPT)
    assert.ok(CONTENT_WAITING_BYTES_MAX > 2 * CONTENT_BYTES_MAX)
    await using books = await openLog(harness, { waitingBytesMax: bound })
    const { log, losses } = books
    for (const id of ['req_1', 'req_2', 'req_3'])
      log.keep(content(id, { request: part(PROMPT), response: part(PROMPT) }))
    await log.flush()
    assert.deepEqual(losses, [1])
    log.keep(content('req_4'))
    const found = ['req_1', 'req_2', 'req_3', 'req_4'].map((id) => log.find(id, { accountId: 'acc_1' }))
    assert.deepEqual(
      (await Promise.all(found)).map((one) => one !== undefined),
      [true, true, false, true],
    )
  })
}
