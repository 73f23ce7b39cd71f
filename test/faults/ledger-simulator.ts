/**
 * A ledger on a virtual disk, with a virtual clock and messages that arrive when the seed says so (M10). The ledger, its commands and
 * SQLite are the real ones; what is played are the writers' queues, the way of their replies, the time, and the death of processes.
 * `shared` is what several nodes on one database do: two of them, whose writes and replies overtake each other. `journaled` has the
 * real journal beside it, which outlives the process.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeys } from '#accounts/keys.ts'
import { GatewayError } from '#base/errors.ts'
import { createBudgets } from '#billing/budgets.ts'
import { createLedger, type RecoverableLedger } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { createSingleNodeLedger } from '#ledger/single-node-ledger.ts'
import type { HoldResult, SettleResult } from '#ledger/types.ts'
import { WRITER_PARTS } from '#store/commands.ts'
import { NOON_MS, sampleRow } from '#store/contract-books.ts'
import { MIGRATIONS } from '#store/migrations.ts'
import { openSqliteEngine, type SqliteEngine } from '#store/sqlite-engine.ts'
import { VirtualStore } from './virtual-store.ts'

export type Kind = 'shared' | 'single-node' | 'journaled'

const EXPIRY_MS = 16 * 60_000
const CREDIT_NANO = 300n
const SYSTEM = 'crm'

export function openDisk(): SqliteEngine {
  const disk = openSqliteEngine(':memory:', WRITER_PARTS)
  disk.migrate(MIGRATIONS, NOON_MS)
  return disk
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Entry {
  readonly seq: number
  readonly type: string
  readonly request_id: string | null
  readonly amount_nano: bigint
  readonly balance_after_nano: bigint
}

interface Node {
  readonly virtual: VirtualStore
  readonly ledger: RecoverableLedger
}

/** What one request of the history has. */
interface Open {
  readonly node: Node
  readonly keyId: string | null
}

/** One history of one account, its key and its budgets. Everything that happens follows from the seed. */
export class World {
  private readonly disk: SqliteEngine
  private readonly kind: Kind
  private readonly operations: number
  private readonly accountId: string
  private readonly random: (below: number) => number
  /** Of the journal. */
  private readonly folder: string | null
  /** Of the key, the account and the system: less than what the account gets, so that they matter. */
  private readonly limits: { readonly key: bigint; readonly account: bigint; readonly system: bigint }
  private readonly nodes: Node[]
  private keyId = ''
  private nowMs = NOON_MS
  private requests = 0
  private readonly open = new Map<string, Open>()
  private readonly keyOf = new Map<string, string | null>()
  private readonly systemOf = new Map<string, string | null>()
  /** Told to the ledger, not yet answered. */
  private readonly ending = new Set<string>()
  private readonly settled = new Map<string, SettleResult>()
  private readonly voided = new Set<string>()
  private readonly entries: Entry[] = []
  private readonly failures: unknown[] = []

  constructor(disk: SqliteEngine, kind: Kind, seed: number, operations: number) {
    this.disk = disk
    this.kind = kind
    this.operations = operations
    const per = BigInt(operations)
    this.limits = { key: 100n + (4n * per) / 10n, account: 200n + (8n * per) / 10n, system: 50n + (2n * per) / 10n }
    this.accountId = `acc_${kind}_${seed}`
    this.random = randomFrom(seed)
    this.folder = kind === 'journaled' ? mkdtempSync(join(tmpdir(), 'trivium-simulation-')) : null
    this.nodes = kind === 'shared' ? [this.start(), this.start()] : [this.start()]
  }

  async play(): Promise<void> {
    await this.begin()
    for (let at = 0; at < this.operations; at++) await this.step()
    // A reservation that waited for the disk is granted only now.
    await this.settleDown()
    for (const id of this.open.keys()) this.void(id)
    await this.settleDown()
    await this.expire()
    await this.settleDown()
    if (this.folder !== null) await this.through(this.nodes[0]!.ledger.close())
    this.check()
    this.checkEnd()
    if (this.folder !== null) rmSync(this.folder, { recursive: true })
  }

  async verify(): Promise<readonly string[]> {
    return (await this.through(this.nodes[0]!.ledger.verify())).problems
  }

