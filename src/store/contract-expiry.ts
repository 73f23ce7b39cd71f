import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Account } from '#accounts/types.ts'
import { LATE_ENTRIES_PAGE } from '#ledger/expiring-credits.ts'
import { createExpiry } from '#ledger/expiry.ts'
import { ask, newAccount, openBooks, sampleRow } from './contract-books.ts'
import type { Books, Harness } from './contract-books.ts'

const SEED = Number(process.env['TRIVIUM_SEED'] ?? 90)
const HOUR_MS = 3_600_000

let requests = 0

/** One request that costs so much, settled at the clock's time. */
async function use(books: Books, account: Account, costNano: bigint): Promise<bigint> {
  const requestId = `req_expiry_${++requests}`
  const held = await ask(books, requestId, { account }, costNano)
  if (!held.granted) return 0n
  const row = sampleRow({ request_id: requestId, account_id: account.id })
  return (await books.ledger.settle({ requestId, costNano, row })).chargedNano
}

const grant = (books: Books, { id }: Account, amountNano: bigint, inMs: number) =>
  books.accounts.credit(id, { amountNano, type: 'grant', actor: 'test', expiresMs: books.clock.nowMs + inMs })

const sweep = (books: Books): Promise<number> => createExpiry(books.store).sweep(books.clock.nowMs)

const balanceOf = async (books: Books, { id }: Account): Promise<bigint> => (await books.accounts.get(id))!.balanceNano

/** Amounts of the entries of type expiry, oldest first. */
async function expiries(books: Books, { id }: Account): Promise<bigint[]> {
  const { data } = await books.accounts.entries({ accountId: id, limit: 1000 })
  return data
    .filter(({ type }) => type === 'expiry')
    .map(({ amountNano }) => amountNano)
    .toReversed()
}

/** Credits that end (R90). */
export function expiryContract(harness: Harness): void {
  test('R90: what is not used of a grant by its end leaves the balance, once and exactly', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 100n)
    await grant(books, account, 50n, HOUR_MS)
    assert.equal(await use(books, account, 20n), 20n)
    books.clock.nowMs += HOUR_MS - 1
    assert.equal(await sweep(books), 0)
    assert.equal(await balanceOf(books, account), 130n)
    books.clock.nowMs += 1
    // Several nodes at once.
    await Promise.all(Array.from({ length: 20 }, () => sweep(books)))
    assert.deepEqual(await expiries(books, account), [-30n])
    assert.equal(await balanceOf(books, account), 100n)
    books.clock.nowMs += HOUR_MS
    assert.equal(await sweep(books), 0)
    const { creditedNano, usedNano } = await books.accounts.totals(account.id)
    assert.equal(creditedNano - usedNano, 100n, 'the difference of the sums is the balance')
    assert.equal((await books.accounts.get(account.id))!.purchasedNano, 0n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
    await harness.tamper(books.store, 'update expiring_credits set spent_nano = 25')
    assert.match((await books.ledger.verify()).problems.join(), /more expired of crd_\w+ than was left of it/)
  })

  test('R90: the credit that ends first is used first, whenever it was given', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    await grant(books, account, 10n, 3 * HOUR_MS)
    await use(books, account, 4n)
    await grant(books, account, 10n, HOUR_MS)
    await use(books, account, 7n)
    const left = await books.accounts.creditsLeft(account.id)
    assert.deepEqual(
      left.map(({ leftNano }) => leftNano),
      [3n, 6n],
    )
    books.clock.nowMs += HOUR_MS
    assert.equal((await books.accounts.creditsLeft(account.id)).length, 1, 'what has ended is not there any more')
    await sweep(books)
    assert.deepEqual(await expiries(books, account), [-3n], '7 of the younger, which ends first')
    books.clock.nowMs += 2 * HOUR_MS
    await sweep(books)
    assert.deepEqual(await expiries(books, account), [-3n, -6n], '4 of the older')
    assert.equal(await balanceOf(books, account), 0n)
  })

  test('R90: never below zero, and never more than is left of the grant', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    await grant(books, account, 10n, HOUR_MS)
    await books.accounts.credit(account.id, { amountNano: -7n, type: 'adjustment', actor: 'test' })
    const running = await ask(books, 'req_running', { account }, 2n)
    assert.equal(running.granted, true)
    books.clock.nowMs += HOUR_MS
    await sweep(books)
    assert.deepEqual(await expiries(books, account), [-3n])
    assert.equal(await balanceOf(books, account), 0n)
    // The money of a request that runs may be gone by its end; then the operator bears it.
    const row = sampleRow({ request_id: 'req_running', account_id: account.id })
    const settled = await books.ledger.settle({ requestId: 'req_running', costNano: 2n, row })
    assert.deepEqual([settled.chargedNano, settled.absorbedNano], [0n, 2n])
    assert.equal(await balanceOf(books, account), 0n)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })

  inputContract(harness)
  propertyContract(harness)
}

