import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Account, ApiKey, LimitReset } from '#accounts/types.ts'
import { booksOver, newKey, NOON_MS, sampleRow } from '#store/contract-books.ts'
import type { Books } from '#store/contract-books.ts'
import { openStore } from '#store/store.ts'
import { openLedger } from './open-ledger.ts'

const SEEDS = 2_000
/** Seeds that run side by side on one store; each has an account of its own, and all share the clock. */
const SEEDS_AT_ONCE = 250
const OPERATIONS = 50
const HOUR_MS = 3_600_000

const root = mkdtempSync(path.join(tmpdir(), 'trivium-property-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Numbers that depend on the seed alone. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed + 1) * 0x9e3779b1
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x85ebca6b)
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) ^ (state >>> 16)
    state = (state + 0x6d2b79f5) | 0
    return (state >>> 0) % below
  }
}

/** What a calendar calls the period; written without the arithmetic under test. */
function periodName(reset: LimitReset | null, ms: number): string {
  const day = new Date(ms).toISOString().slice(0, 10)
  if (reset === null) return 'ever'
  if (reset === 'monthly') return day.slice(0, 7)
  if (reset === 'daily') return day
  const monday = new Date(`${day}T00:00:00Z`)
  while (monday.getUTCDay() !== 1) monday.setUTCDate(monday.getUTCDate() - 1)
  return monday.toISOString().slice(0, 10)
}

/** One account with one key, its real ledger and a plain model of it; `step` does an operation on both and compares. */
class Trial {
  readonly books: Omit<Books, 'again'>
  readonly account: Account
  readonly key: ApiKey
  readonly random: (below: number) => number
  readonly holds = new Map<string, bigint>()
  readonly done: string[] = []
  readonly charges: { ms: number; nano: bigint }[] = []
  /** Writes whose end nobody waited for yet. */
  readonly open: Promise<unknown>[] = []
  /** Whether the funds may be marked: then a settlement is awaited, or the order of what follows would be open. */
  marked = true
  balance: bigint
  suspended = false
  disabled = false
  limit: bigint | null = null
  reset: LimitReset | null = null
  count = 0

  constructor(books: Omit<Books, 'again'>, account: Account, key: ApiKey, seed: number) {
    this.books = books
    this.account = account
    this.key = key
    this.random = randomOf(seed)
    this.balance = account.balanceNano
  }

  get held(): bigint {
    return [...this.holds.values()].reduce((sum, nano) => sum + nano, 0n)
  }

  row(request_id: string) {
    return sampleRow({ request_id, account_id: this.account.id, key_id: this.key.id })
  }

  async step(): Promise<void> {
    const choice = this.random(100)
    if (choice < 42) await this.reserve()
    else if (choice < 72) await this.settle()
    else if (choice < 80) this.void()
    else if (choice < 88) this.credit()
    else if (choice < 92) this.suspend()
    else if (choice < 97) this.updateKey()
    else await this.repeat()
  }

  async reserve(): Promise<void> {
    const requestId = `req_${this.account.id}_${++this.count}`
    const want = BigInt(this.random(60))
    const { accountId, keyId } = { accountId: this.account.id, keyId: this.key.id }
    const result = await this.books.ledger.reserve({ requestId, accountId, keyId, wantNano: want, floorNano: want })
    this.marked = false
    const left = this.leftOfKey()
    const free = this.balance - this.held
    const fits =
      want === 0n ? this.balance >= 0n && (left ?? 0n) >= 0n : want <= free && (left === null || want <= left)
    const expected = fits && !this.suspended && !this.disabled
    assert.equal(result.granted, expected, `${requestId}: ${want} of ${free}, ${left} of the key`)
    if (expected) this.holds.set(requestId, want)
  }

  /** Less what is held; null is without limit. */
  leftOfKey(): bigint | null {
    const period = periodName(this.reset, this.books.clock.nowMs)
    const spent = this.charges.filter(({ ms }) => periodName(this.reset, ms) === period)
    return this.limit === null ? null : this.limit - spent.reduce((sum, { nano }) => sum + nano, 0n) - this.held
  }

