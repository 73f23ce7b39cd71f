import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account, ApiKey } from '#accounts/types.ts'
import { HOLD_TTL_MS, RECOVERY_BATCH_MAX, RECOVERY_INTERVAL_MS } from '#ledger/ledger.ts'
import { RENEWALS_MAX } from '#ledger/leases.ts'
import type { SettleResult } from '#ledger/types.ts'
import { LEASE_GRACE_MS } from '#ledger/verify.ts'
import { ask, booksOver, newAccount, newKey, NOON_MS, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'
import { findRequest } from './reads.ts'

type Owner = { account: Account; key?: ApiKey }

export function ledgerContract(harness: Harness): void {
  holdContract(harness)
  refusalContract(harness)
  settlementContract(harness)
  excessContract(harness)
  auditContract(harness)
  limitContract(harness)
  if (harness.storesHolds) recoveryContract(harness)
  else memoryContract(harness)
}

const settle = (
  books: Pick<Books, 'ledger'>,
  requestId: string,
  owner: Owner,
  costNano: bigint,
): Promise<SettleResult> => books.ledger.settle({ requestId, costNano, row: rowOf(requestId, owner) })

const rowOf = (requestId: string, { account, key }: Owner) =>
  sampleRow({ request_id: requestId, account_id: account.id, key_id: key?.id ?? null })

const verified = async (books: Pick<Books, 'ledger'>): Promise<void> => {
  assert.deepEqual((await books.ledger.verify()).problems, [])
}

const states = async (books: Books, account: Account) => {
  const { balanceNano, heldNano } = (await books.accounts.get(account.id))!
  return { balanceNano, heldNano }
}

function holdContract(harness: Harness): void {
  test('50 concurrent holds of 0.005 on a balance of 0.01: exactly 2 are granted', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const asks = Array.from({ length: 50 }, (_, at) => ask(books, `req_${at}`, { account }, ONE_CENT / 2n))
    const results = await Promise.all(asks)
    assert.equal(results.filter((result) => result.granted).length, 2)
    for (const result of results) {
      if (!result.granted)
        assert.deepEqual(result, { granted: false, refusal: 'insufficient_balance', availableNano: 0n })
    }
    assert.deepEqual(await states(books, account), { balanceNano: ONE_CENT, heldNano: ONE_CENT })
    await verified(books)
  })

  test('a hold takes what is there when that reaches its floor, and not a nano below', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    assert.deepEqual(await ask(books, 'req_low', { account }, 500n, 101n), {
      granted: false,
      refusal: 'insufficient_balance',
      availableNano: 100n,
    })
    assert.deepEqual(await ask(books, 'req_fits', { account }, 500n, 100n), { granted: true, amountNano: 100n })
    await verified(books)
  })

  test('a postpaid account holds down to its credit limit, and without one as much as asked', async () => {
    await using books = await openBooks(harness)
    const input = { mode: 'postpaid', actor: 'test' } as const
    const limited = await books.accounts.create({ email: 'limited@example.org', creditLimitNano: 100n, ...input })
    assert.equal((await ask(books, 'req_1', { account: limited }, 100n)).granted, true)
    assert.deepEqual(await ask(books, 'req_2', { account: limited }, 1n), {
      granted: false,
      refusal: 'credit_limit_exceeded',
      availableNano: 0n,
    })
    const open = await books.accounts.create({ email: 'open@example.org', ...input })
    assert.equal((await ask(books, 'req_3', { account: open }, 10n ** 18n)).granted, true)
    await settle(books, 'req_3', { account: open }, 7n)
    assert.deepEqual(await states(books, open), { balanceNano: -7n, heldNano: 0n })
    await verified(books)
  })
}