function inputContract(harness: Harness): void {
  test('R90: only a topup or a grant ends, and in the future; nobody posts the end by hand', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 0n)
    const post = (input: object) => books.accounts.credit(account.id, { amountNano: 5n, actor: 'test', ...input })
    const expiresMs = books.clock.nowMs + 1
    const refused = { code: 'invalid_parameter' }
    await assert.rejects(post({ type: 'adjustment', expiresMs }), refused)
    await assert.rejects(post({ type: 'grant', expiresMs: books.clock.nowMs }), refused)
    await assert.rejects(post({ type: 'expiry' }), refused)
    await post({ type: 'topup', expiresMs })
    books.clock.nowMs = expiresMs
    await sweep(books)
    assert.deepEqual(await expiries(books, account), [-5n])
    assert.equal((await books.accounts.get(account.id))!.purchasedNano, 5n, 'bought is bought')
  })

  test('R90: a late look takes what was left at the end, however much was used since', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 10_000n)
    await grant(books, account, 100n, HOUR_MS)
    await use(books, account, 40n)
    books.clock.nowMs += 2 * HOUR_MS
    for (let at = 0; at <= LATE_ENTRIES_PAGE; at++) await use(books, account, 1n)
    await sweep(books)
    assert.deepEqual(await expiries(books, account), [-60n])
  })
}

interface Lot {
  left: bigint
  readonly endsMs: number
  ended: boolean
}

/** What should be: every use draws on what has not ended, at its own time. */
class Oracle {
  readonly lots: Lot[] = []
  readonly expired: bigint[] = []

  use(costNano: bigint, nowMs: number): void {
    let rest = costNano
    for (const lot of this.open().filter(({ endsMs }) => endsMs >= nowMs)) {
      const drawn = rest < lot.left ? rest : lot.left
      lot.left -= drawn
      rest -= drawn
    }
  }

  sweep(nowMs: number): void {
    for (const lot of this.open().filter(({ endsMs }) => endsMs <= nowMs)) {
      lot.ended = true
      if (lot.left > 0n) this.expired.push(-lot.left)
    }
  }

  private open(): Lot[] {
    return this.lots.filter(({ ended }) => !ended).toSorted((one, two) => one.endsMs - two.endsMs)
  }
}

function propertyContract(harness: Harness): void {
  test(`R90: grants, uses and ends in any order end at the same sums (TRIVIUM_SEED=${SEED})`, async () => {
    await using books = await openBooks(harness)
    // Enough beside the grants, so that no request is refused and every end is whole.
    const account = await newAccount(books, 1_000_000n)
    const oracle = new Oracle()
    let state = SEED
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    let used = 0n
    let granted = 0n
    for (let at = 0; at < 150; at++) {
      // Odd, so that no two things happen at the very moment of an end.
      books.clock.nowMs += 2 * random(HOUR_MS / 4)
      const { nowMs } = books.clock
      const what = random(10)
      if (what < 6) {
        const cost = BigInt(random(40))
        used += await use(books, account, cost)
        oracle.use(cost, nowMs)
      } else if (what < 8) {
        const amount = BigInt(1 + random(100))
        const inMs = 2 * random(2 * HOUR_MS) + 1
        granted += amount
        oracle.sweep(nowMs)
        await grant(books, account, amount, inMs)
        oracle.lots.push({ left: amount, endsMs: nowMs + inMs, ended: false })
      } else {
        await sweep(books)
        oracle.sweep(nowMs)
      }
    }
    books.clock.nowMs += 10 * HOUR_MS
    await sweep(books)
    oracle.sweep(books.clock.nowMs)
    assert.deepEqual(await expiries(books, account), oracle.expired)
    assert.ok(oracle.expired.length > 5)
    const gone = oracle.expired.reduce((sum, amount) => sum + amount, 0n)
    assert.equal(await balanceOf(books, account), 1_000_000n + granted - used + gone)
    assert.deepEqual((await books.ledger.verify()).problems, [])
  })
}