  private async begin(): Promise<void> {
    const { accountId, nowMs } = this
    const { store } = this.nodes[0]!.virtual
    const money = { creditLimitNano: null, creditNano: CREDIT_NANO, tierAssigned: false, actor: 'test', nowMs }
    const email = `${accountId}@example.org`
    void store.execute('createAccount', { id: accountId, email, mode: 'prepaid', tier: '', ...money })
    await this.settleDown()
    const keys = createKeys(store, 'pepper of the simulation', null, () => this.nowMs)
    const wish = { name: 'test', accountId, limitNano: this.limits.key }
    this.keyId = (await this.through(keys.create(wish))).key.id
    const budgets = createBudgets(store, () => this.nowMs)
    const hard = { accountId, period: null, hard: true, setBy: 'operator', startsMs: null } as const
    await this.through(budgets.create({ ...hard, scope: 'account', target: '', maxNano: this.limits.account }))
    await this.through(budgets.create({ ...hard, scope: 'system', target: SYSTEM, maxNano: this.limits.system }))
  }

  private start(): Node {
    const virtual = new VirtualStore(this.disk, this.kind === 'shared', this.random)
    const now = (): number => this.nowMs
    if (this.folder !== null) return { virtual, ledger: openLedger(virtual.store, { now, journalFolder: this.folder }) }
    const make = this.kind === 'shared' ? createLedger : createSingleNodeLedger
    return { virtual, ledger: make(virtual.store, { now }) }
  }

  private anyNode(): Node {
    return this.nodes[this.random(this.nodes.length)]!
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
    else if (dice < 88) this.anyNode().virtual.run(1 + this.random(4))
    else this.anyNode().virtual.deliver(1 + this.random(4))
    await turn()
    this.check()
  }

  private reserve(): void {
    const id = `req_${this.accountId}_${++this.requests}`
    const wantNano = BigInt(this.random(80))
    const floorNano = this.random(2) === 0 ? wantNano : wantNano / 2n
    const keyId = this.random(2) === 0 ? this.keyId : null
    const system = this.random(3) === 0 ? SYSTEM : null
    const node = this.anyNode()
    const { accountId } = this
    this.keyOf.set(id, keyId)
    this.systemOf.set(id, system)
    this.watchHold(
      async () => node.ledger.reserve({ requestId: id, accountId, keyId, system, wantNano, floorNano }),
      (result) => {
        if (!result.granted) return
        if (this.nodes.includes(node)) this.open.set(id, { node, keyId })
      },
    )
  }

  private extend(): void {
    const requestId = this.pick(this.open)
    if (requestId === undefined) return
    const { node, keyId } = this.open.get(requestId)!
    const nano = BigInt(this.random(40))
    const { accountId } = this
    this.watchHold(async () => node.ledger.extend({ requestId, accountId, keyId, wantNano: nano, floorNano: nano }))
  }

  private settle(): void {
    const id = this.pick(this.open)
    if (id === undefined) return
    const { node } = this.open.get(id)!
    this.open.delete(id)
    this.ending.add(id)
    const costNano = BigInt(this.random(120))
    this.watch(
      () => node.ledger.settle({ requestId: id, costNano, row: this.row(id) }),
      (result) => {
        assert.ok(result.booked, `${id} was booked before`)
        assert.equal(result.chargedNano + result.absorbedNano, costNano)
        this.settled.set(id, result)
      },
    )
  }

  private void(id: string | undefined): void {
    if (id === undefined) return
    const { node } = this.open.get(id)!
    this.open.delete(id)
    this.watch(
      () => node.ledger.void(id, this.row(id)),
      () => this.voided.add(id),
    )
  }

  /** Whoever ended does not end again, whatever is asked for and wherever. */
  private repeat(): void {
    const id = this.pick(this.random(2) === 0 ? this.settled : this.voided)
    if (id === undefined) return
    const { ledger } = this.anyNode()
    if (this.random(3) === 0) {
      this.watch(() => ledger.void(id, this.row(id)))
      return
    }
    this.watch(
      () => ledger.settle({ requestId: id, costNano: 7n, row: this.row(id) }),
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
    const { store } = this.anyNode().virtual
    this.watch(() => store.execute('credit', entry))
  }

  /** Time passes while only one node looks after its leases: those of the others are over. On one node a hold lives as long as its process. */
  private async expire(): Promise<void> {
    this.nowMs += EXPIRY_MS
    await this.through(this.anyNode().ledger.recover())
  }

  private async crash(): Promise<void> {
    // Whatever the dying process has begun to write in this turn of its loop is written: a dead one must not write later.
    await turn()
    const at = this.random(this.nodes.length)
    const dead = this.nodes[at]!
    dead.virtual.crash()
    for (const [id, { node }] of this.open) if (node === dead) this.open.delete(id)
    this.nodes[at] = this.start()
    await this.through(this.nodes[at].ledger.recover())
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
      for (const { virtual } of this.nodes) {
        virtual.run(100)
        virtual.deliver(100)
      }
      await turn()
      quiet = this.nodes.every(({ virtual }) => virtual.isIdle) ? quiet + 1 : 0
    }
  }