function refusalContract(harness: Harness): void {
  test('a suspended account, a disabled key and a removed key hold nothing', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account)
    const gone = await newKey(books, account)
    await books.keys.update(key.hash, { disabled: true })
    await books.keys.remove(gone.hash)
    for (const each of [key, gone]) {
      const result = await ask(books, `req_${each.id}`, { account, key: each }, 1n)
      assert.equal(!result.granted && result.refusal, 'key_disabled')
    }
    await books.accounts.setStatus(account.id, 'suspended')
    const result = await ask(books, 'req_3', { account }, 1n)
    assert.equal(!result.granted && result.refusal, 'account_suspended')
    await verified(books)
  })

  test('a free request needs no money, but not on a balance below zero', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    assert.deepEqual(await ask(books, 'req_1', { account }, 0n), { granted: true, amountNano: 0n })
    await books.accounts.credit(account.id, { amountNano: -1n, type: 'adjustment', actor: 'test' })
    const result = await ask(books, 'req_2', { account }, 0n)
    assert.equal(!result.granted && result.refusal, 'insufficient_balance')
  })

  test('a command that fails does not harm its batch', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1000n)
    const results = await Promise.allSettled([
      ask(books, 'req_a', { account }, 10n),
      ask(books, 'req_a', { account }, 10n),
      ask(books, 'req_b', { account }, 10n),
      books.accounts.credit('acc_nobody', { amountNano: 1n, actor: 'test' }),
      ask(books, 'req_c', { account }, 10n),
    ])
    const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'done'))
    assert.deepEqual(codes, ['done', 'state_conflict', 'done', 'not_found', 'done'])
    assert.deepEqual(await states(books, account), { balanceNano: 1000n, heldNano: 30n })
    await verified(books)
  })
}

function settlementContract(harness: Harness): void {
  test('200 concurrent reserves and settles keep the balance equal to the sum of entries', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 1_000_000n)
    const key = await newKey(books, account)
    const costs = Array.from({ length: 200 }, (_, at) => BigInt((at * 37) % 1000))
    await Promise.all(
      costs.map(async (cost, at) => {
        const requestId = `req_${at}`
        assert.equal((await ask(books, requestId, { account, key }, 1000n)).granted, true)
        const result = await settle(books, requestId, { account, key }, cost)
        assert.deepEqual(result, { booked: true, chargedNano: cost, absorbedNano: 0n })
      }),
    )
    const spent = costs.reduce((sum, cost) => sum + cost, 0n)
    assert.deepEqual(await states(books, account), { balanceNano: 1_000_000n - spent, heldNano: 0n })
    assert.deepEqual(await books.accounts.totals(account.id), { creditedNano: 1_000_000n, usedNano: spent })
    assert.equal((await books.ledger.verify()).entries, 201)
    await verified(books)
  })

  test('a request is booked once, however often it is settled or voided', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 60n)
    const results = await Promise.all([1, 2, 3].map(() => settle(books, 'req_1', { account }, 40n)))
    assert.deepEqual(
      results.map((result) => result.booked),
      [true, false, false],
    )
    assert.deepEqual(
      results.map((result) => result.chargedNano),
      [40n, 40n, 40n],
    )
    await books.ledger.void('req_1', rowOf('req_1', { account }))
    assert.deepEqual(await states(books, account), { balanceNano: 60n, heldNano: 0n })
    await ask(books, 'req_2', { account }, 60n)
    await books.ledger.void('req_2', rowOf('req_2', { account }))
    assert.equal((await settle(books, 'req_2', { account }, 40n)).booked, false)
    assert.deepEqual(await states(books, account), { balanceNano: 60n, heldNano: 0n })
    await verified(books)
  })

  test('without a hold a request still settles exactly once, and leaves an entry of 0', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    assert.equal((await settle(books, 'req_free', { account }, 0n)).booked, true)
    assert.equal((await settle(books, 'req_free', { account }, 0n)).booked, false)
    const { data } = await books.accounts.entries({ accountId: account.id, limit: 10 })
    assert.deepEqual(
      data.map(({ type, amountNano, balanceAfterNano, requestId }) => ({
        type,
        amountNano,
        balanceAfterNano,
        requestId,
      })),
      [
        { type: 'usage', amountNano: 0n, balanceAfterNano: 100n, requestId: 'req_free' },
        { type: 'grant', amountNano: 100n, balanceAfterNano: 100n, requestId: null },
      ],
    )
    await verified(books)
  })
}

