/**
 * A ledger on a virtual disk, with a virtual clock and messages that arrive when the seed says so (M10). The ledger, its commands and
 * SQLite are the real ones; what is played are the writer's queue, the way of its replies, the time, and the death of the process.
 */
import assert from 'node:assert/strict'
import { createLedger, type RecoverableLedger } from '#ledger/ledger.ts'
import { createSingleNodeLedger } from '#ledger/single-node-ledger.ts'
import type { SettleResult } from '#ledger/types.ts'
import { createAnnouncer } from '#store/announcer.ts'
import { WRITER_PARTS } from '#store/commands.ts'
import { NOON_MS, sampleRow } from '#store/contract-books.ts'
import { createReader } from '#store/dialect.ts'
import { errorOf } from '#store/failure.ts'
import { MIGRATIONS } from '#store/migrations.ts'
import type { Reply } from '#store/queue.ts'
import { openSqliteEngine, type Call, type SqliteEngine } from '#store/sqlite-engine.ts'
import type { Store } from '#store/store.ts'

export type Kind = 'sql' | 'single-node'

const EXPIRY_MS = 16 * 60_000
const CREDIT_NANO = 300n

export function openDisk(): SqliteEngine {
  const disk = openSqliteEngine(':memory:', WRITER_PARTS)
  disk.migrate(MIGRATIONS, NOON_MS)
  return disk
}

interface Job {
  readonly call: Call
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A store whose writer works and answers only when told. What it has executed is on the disk; the rest dies with it. */
class VirtualStore {
  readonly store: Store
  private readonly disk: SqliteEngine
  private jobs: Job[] = []
  private replies: (() => void)[] = []
  private isDead = false

  constructor(disk: SqliteEngine) {
    this.disk = disk
    const { announce, onCommand } = createAnnouncer()
    const push = (call: Call): Promise<never> =>
      new Promise((resolve, reject) => {
        if (!this.isDead) this.jobs.push({ call, resolve: resolve as (value: unknown) => void, reject })
      })
    this.store = {
      engine: 'sqlite',
      read: createReader('sqlite', async (sql, values) => disk.query(sql, values)),
      execute(name, args) {
        announce({ name, args })
        return push({ name, args })
      },
      book: (booking) => push(booking),
      bookAll: (encoded) => push(encoded),
      onCommand,
      onRead: () => {},
      clock: null,
      pending: 0,
      close: async () => {},
    }
  }

  get isIdle(): boolean {
    return this.jobs.length === 0 && this.replies.length === 0
  }

  /** Executes the first `count` jobs as one transaction; their replies are on their way. */
  run(count: number): void {
    const batch = this.jobs.splice(0, count)
    if (batch.length === 0) return
    const replies = this.disk.runBatch(batch.map(({ call }) => call))
    for (const [at, job] of batch.entries()) this.replies.push(() => answer(job, replies[at]!))
  }

  deliver(count: number): void {
    for (const reply of this.replies.splice(0, count)) reply()
  }