  private watch<T>(call: () => Promise<T>, then: (value: T) => void = () => {}): void {
    call()
      .then(then)
      .catch((error: unknown) => this.failures.push(error))
  }

  /** A question for money. It may be refused when the funds change faster than they are read, and then holds nothing. */
  private watchHold(call: () => Promise<HoldResult>, then: (result: HoldResult) => void = () => {}): void {
    this.watch(
      async () => {
        try {
          return await call()
        } catch (error) {
          if (error instanceof GatewayError && error.code === 'store_unavailable') return null
          throw error
        }
      },
      (result) => {
        if (result) then(result)
      },
    )
  }

  /** The prefix of the ledger that is on the disk is right at every moment. */
  private check(): void {
    assert.deepEqual(this.failures, [])
    for (const entry of this.read(this.entries.at(-1)?.seq ?? 0)) {
      const before = this.entries.at(-1)?.balance_after_nano ?? 0n
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
    assert.deepEqual(this.read(0), this.entries, 'no entry has changed since it was first seen')
    const usage = this.entries.filter(({ type }) => type === 'usage')
    const charged = new Map(usage.map((entry) => [entry.request_id!, -entry.amount_nano]))
    assert.equal(charged.size, usage.length, 'no request is booked twice')
    for (const [id, { chargedNano }] of this.settled) assert.equal(charged.get(id), chargedNano, `${id} is lost`)
    for (const id of this.voided) assert.ok(!charged.has(id), `${id} was voided and charged`)
    for (const id of charged.keys()) assert.ok(this.ending.has(id), `${id} was charged without an end`)
    const holds = this.disk.query('select request_id from holds where account_id = ?', [this.accountId])
    assert.deepEqual(holds, [], 'no hold is left')
    for (const { ledger } of this.nodes) assert.equal(ledger.heldOf(this.accountId), 0n, 'nothing is held in memory')
    this.checkScopes(charged)
  }

  /** Key and budgets have counted what was charged, and no more was than they allow. */
  private checkScopes(charged: ReadonlyMap<string, bigint>): void {
    let [ofKey, ofSystem] = [0n, 0n]
    for (const [id, nano] of charged) {
      if (this.keyOf.get(id) !== null) ofKey += nano
      if (this.systemOf.get(id) !== null) ofSystem += nano
    }
    const read = (sql: string, id: string) => this.disk.query(sql, [id])
    const keySql = 'select held_nano, total_nano from key_usage where key_id = ?'
    assert.deepEqual(read(keySql, this.keyId), [{ held_nano: 0n, total_nano: ofKey }], 'the key counts what it paid')
    assert.ok(ofKey <= this.limits.key, 'the limit of the key')
    const budgetSql = 'select held_nano, spent_nano, max_nano from budgets where account_id = ?'
    const budgets = read(budgetSql, this.accountId) as { held_nano: bigint; spent_nano: bigint; max_nano: bigint }[]
    assert.equal(budgets.length, 2)
    for (const { held_nano, spent_nano, max_nano } of budgets) {
      assert.equal(held_nano, 0n)
      assert.ok(spent_nano <= max_nano, 'the budget')
    }
    const all = [...charged.values()].reduce((sum, nano) => sum + nano, 0n)
    const counted = new Map(budgets.map(({ max_nano, spent_nano }) => [max_nano, spent_nano]))
    const paid = new Map([
      [this.limits.account, all],
      [this.limits.system, ofSystem],
    ])
    assert.deepEqual(counted, paid, 'each budget counts what is its own')
  }

  private read(afterSeq: number): Entry[] {
    const sql = `select seq, type, request_id, amount_nano, balance_after_nano from ledger_entries
      where account_id = ? and seq > ? order by seq`
    return this.disk.query(sql, [this.accountId, afterSeq]) as Entry[]
  }

  private pick(from: Pick<Set<string>, 'size' | 'keys'>): string | undefined {
    const ids = [...from.keys()]
    return ids[this.random(ids.length)]
  }

  private row(id: string) {
    const [key_id, system] = [this.keyOf.get(id) ?? null, this.systemOf.get(id) ?? null]
    return sampleRow({ request_id: id, account_id: this.accountId, key_id, system })
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