function excessContract(harness: Harness): void {
  test('what exceeds the hold is debited down to zero, never from the holds of others; the rest is absorbed', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 50n)
    await ask(books, 'req_2', { account }, 30n)
    const result = await settle(books, 'req_1', { account }, 500n)
    assert.deepEqual(result, { booked: true, chargedNano: 70n, absorbedNano: 430n })
    const row = await findRequest(books.store, { requestId: 'req_1' })
    assert.deepEqual([row!.charged_cost_nano, row!.absorbed_cost_nano], [70n, 430n])
    assert.deepEqual(await states(books, account), { balanceNano: 30n, heldNano: 30n })
    await settle(books, 'req_2', { account }, 31n)
    assert.deepEqual(await states(books, account), { balanceNano: 0n, heldNano: 0n })
    await verified(books)
  })

  test('an adjustment below what is held does not let a settlement overdraw', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 100n)
    await books.accounts.credit(account.id, { amountNano: -60n, type: 'adjustment', actor: 'test' })
    assert.equal((await settle(books, 'req_1', { account }, 90n)).chargedNano, 40n)
    assert.deepEqual(await states(books, account), { balanceNano: 0n, heldNano: 0n })
    await verified(books)
  })
}

function auditContract(harness: Harness): void {
  test('ledger entries can be neither changed nor deleted', async () => {
    await using books = await openBooks(harness)
    await newAccount(books, 100n)
    await assert.rejects(harness.tamper(books.store, 'update ledger_entries set amount_nano = 1'), /append-only/)
    await assert.rejects(harness.tamper(books.store, 'delete from ledger_entries'), /append-only/)
    await verified(books)
  })

  test('verify names what does not add up', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await harness.tamper(
      books.store,
      `update accounts set balance_nano = 101, held_nano = 5 where id = '${account.id}'`,
    )
    const { problems } = await books.ledger.verify()
    assert.deepEqual(problems, [`${account.id}: balance 101, entries 100.`, `${account.id}: held 5, holds 0.`])
  })
}

function limitContract(harness: Harness): void {
  test('a key limit counts what is spent and held, and names itself as the scope', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account, { limitNano: 100n })
    const other = await newKey(books, account)
    await ask(books, 'req_1', { account, key }, 60n)
    await settle(books, 'req_1', { account, key }, 50n)
    await ask(books, 'req_2', { account, key }, 30n)
    assert.deepEqual(await ask(books, 'req_3', { account, key }, 30n), {
      granted: false,
      refusal: 'key_limit_exceeded',
      availableNano: 20n,
    })
    assert.deepEqual(await ask(books, 'req_4', { account, key }, 30n, 20n), { granted: true, amountNano: 20n })
    assert.equal((await ask(books, 'req_5', { account, key: other }, 30n)).granted, true)
    assert.equal((await books.keys.usage(key, NOON_MS)).limitUsedNano, 100n)
    await verified(books)
  })

  test('50 concurrent holds do not pass a key limit', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const key = await newKey(books, account, { limitNano: 100n, limitReset: 'monthly' })
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, at) => ask(books, `req_${at}`, { account, key }, 30n)),
    )
    assert.equal(results.filter((result) => result.granted).length, 3)
    await verified(books)
  })

  for (const [reset, lastMs, firstMs] of [
    ['daily', Date.UTC(2026, 10, 20, 23, 59, 59, 999), Date.UTC(2026, 10, 21)],
    ['weekly', Date.UTC(2026, 10, 22, 23, 59, 59, 999), Date.UTC(2026, 10, 23)],
    ['monthly', Date.UTC(2026, 10, 30, 23, 59, 59, 999), Date.UTC(2026, 11, 1)],
  ] as const) {
    test(`a ${reset} key limit starts over at its UTC boundary and not a millisecond before`, async () => {
      await using books = await openBooks(harness)
      const account = await newAccount(books, ONE_CENT)
      const key = await newKey(books, account, { limitNano: 100n, limitReset: reset })
      await ask(books, 'req_1', { account, key }, 100n)
      await settle(books, 'req_1', { account, key }, 100n)
      books.clock.nowMs = lastMs
      const refused = await ask(books, 'req_2', { account, key }, 1n)
      assert.equal(!refused.granted && refused.refusal, 'key_limit_exceeded')
      books.clock.nowMs = firstMs
      assert.equal((await ask(books, 'req_3', { account, key }, 100n)).granted, true)
      await settle(books, 'req_3', { account, key }, 25n)
      const usage = await books.keys.usage(key, firstMs)
      assert.deepEqual([usage.totalNano, usage.dailyNano, usage.limitUsedNano], [125n, 25n, 25n])
      await verified(books)
    })
  }
}