  async settle(): Promise<void> {
    const requestId = this.holds.keys().next().value
    if (requestId === undefined) return
    const own = this.holds.get(requestId)!
    const left = this.leftOfKey()
    this.holds.delete(requestId)
    this.done.push(requestId)
    const costNano = BigInt(this.random(90))
    // Beyond its hold only what the key has left, and never more than the balance.
    const reach = left === null ? costNano : left > 0n ? own + left : own
    const wanted = costNano < reach ? costNano : reach
    const room = this.balance - this.held
    const charged = room <= 0n ? 0n : wanted < room ? wanted : room
    this.balance -= charged
    this.charges.push({ ms: this.books.clock.nowMs, nano: charged })
    const settling = this.expectCharge(requestId, costNano, charged)
    this.open.push(settling)
    if (this.marked) await settling
  }

  async expectCharge(requestId: string, costNano: bigint, chargedNano: bigint): Promise<void> {
    const result = await this.books.ledger.settle({ requestId, costNano, row: this.row(requestId) })
    assert.deepEqual(result, { booked: true, chargedNano, absorbedNano: costNano - chargedNano })
  }

  void(): void {
    const requestId = this.holds.keys().next().value
    if (requestId === undefined) return
    this.holds.delete(requestId)
    this.done.push(requestId)
    this.open.push(this.books.ledger.void(requestId, this.row(requestId)))
  }

  credit(): void {
    const amountNano = BigInt(this.random(100)) - 30n
    if (amountNano === 0n) return
    this.balance += amountNano
    this.marked = true
    this.open.push(this.books.accounts.credit(this.account.id, { amountNano, type: 'adjustment', actor: 'test' }))
  }

  suspend(): void {
    this.suspended = !this.suspended
    this.marked = true
    const { accounts } = this.books
    this.open.push(accounts.setStatus(this.account.id, this.suspended ? 'suspended' : 'active'))
  }

  updateKey(): void {
    this.disabled = this.random(4) === 0
    this.limit = this.random(3) === 0 ? null : BigInt(this.random(300))
    this.reset = ([null, 'daily', 'weekly', 'monthly'] as const)[this.random(4)]!
    this.marked = true
    const change = { disabled: this.disabled, limitNano: this.limit, limitReset: this.reset }
    this.open.push(this.books.keys.update(this.key.hash, change))
  }

  /** A request that has ended does not end again. */
  async repeat(): Promise<void> {
    const requestId = this.done.at(-1)
    if (requestId === undefined) return
    this.marked = true
    const result = await this.books.ledger.settle({ requestId, costNano: 5n, row: this.row(requestId) })
    assert.equal(result.booked, false)
  }

  async finish(): Promise<void> {
    await Promise.all(this.open.splice(0))
    const { balanceNano, heldNano } = (await this.books.accounts.get(this.account.id))!
    assert.deepEqual({ balanceNano, heldNano }, { balanceNano: this.balance, heldNano: this.held })
    const usage = await this.books.keys.usage(this.key, this.books.clock.nowMs)
    assert.equal(
      usage.totalNano,
      this.charges.reduce((sum, { nano }) => sum + nano, 0n),
    )
  }
}

test(`${SEEDS} random histories of ${OPERATIONS} operations agree with a plain model, and book with database`, async () => {
  const store = await openStore({ kind: 'sqlite', file: path.join(root, 'trivium.db') })
  try {
    await runTrials(booksOver(store, NOON_MS, openLedger))
  } finally {
    await store.close()
  }
})

async function runTrials(books: Omit<Books, 'again'>): Promise<void> {
  for (let first = 0; first < SEEDS; first += SEEDS_AT_ONCE) {
    const trials = await Promise.all(
      Array.from({ length: SEEDS_AT_ONCE }, async (_, at) => {
        const seed = first + at
        const email = `seed${seed}@example.org`
        const account = await books.accounts.create({ email, mode: 'prepaid', creditNano: 200n, actor: 'test' })
        return new Trial(books, account, await newKey(books, account), seed)
      }),
    )
    for (let step = 0; step < OPERATIONS; step += 10) {
      await Promise.all(
        trials.map(async (trial) => {
          for (let at = 0; at < 10; at++) await trial.step()
        }),
      )
      books.clock.nowMs += 7 * HOUR_MS
    }
    await Promise.all(trials.map((trial) => trial.finish()))
  }
  assert.deepEqual((await books.ledger.verify()).problems, [])
}
