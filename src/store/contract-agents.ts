import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '#accounts/types.ts'
import { createAgentSessions } from '#ledger/agent-sessions.ts'
import type { SessionAsk } from '#ledger/session-funds.ts'
import type { HoldResult } from '#ledger/types.ts'
import { newAccount, NOON_MS, ONE_CENT, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const SESSION: SessionAsk = {
  id: 'ses_contract',
  name: 'a',
  keyId: null,
  maxNano: 20n,
  requestsMax: null,
  durationMs: null,
}

const hold = async (
  { ledger }: Books,
  requestId: string,
  account: Account,
  wantNano: bigint,
  session: SessionAsk | null = SESSION,
): Promise<HoldResult> =>
  ledger.reserve({ requestId, accountId: account.id, keyId: null, wantNano, floorNano: wantNano, session })

const settle = ({ ledger }: Books, requestId: string, account: Account, costNano: bigint) =>
  ledger.settle({ requestId, costNano, row: sampleRow({ request_id: requestId, account_id: account.id }) })

const release = ({ ledger }: Books, requestId: string, account: Account) =>
  ledger.void(requestId, sampleRow({ request_id: requestId, account_id: account.id }))

const refusalOf = (result: HoldResult): string => (result.granted ? 'granted' : result.refusal)

export function agentContract(harness: Harness): void {
  budgetContract(harness)
  boundContract(harness)
  retentionContract(harness)
}

function budgetContract(harness: Harness): void {
  test('B14: 50 holds at once do not pass the budget of a session, and others of the account are as free as before', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const results = await Promise.all(Array.from({ length: 50 }, (_, at) => hold(books, `req_${at}`, account, 5n)))
    const granted = results.flatMap((one, at) => (one.granted ? [`req_${at}`] : []))
    assert.equal(granted.length, 4)
    for (const one of results)
      if (!one.granted) assert.deepEqual([one.refusal, one.availableNano], ['session_budget_exceeded', 0n])
    assert.ok((await hold(books, 'req_free', account, 1000n, null)).granted)
    assert.ok((await hold(books, 'req_other', account, 20n, { ...SESSION, id: 'ses_other' })).granted)
    await settle(books, granted[0]!, account, 2n)
    await release(books, granted[1]!, account)
    assert.equal(refusalOf(await hold(books, 'req_a', account, 9n)), 'session_budget_exceeded')
    assert.equal(refusalOf(await hold(books, 'req_b', account, 8n)), 'granted')
    const [session] = (await createAgentSessions(books.store).list(account.id, 10)).filter(
      ({ id }) => id === SESSION.id,
    )
    assert.deepEqual([session!.spentNano, session!.maxNano, session!.name], [2n, 20n, 'a'])
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('B14: a session stays exact while the account changes under it, and a hold grows within it', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    assert.ok((await hold(books, 'req_1', account, 5n)).granted)
    await books.accounts.credit(account.id, { amountNano: 7n, actor: 'test' })
    assert.equal(refusalOf(await hold(books, 'req_2', account, 16n)), 'session_budget_exceeded')
    const grow = async (wantNano: bigint) =>
      books.ledger.extend({
        requestId: 'req_1',
        accountId: account.id,
        keyId: null,
        wantNano,
        floorNano: wantNano,
        session: SESSION,
      })
    await books.accounts.credit(account.id, { amountNano: 7n, actor: 'test' })
    assert.equal(refusalOf(await grow(16n)), 'session_budget_exceeded')
    assert.equal(refusalOf(await grow(10n)), 'granted')
    assert.equal(refusalOf(await hold(books, 'req_3', account, 6n)), 'session_budget_exceeded')
    await Promise.all([
      settle(books, 'req_1', account, 15n),
      books.accounts.credit(account.id, { amountNano: 7n, actor: 'test' }),
      hold(books, 'req_4', account, 5n).then((one) => assert.equal(refusalOf(one), 'granted')),
    ])
    assert.equal(refusalOf(await hold(books, 'req_5', account, 1n)), 'session_budget_exceeded')
    await settle(books, 'req_4', account, 5n)
    const session = (await createAgentSessions(books.store).find(account.id, SESSION.id))!
    assert.deepEqual([session.spentNano, session.requests], [20n, 2])
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function retentionContract(harness: Harness): void {
  test('B14: a session that nobody used for as long as rows are kept is deleted, one that is held is not', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const sessions = createAgentSessions(books.store, () => books.clock.nowMs)
    const [old, used, held] = ['ses_old', 'ses_used', 'ses_held'].map((id) => ({ ...SESSION, id }))
    for (const [at, session] of [old!, used!].entries()) {
      assert.ok((await hold(books, `req_${at}`, account, 1n, session)).granted)
      await settle(books, `req_${at}`, account, 1n)
    }
    if (harness.storesHolds) assert.ok((await hold(books, 'req_held', account, 1n, held!)).granted)
    books.clock.nowMs = NOON_MS + 1000
    assert.ok((await hold(books, 'req_again', account, 1n, used!)).granted)
    await settle(books, 'req_again', account, 1n)
    await books.store.execute('sweepRows', { beforeMs: NOON_MS + 1000 })
    const left = (await sessions.list(account.id, 10)).map(({ id }) => id)
    assert.deepEqual(left, harness.storesHolds ? ['ses_used', 'ses_held'] : ['ses_used'])
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}

function boundContract(harness: Harness): void {
  test('B14: requests of a session are bounded, also those that cost nothing; what came to nothing gives its place back', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const session = { ...SESSION, maxNano: null, requestsMax: 3 }
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, at) => hold(books, `req_${at}`, account, at % 2 === 0 ? 0n : 5n, session)),
    )
    const granted = results.flatMap((one, at) => (one.granted ? [`req_${at}`] : []))
    assert.equal(granted.length, 3)
    await settle(books, granted[0]!, account, 0n)
    assert.equal(refusalOf(await hold(books, 'req_a', account, 0n, session)), 'session_budget_exceeded')
    await release(books, granted[1]!, account)
    assert.equal(refusalOf(await hold(books, 'req_b', account, 0n, session)), 'granted')
    assert.equal(refusalOf(await hold(books, 'req_c', account, 0n, session)), 'session_budget_exceeded')
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  test('B14: the request that opens a session says what it may use; it ends in time, and when it is stopped', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, ONE_CENT)
    const stranger = await newAccount(books, ONE_CENT)
    const sessions = createAgentSessions(books.store, () => books.clock.nowMs)
    assert.ok((await hold(books, 'req_1', account, 5n, { ...SESSION, durationMs: 1000 })).granted)
    assert.equal(
      refusalOf(await hold(books, 'req_2', account, 16n, { ...SESSION, maxNano: 100n })),
      'session_budget_exceeded',
    )
    books.clock.nowMs = NOON_MS + 999
    assert.ok((await hold(books, 'req_3', account, 1n)).granted)
    books.clock.nowMs = NOON_MS + 1000
    assert.equal(refusalOf(await hold(books, 'req_4', account, 1n)), 'session_budget_exceeded')
    const other = { ...SESSION, id: 'ses_other' }
    assert.ok((await hold(books, 'req_5', account, 1n, other)).granted)
    assert.equal(await sessions.stop(stranger.id, other.id), false)
    assert.equal(await sessions.stop(account.id, other.id), true)
    assert.equal(await sessions.stop(account.id, other.id), false)
    assert.equal(refusalOf(await hold(books, 'req_6', account, 1n, other)), 'session_stopped')
    await settle(books, 'req_5', account, 1n)
    assert.equal(await sessions.find(stranger.id, other.id), undefined)
    assert.equal(await sessions.count(account.id, other), 'session_stopped')
    const counted = { ...SESSION, id: 'ses_counted', requestsMax: 2 }
    assert.deepEqual(
      [
        await sessions.count(account.id, counted),
        await sessions.count(account.id, counted),
        await sessions.count(account.id, counted),
      ],
      [null, null, 'session_budget_exceeded'],
    )
  })
}
