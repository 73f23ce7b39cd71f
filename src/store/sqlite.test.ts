import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLedger } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { WRITER_PARTS } from './commands.ts'
import { ask, booksOver, newAccount, NOON_MS } from './contract-books.ts'
import type { Harness, MakeLedger } from './contract-books.ts'
import { moneyContract, storeContract } from './contract.ts'
import { MIGRATIONS } from './migrations.ts'
import { openSqliteEngine } from './sqlite-engine.ts'
import { openStore } from './store.ts'
import type { Store } from './store.ts'

const root = mkdtempSync(path.join(tmpdir(), 'trivium-sqlite-'))
after(() => rmSync(root, { recursive: true, force: true }))

let made = 0
const newFile = (): string => path.join(root, `${++made}`, 'trivium.db')
const fileOf = new WeakMap<Store, string>()

/** Migrations take longer than most of the tests: what one has migrated the others copy. */
let migrated: Promise<string> | undefined

async function newMigrated(): Promise<string> {
  migrated ??= migrateOne(newFile())
  const file = newFile()
  mkdirSync(path.dirname(file))
  copyFileSync(await migrated, file)
  return file
}

async function migrateOne(file: string): Promise<string> {
  const store = await openStore({ kind: 'sqlite', file })
  await store.close()
  return file
}

const openFile = async (file: string): Promise<Store> => {
  const store = await openStore({ kind: 'sqlite', file })
  fileOf.set(store, file)
  return store
}

const VARIANTS = [
  { name: 'sqlite, ledger in SQL', contract: moneyContract, makeLedger: createLedger, storesHolds: true },
  { name: 'sqlite, ledger of one node', contract: storeContract, makeLedger: openLedger, storesHolds: false },
]

for (const { name, contract, makeLedger, storesHolds } of VARIANTS) {
  describe(name, () => contract(sqliteHarness(makeLedger, storesHolds)))
}

function sqliteHarness(makeLedger: MakeLedger, storesHolds: boolean): Harness {
  return {
    engine: 'sqlite',
    makeLedger,
    storesHolds,
    async open() {
      const file = await newMigrated()
      return { store: await openFile(file), again: () => openFile(file) }
    },
    // The database and its log as bytes: a secret would stand there as it is.
    async dump(store) {
      const folder = path.dirname(fileOf.get(store)!)
      return readdirSync(folder)
        .map((name) => readFileSync(path.join(folder, name), 'latin1'))
        .join('\n')
    },
    async tamper(store, sql) {
      const db = new DatabaseSync(fileOf.get(store)!)
      try {
        db.exec(sql)
      } finally {
        db.close()
      }
    },
  }
}

test('a second store on the same file is refused with one clear error, and the first lives on', async () => {
  const file = newFile()
  const store = await openFile(file)
  await assert.rejects(openFile(file), /is in use by another Trivium process/)
  await newAccount(booksOver(store), 1n)
  await store.close()
  const next = await openFile(file)
  assert.equal((await booksOver(next).accounts.list({ limit: 10 })).data.length, 1)
  await next.close()
})

test('migrations are applied once, a failing one leaves nothing behind, a newer database is refused', () => {
  const engine = openSqliteEngine(path.join(root, 'migrations.db'), WRITER_PARTS)
  engine.migrate(MIGRATIONS, 1)
  engine.migrate(MIGRATIONS, 2)
  const applied = () => engine.query('select id, applied_ms from schema_migrations', [])
  assert.deepEqual(
    applied(),
    MIGRATIONS.map(({ id }) => ({ id, applied_ms: 1 })),
  )
  const statements = () => ['create table half (a integer)', 'create table nonsense (']
  const bad = [...MIGRATIONS, { id: 99, name: 'bad', statements }]
  assert.throws(() => engine.migrate(bad, 3), /Migration 99 \(bad\) failed: .*does not start/)
  assert.equal(applied().length, MIGRATIONS.length)
  assert.throws(() => engine.query('select * from half', []), /no such table/)
  assert.throws(() => engine.migrate(MIGRATIONS.slice(0, -1), 3), /does not know/)
  engine.close()
})

test('at the start of a process every hold is a dead one, later only expired ones are', async () => {
  const file = newFile()
  const first = await openFile(file)
  const before = booksOver(first)
  const account = await newAccount(before, 100n)
  await ask(before, 'req_1', { account }, 60n)
  await first.close()
  const second = await openFile(file)
  const after = booksOver(second, NOON_MS + 1)
  assert.equal(await after.ledger.recover(), 1)
  await ask(after, 'req_2', { account }, 60n)
  assert.equal(await after.ledger.recover(), 0)
  assert.deepEqual((await after.ledger.verify()).problems, [])
  await second.close()
})

for (const kind of ['sql', 'single-node']) {
  test(`kill -9 under load (${kind}): what was answered is booked once, and no hold stays open`, () => killTest(kind))
}

async function killTest(kind: string): Promise<void> {
  const file = newFile()
  const ROUNDS = 5
  const answered = new Set<string>()
  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('./kill-target.ts', import.meta.url)),
      file,
      `${round}`,
      kind,
    ])
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.length > 2_000 * (round + 1)) child.kill('SIGKILL')
    })
    await once(child, 'close')
    // The last line may be cut; the others were printed after their settlement was durable.
    for (const line of text.split('\n').slice(0, -1)) answered.add(line)
  }
  assert.ok(answered.size > 100)
  const store = await openFile(file)
  const { ledger } = booksOver(store, NOON_MS, kind === 'sql' ? createLedger : openLedger)
  await ledger.recover()
  const { problems, openHolds } = await ledger.verify()
  assert.deepEqual({ problems, openHolds }, { problems: [], openHolds: 0 })
  const booked = await store.read
    .selectFrom('ledger_entries')
    .select('request_id')
    .where('type', '=', 'usage')
    .execute()
  const ids = new Set(booked.map((entry) => entry.request_id))
  assert.equal(ids.size, booked.length)
  assert.deepEqual(
    [...answered].filter((id) => !ids.has(id)),
    [],
  )
  await store.close()
}

test('migration ids only rise, so that none is ever put between released ones', () => {
  const ids = MIGRATIONS.map(({ id }) => id)
  assert.deepEqual(
    ids,
    [...new Set(ids)].toSorted((left, right) => left - right),
  )
})

test('a file that is no database is refused with its name', async () => {
  const file = path.join(root, 'broken.db')
  writeFileSync(file, 'This is no database, though it is long enough to look like one at first sight.'.repeat(20))
  await assert.rejects(openFile(file), /broken\.db cannot be opened/)
})