function recoveryContract(harness: Harness): void {
  test('the holds of a dead process are released once, whatever their number', async () => {
    const { store, again } = await harness.open()
    const before = booksOver(store)
    const account = await newAccount(before, ONE_CENT)
    const key = await newKey(before, account)
    const count = RECOVERY_BATCH_MAX + 1
    await Promise.all(Array.from({ length: count }, (_, at) => ask(before, `req_${at}`, { account, key }, 3n)))
    await store.close()
    const reopened = await again()
    try {
      const after = booksOver(reopened, NOON_MS + HOLD_TTL_MS + 1)
      assert.equal((await after.ledger.verify()).openHolds, count)
      assert.equal(await after.ledger.recover(), count)
      assert.equal(await after.ledger.recover(), 0)
      const { openHolds, problems } = await after.ledger.verify()
      assert.deepEqual({ openHolds, problems }, { openHolds: 0, problems: [] })
      assert.equal((await after.accounts.get(account.id))!.heldNano, 0n)
    } finally {
      await reopened.close()
    }
  })

  test('M17: requests that live longer than their lease keep their holds, whatever their number, as long as their process lives', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const count = RENEWALS_MAX + 1
    await Promise.all(Array.from({ length: count }, (_, at) => ask(books, `req_${at}`, { account }, 2n)))
    const dead = booksOver(books.store, NOON_MS)
    await ask(dead, 'req_dead', { account }, 10n)
    for (let turn = 1; turn <= 100; turn++) {
      books.clock.nowMs = NOON_MS + turn * RECOVERY_INTERVAL_MS
      assert.equal(await books.ledger.recover(), turn === HOLD_TTL_MS / RECOVERY_INTERVAL_MS + 1 ? 1 : 0)
    }
    assert.deepEqual(await states(books, account), { balanceNano: ONE_CENT, heldNano: 2n * BigInt(count) })
    assert.equal((await settle(books, 'req_0', { account }, 2n)).chargedNano, 2n)
    await verified(books)
    books.clock.nowMs += 2 * HOLD_TTL_MS
    assert.equal(await booksOver(books.store, books.clock.nowMs).ledger.recover(), count - 1)
  })

  test('B1: verify names a hold that is past its lease', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 60n)
    books.clock.nowMs = NOON_MS + HOLD_TTL_MS + LEASE_GRACE_MS
    await verified(books)
    books.clock.nowMs++
    assert.deepEqual((await books.ledger.verify()).problems, ['req_1: held past its lease.'])
  })

  test('a hold that lives is not released, and one that was released still settles', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 60n)
    // Its own process would renew it; another one takes it for a dead one's.
    const other = booksOver(books.store, NOON_MS + HOLD_TTL_MS)
    await ask(other, 'req_free', { account }, 0n)
    assert.equal(await other.ledger.recover(), 0)
    other.clock.nowMs++
    assert.equal(await other.ledger.recover(), 1)
    assert.equal((await settle(books, 'req_1', { account }, 60n)).chargedNano, 60n)
    assert.equal((await settle(books, 'req_1', { account }, 60n)).booked, false)
    await verified(books)
  })
}

/** What holds in memory mean for a restart. */
function memoryContract(harness: Harness): void {
  test('the holds of a dead process died with it; what an older version stored is released', async () => {
    const { store, again } = await harness.open()
    const before = booksOver(store, NOON_MS, harness.makeLedger)
    const account = await newAccount(before, 100n)
    assert.equal((await ask(before, 'req_1', { account }, 60n)).granted, true)
    assert.equal((await before.ledger.verify()).openHolds, 1)
    assert.equal((await before.accounts.get(account.id))!.heldNano, 60n)
    const older = booksOver(store)
    assert.equal((await ask(older, 'req_old', { account }, 30n)).granted, true)
    const refused = await ask(before, 'req_2', { account }, 20n)
    assert.equal(!refused.granted && refused.availableNano, 10n)
    await store.close()
    const reopened = await again()
    try {
      const after = booksOver(reopened, NOON_MS, harness.makeLedger)
      assert.equal(await after.ledger.recover(), 1)
      assert.equal(await after.ledger.recover(), 0)
      assert.equal((await ask(after, 'req_3', { account }, 100n)).granted, true)
      assert.equal((await settle(after, 'req_1', { account }, 60n)).chargedNano, 0n)
      await verified(after)
    } finally {
      await reopened.close()
    }
  })
}
