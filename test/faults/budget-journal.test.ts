import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAccounts } from '#accounts/accounts.ts'
import { createBudgets } from '#billing/budgets.ts'
import { requestRow } from '#control-plane/testbed.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { decodeBookings } from '#store/booking.ts'
import { openStore, type Store } from '#store/store.ts'

const USD = 1_000_000_000n

test('M14: what a killed process had journaled counts against its budgets once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'trivium-budgets-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const store = await openStore({ kind: 'sqlite', file: join(folder, 'test.db') })
  t.after(() => store.close())
  // A store whose writer never answers bookings stands for a process that is killed before it could.
  const stuck: Store = { ...store, bookAll: () => new Promise(() => {}), onRead() {} }
  const first = openLedger(stuck, { journalFolder: folder })
  await first.recover()
  const accounts = createAccounts(store)
  const account = await accounts.create({ email: 'a@b.test', mode: 'prepaid', creditNano: 10n * USD, actor: 'test' })
  const budgets = createBudgets(store, Date.now)
  const wish = { accountId: account.id, target: '', period: 'monthly', hard: true, setBy: 'operator' } as const
  await budgets.create({ ...wish, scope: 'account', maxNano: 5n * USD, startsMs: null })
  for (const at of [1, 2, 3]) {
    const requestId = `req_${at}`
    const ask = { requestId, accountId: account.id, keyId: null, wantNano: USD, floorNano: USD }
    assert.equal((await first.reserve(ask)).granted, true)
    await first.settle({ requestId, costNano: USD, row: requestRow({ request_id: requestId, account_id: account.id }) })
  }
  for (const _start of ['first', 'second']) {
    const ledger = openLedger(store, { journalFolder: folder })
    await ledger.recover()
    assert.equal((await budgets.list(account.id))[0]!.spentNano, 3n * USD)
    assert.deepEqual((await ledger.verify()).problems, [])
    await ledger.close()
  }
})

test('a booking that an older version journaled has no budgets', () => {
  const head = JSON.stringify([[], 'req_1', 'acc_1', null, '5', '10', 1, 2, 3, 4])
  assert.equal(decodeBookings(`${head}\t{}`)[0]!.at(10), null)
})