  crash(): void {
    this.isDead = true
    this.jobs = []
    this.replies = []
  }
}

function answer({ resolve, reject }: Job, reply: Reply): void {
  if (reply === true) resolve(true)
  else if ('failure' in reply) reject(errorOf(reply.failure))
  else resolve(reply.value)
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Entry {
  readonly type: string
  readonly request_id: string | null
  readonly amount_nano: bigint
  readonly balance_after_nano: bigint
}

/** One history of one account. Everything that happens follows from the seed. */
export class World {
  private readonly disk: SqliteEngine
  private readonly kind: Kind
  private readonly accountId: string
  private readonly random: (below: number) => number
  private virtual!: VirtualStore
  private ledger!: RecoverableLedger
  private nowMs = NOON_MS
  private requests = 0
  private readonly open = new Set<string>()
  /** Told to the ledger, not yet answered. */
  private readonly ending = new Set<string>()
  private readonly settled = new Map<string, SettleResult>()
  private readonly voided = new Set<string>()
  private readonly entries: Entry[] = []
  private readonly failures: unknown[] = []

  constructor(disk: SqliteEngine, kind: Kind, seed: number) {
    this.disk = disk
    this.kind = kind
    this.accountId = `acc_${kind}_${seed}`
    this.random = randomFrom(seed)
    this.start()
  }

  async play(operations: number): Promise<void> {
    const { accountId: id, nowMs } = this
    const money = { creditLimitNano: null, creditNano: CREDIT_NANO, actor: 'test', nowMs }
    void this.virtual.store.execute('createAccount', {
      id,
      email: `${id}@example.org`,
      mode: 'prepaid',
      tier: '',
      ...money,
    })
    await this.settleDown()
    for (let at = 0; at < operations; at++) await this.step()
    // A reservation that waited for the disk is granted only now.
    await this.settleDown()
    for (const id of this.open) this.void(id)
    await this.settleDown()
    if (this.kind === 'sql') await this.expire()
    await this.settleDown()
    this.check()
    this.checkEnd()
  }

  async verify(): Promise<readonly string[]> {
    return (await this.through(this.ledger.verify())).problems
  }

  private start(): void {
    this.virtual = new VirtualStore(this.disk)
    const now = (): number => this.nowMs
    const { store } = this.virtual
    this.ledger = this.kind === 'sql' ? createLedger(store, { now }) : createSingleNodeLedger(store, { now })
  }

  private async step(): Promise<void> {
    this.nowMs += this.random(1000)
    const dice = this.random(100)
    if (dice < 25) this.reserve()
    else if (dice < 32) this.extend()
    else if (dice < 50) this.settle()
    else if (dice < 57) this.void(this.pick(this.open))
    else if (dice < 63) this.repeat()
    else if (dice < 71) this.credit()
    else if (dice < 73) await this.expire()
    else if (dice < 75) await this.crash()
    else if (dice < 88) this.virtual.run(1 + this.random(4))
    else this.virtual.deliver(1 + this.random(4))
    await turn()
    this.check()
  }

  private reserve(): void {
    const id = `req_${this.accountId}_${++this.requests}`
    const wantNano = BigInt(this.random(80))
    const floorNano = this.random(2) === 0 ? wantNano : wantNano / 2n
    const { virtual } = this
    this.watch(
      async () => this.ledger.reserve({ requestId: id, accountId: this.accountId, keyId: null, wantNano, floorNano }),
      (result) => {
        if (result.granted && virtual === this.virtual) this.open.add(id)
      },
    )
  }

  private extend(): void {
    const requestId = this.pick(this.open)
    if (requestId === undefined) return
    const nano = BigInt(this.random(40))
    const { accountId } = this
    this.watch(async () => this.ledger.extend({ requestId, accountId, keyId: null, wantNano: nano, floorNano: nano }))
  }

  private settle(): void {
    const id = this.pick(this.open)
    if (id === undefined) return
    this.open.delete(id)
    this.ending.add(id)
    const costNano = BigInt(this.random(120))
    this.watch(
      () => this.ledger.settle({ requestId: id, costNano, row: this.row(id) }),
      (result) => {
        assert.ok(result.booked, `${id} was booked before`)
        assert.equal(result.chargedNano + result.absorbedNano, costNano)
        this.settled.set(id, result)
      },
    )
  }

  private void(id: string | undefined): void {
    if (id === undefined) return
    this.open.delete(id)
    this.watch(
      () => this.ledger.void(id, this.row(id)),
      () => this.voided.add(id),
    )
  }

  /** Whoever ended does not end again, whatever is asked for. */
  private repeat(): void {
    const id = this.pick(this.random(2) === 0 ? this.settled : this.voided)
    if (id === undefined) return
    this.watch(
      () => this.ledger.settle({ requestId: id, costNano: 7n, row: this.row(id) }),
      (result) => {
        assert.equal(result.booked, false)
        assert.equal(result.chargedNano, this.settled.get(id)?.chargedNano ?? 0n)
      },
    )
  }

  /** Top-ups, refunds and chargebacks; the last may take more than there is. */
  private credit(): void {
    const [type, amount] = (
      [
        ['topup', this.random(150)],
        ['refund', this.random(40)],
        ['adjustment', -this.random(120)],
      ] as const
    )[this.random(3)]!
    const { accountId, nowMs } = this
    const entry = { accountId, type, amountNano: BigInt(amount), note: null, actor: 'test', nowMs }
    this.watch(() => this.virtual.store.execute('credit', entry))
  }

  private async expire(): Promise<void> {
    // On one node a hold lives as long as its process.
    this.nowMs += EXPIRY_MS
    await this.through(this.ledger.recover())
  }

  private async crash(): Promise<void> {
    this.virtual.crash()
    this.open.clear()
    this.start()
    await this.through(this.ledger.recover())
  }

  /** Waits for something that waits for the writer. */
  private async through<T>(work: Promise<T>): Promise<T> {
    const done = new AbortController()
    void work.finally(() => done.abort())
    while (!done.signal.aborted) await this.settleDown()
    return work
  }

  /** Executes and delivers everything. */
  private async settleDown(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      this.virtual.run(100)
      this.virtual.deliver(100)
      await turn()
      quiet = this.virtual.isIdle ? quiet + 1 : 0
    }
  }

  private watch<T>(call: () => Promise<T>, then: (value: T) => void = () => {}): void {
    call()
      .then(then)
      .catch((error: unknown) => this.failures.push(error))
  }

  /** The prefix of the ledger that is on the disk is right at every moment. */
  private check(): void {
    assert.deepEqual(this.failures, [])
    const found = this.read()
    for (let at = this.entries.length; at < found.length; at++) {
      const entry = found[at]!
      const before = found[at - 1]?.balance_after_nano ?? 0n
      assert.equal(entry.balance_after_nano, before + entry.amount_nano, 'the balance is the sum of the entries')
      if (entry.type === 'usage' && entry.amount_nano !== 0n)
        assert.ok(entry.amount_nano < 0n && entry.balance_after_nano >= 0n, 'a charge never overdraws')
      this.entries.push(entry)
    }
    const sql = 'select balance_nano, held_nano from accounts where id = ?'
    const [account] = this.disk.query(sql, [this.accountId]) as [{ balance_nano: bigint; held_nano: bigint }]
    assert.equal(account.balance_nano, this.entries.at(-1)?.balance_after_nano ?? 0n)
    assert.ok(account.held_nano >= 0n)
  }

  private checkEnd(): void {
    assert.deepEqual(this.read(), this.entries, 'no entry has changed since it was first seen')
    const usage = this.entries.filter(({ type }) => type === 'usage')
    const charged = new Map(usage.map((entry) => [entry.request_id!, -entry.amount_nano]))
    assert.equal(charged.size, usage.length, 'no request is booked twice')
    for (const [id, { chargedNano }] of this.settled) assert.equal(charged.get(id), chargedNano, `${id} is lost`)
    for (const id of this.voided) assert.ok(!charged.has(id), `${id} was voided and charged`)
    for (const id of charged.keys()) assert.ok(this.ending.has(id), `${id} was charged without an end`)
    const holds = this.disk.query('select request_id from holds where account_id = ?', [this.accountId])
    assert.deepEqual(holds, [], 'no hold is left')
    assert.equal(this.ledger.heldOf(this.accountId), 0n, 'nothing is held in memory')
  }

  private read(): Entry[] {
    const sql =
      'select type, request_id, amount_nano, balance_after_nano from ledger_entries where account_id = ? order by seq'
    return this.disk.query(sql, [this.accountId]) as Entry[]
  }

  private pick(from: Pick<Set<string>, 'size' | 'keys'>): string | undefined {
    const ids = [...from.keys()]
    return ids[this.random(ids.length)]
  }

  private row(id: string) {
    return sampleRow({ request_id: id, account_id: this.accountId })
  }
}

/** A small generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = (Math.imul(seed, 2_654_435_761) + 1) >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
