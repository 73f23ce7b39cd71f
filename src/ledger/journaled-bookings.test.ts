import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAccounts } from '#accounts/accounts.ts'
import { requestRow } from '#control-plane/testbed.ts'
import { storeUnavailable } from '#store/failure.ts'
import { openStore, type Store } from '#store/store.ts'
import { openLedger } from './open-ledger.ts'

const USD = 1_000_000_000n

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'trivium-bookings-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const openIn = (folder: string): Promise<Store> => openStore({ kind: 'sqlite', file: join(folder, 'test.db') })

async function spend(ledger: ReturnType<typeof openLedger>, accountId: string, requestId: string, costNano: bigint) {
  const held = await ledger.reserve({ requestId, accountId, keyId: null, wantNano: USD, floorNano: USD })
  assert.equal(held.granted, true)
  const row = requestRow({
    request_id: requestId,
    account_id: accountId,
    charged_cost_nano: costNano,
    list_cost_nano: 5n,
  })
  return ledger.settle({ requestId, costNano, row })
}

test('a settlement is on disk when it is answered, and a read right behind it sees it', async (t) => {
  const folder = await folderOf(t)
  const store = await openIn(folder)
  const ledger = openLedger(store, { journalFolder: folder })
  await ledger.recover()
  const accounts = createAccounts(store, { heldOf: ledger.heldOf })
  const account = await accounts.create({ email: 'a@b.test', mode: 'prepaid', creditNano: 10n * USD, actor: 'test' })
  for (let at = 0; at < 300; at++) {
    const settled = await spend(ledger, account.id, `req_${at}`, 1000n)
    assert.deepEqual(settled, { booked: true, chargedNano: 1000n, absorbedNano: 0n })
    if (at % 60 === 0) assert.equal((await accounts.get(account.id))!.balanceNano, 10n * USD - 1000n * BigInt(at + 1))
  }
  const { data } = await accounts.entries({ accountId: account.id, limit: 500 })
  assert.equal(data.length, 301)
  assert.deepEqual((await ledger.verify()).problems, [])
  await ledger.close()
  await store.close()
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('journal')),
    [],
  )
})

test('what the database had not taken is booked once at the next start, rows and all', async (t) => {
  const folder = await folderOf(t)
  const store = await openIn(folder)
  // A store whose writer never answers bookings stands for a process that is killed before it could.
  const stuck: Store = { ...store, bookAll: () => new Promise(() => {}), onRead() {} }
  const first = openLedger(stuck, { journalFolder: folder })
  await first.recover()
  const accounts = createAccounts(store)
  const account = await accounts.create({ email: 'a@b.test', mode: 'prepaid', creditNano: 10n * USD, actor: 'test' })
  for (const at of [1, 2, 3]) await spend(first, account.id, `req_${at}`, BigInt(at))
  assert.equal((await accounts.get(account.id))!.balanceNano, 10n * USD)
  for (const _start of ['first', 'second']) {
    const ledger = openLedger(store, { journalFolder: folder })
    await ledger.recover()
    assert.equal((await accounts.get(account.id))!.balanceNano, 10n * USD - 6n)
    const { data } = await accounts.entries({ accountId: account.id, limit: 10 })
    assert.deepEqual(
      data.filter(({ type }) => type === 'usage').map(({ requestId }) => requestId),
      ['req_3', 'req_2', 'req_1'],
    )
    const rows = await store.read.selectFrom('requests').select(['request_id', 'list_cost_nano']).execute()
    assert.deepEqual(
      rows.map((row) => row.list_cost_nano),
      [5n, 5n, 5n],
    )
    assert.deepEqual((await ledger.verify()).problems, [])
    await ledger.close()
  }
  await store.close()
})

test('a booking that the writer refuses is tried again; meanwhile nothing is decided on its account', async (t) => {
  const folder = await folderOf(t)
  const store = await openIn(folder)
  let isDown = true
  const causes: unknown[] = []
  const failing: Store = {
    ...store,
    bookAll: (text) => (isDown ? Promise.reject(storeUnavailable('down')) : store.bookAll!(text)),
    execute: (name, args) =>
      isDown && name === 'settle' ? Promise.reject(storeUnavailable('down')) : store.execute(name, args),
  }
  const ledger = openLedger(failing, { journalFolder: folder, onDelay: (cause) => causes.push(cause) })
  await ledger.recover()
  const accounts = createAccounts(store)
  const account = await accounts.create({ email: 'a@b.test', mode: 'prepaid', creditNano: 10n * USD, actor: 'test' })
  const other = await accounts.create({ email: 'c@d.test', mode: 'prepaid', creditNano: 10n * USD, actor: 'test' })
  assert.equal((await spend(ledger, account.id, 'req_1', 7n)).booked, true)
  const flushed = ledger.close()
  await new Promise((resolve) => setImmediate(resolve))
  const ask = { keyId: null, wantNano: 1n, floorNano: 1n }
  assert.throws(() => ledger.reserve({ ...ask, requestId: 'req_2', accountId: account.id }), {
    code: 'store_unavailable',
  })
  assert.equal((await ledger.reserve({ ...ask, requestId: 'req_3', accountId: other.id })).granted, true)
  isDown = false
  await flushed
  assert.ok(causes.length > 0)
  assert.equal((await accounts.get(account.id))!.balanceNano, 10n * USD - 7n)
  assert.equal((await ledger.reserve({ ...ask, requestId: 'req_4', accountId: account.id })).granted, true)
  await store.close()
})
