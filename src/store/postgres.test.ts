import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { createRollups } from '#analytics/rollups.ts'
import { readUsage } from '#analytics/usage.ts'
import { HOLD_TTL_MS } from '#ledger/ledger.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import { postgresSkip, startPostgres } from '#test/postgres.ts'
import type { TestPostgres } from '#test/postgres.ts'
import { ask, booksOver, newAccount, newKey, NOON_MS, ONE_CENT, sampleRow } from './contract-books.ts'
import { storeContract } from './contract.ts'
import { MIGRATIONS } from './migrations.ts'
import { migratePostgres } from './postgres.ts'
import { flatten } from './request-columns.ts'
import { openStore } from './store.ts'
import type { Store } from './store.ts'

let server: TestPostgres
let made = 0
const newUrl = (): Promise<string> => server.createDatabase(`books_${++made}`)
const urlOf = new WeakMap<Store, string>()

/** What docs/operations.md tells an operator to run: the role, and what it may do in a database. */
const OPERATIONS = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const [CREATE_ROLE, ...GRANTS] = /```sql\n(create role[^`]+)```/.exec(OPERATIONS)![1]!.trim().split('\n')

/** S11: the same database for the role that may do the least, brought up to date by its owner. */
async function asLeastRole(url: string): Promise<string> {
  await migratePostgres(url, MIGRATIONS)
  await withClient(url, (client) => client.query(GRANTS.join('\n')))
  return asTrivium(url)
}

const asTrivium = (url: string): string => url.replace('postgres@', 'trivium@')

/** Migrations take longer than most of the tests: what one has migrated the others copy. */
let migrated: Promise<string> | undefined

async function newMigrated(): Promise<string> {
  migrated ??= server.createDatabase('migrated').then(asLeastRole)
  await migrated
  return server.createDatabase(`books_${++made}`, 'migrated')
}

const openUrl = async (url: string): Promise<Store> => {
  const store = await openStore({ kind: 'postgres', url })
  urlOf.set(store, url)
  return store
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

describe('postgres', { skip: postgresSkip }, () => {
  before(async () => {
    server = await startPostgres()
    await withClient(server.url, (client) => client.query(CREATE_ROLE!))
  })
  after(() => server?.stop())

  storeContract({
    engine: 'postgres',
    makeLedger: openLedger,
    storesHolds: true,
    async open() {
      const owned = await newMigrated()
      const url = asTrivium(owned)
      const open = async (): Promise<Store> => {
        const store = await openUrl(url)
        urlOf.set(store, owned)
        return store
      }
      return { store: await open(), again: open }
    },
    dump: (store) =>
      withClient(urlOf.get(store)!, async (client) => {
        const { rows } =
          await client.query(`select query_to_xml('select * from ' || quote_ident(table_name), true, false, '')
          from information_schema.tables where table_schema = 'public'`)
        return JSON.stringify(rows)
      }),
    tamper: (store, sql) =>
      withClient(urlOf.get(store)!, async (client) => {
        await client.query(sql)
      }),
  })

  test('rollups: two gateways that write and fold at the same time count every row once', async () => {
    const url = await newUrl()
    const stores = await Promise.all([openUrl(url), openUrl(url)])
    try {
      const rollups = stores.map((store) => createRollups(store))
      const write = async (store: Store, node: number): Promise<void> => {
        for (let from = 0; from < 1_000; from += 50) {
          const rows = Array.from({ length: 50 }, (_, of) =>
            flatten(sampleRow({ request_id: `req_${node}_${from + of}`, model_id: 'm', charged_cost_nano: 1n })),
          )
          await store.execute('appendRows', rows)
          if (from % 200 === 0) await rollups[node]!.catchUp(1)
        }
      }
      await Promise.all(stores.map(write))
      while (!(await rollups[0]!.catchUp(60_000)));
      const range = { fromMs: NOON_MS - 3_600_000, toMs: NOON_MS + 3_600_000 }
      const { total } = await readUsage(stores[1]!, { ...range, groupBy: [], filter: {} })
      assert.deepEqual([total.requests, total.charged_nano], [2_000, 2_000n])
    } finally {
      for (const store of stores) await store.close()
    }
  })

  test('rollups: rows that were there before their tables are counted, part by part', async () => {
    const url = await newUrl()
    await migratePostgres(
      url,
      MIGRATIONS.filter(({ id }) => id < 20),
    )
    await withClient(url, (client) =>
      client.query(`insert into requests (request_id, day_key, ts_start_ms, ts_end_ms, protocol, status, status_code,
          latency_ms, detail)
        select 'req_' || n, '2026-11-20', ${NOON_MS} + n, ${NOON_MS} + n, 'openai-chat', 'ok', 200, 1, '{}'
        from generate_series(1, 4500) n`),
    )
    const store = await openUrl(url)
    try {
      let parts = 1
      while ((await store.execute('foldRequests', {}))?.more) parts++
      const range = { fromMs: NOON_MS, toMs: NOON_MS + 3_600_000 }
      const { total } = await readUsage(store, { ...range, groupBy: [], filter: {} })
      assert.equal(total.requests, 4_500)
      assert.ok(parts >= 3, String(parts))
    } finally {
      await store.close()
    }
  })

  test('two gateways on one database do not overdraw together', async () => {
    const url = await newUrl()
    const stores = await Promise.all([openUrl(url), openUrl(url)])
    const [left, right] = stores.map((store) => booksOver(store))
    const account = await newAccount(left!, ONE_CENT)
    const key = await newKey(left!, account)
    const asks = Array.from({ length: 50 }, (_, at) =>
      ask(at % 2 === 0 ? left! : right!, `req_${at}`, { account, key }, ONE_CENT / 2n),
    )
    const granted = (await Promise.all(asks)).filter((result) => result.granted)
    assert.equal(granted.length, 2)
    assert.deepEqual((await left!.ledger.verify()).problems, [])
    await Promise.all(stores.map((store) => store.close()))
  })

  test('two gateways book the same requests of many accounts once each', async () => {
    const url = await newUrl()
    const stores = await Promise.all([openUrl(url), openUrl(url)])
    const nodes = stores.map((store) => booksOver(store))
    const accounts = await Promise.all([1, 2, 3, 4].map(() => newAccount(nodes[0]!, 10_000n)))
    let booked = 0
    await Promise.all(
      Array.from({ length: 200 }, async (_, at) => {
        // Each node meets the accounts in another order, which would deadlock without sorted locks.
        const account = accounts[at % 4]!
        await ask(nodes[at % 2]!, `req_${at}`, { account }, 20n)
        const row = sampleRow({ request_id: `req_${at}`, account_id: account.id })
        const settlement = { requestId: `req_${at}`, costNano: 10n, row }
        const results = await Promise.all(nodes.map((node) => node.ledger.settle(settlement)))
        booked += results.filter((result) => result.booked).length
      }),
    )
    assert.equal(booked, 200)
    const { problems, entries, openHolds } = await nodes[1]!.ledger.verify()
    assert.deepEqual({ problems, entries, openHolds }, { problems: [], entries: 204, openHolds: 0 })
    await Promise.all(stores.map((store) => store.close()))
  })

  test('a starting node leaves the living holds of another one alone', async () => {
    const url = await newUrl()
    const first = await openUrl(url)
    const books = booksOver(first)
    const account = await newAccount(books, 100n)
    await ask(books, 'req_1', { account }, 60n)
    const second = await openUrl(url)
    assert.equal(await booksOver(second, NOON_MS + 1).ledger.recover(), 0)
    assert.equal(await booksOver(second, NOON_MS + HOLD_TTL_MS + 1).ledger.recover(), 1)
    await Promise.all([first.close(), second.close()])
  })

  for (const hours of [1, -1]) {
    test(`M17: a node whose wall clock is off by ${hours} h ends no lease early and starts no period over`, async (t) => {
      const url = await newUrl()
      const stores = await Promise.all([openUrl(url), openUrl(url)])
      try {
        const account = await newAccount(booksOver(stores[0]!), 1_000n)
        const [right, wrong] = stores.map((store) => openLedger(store))
        const wish = { accountId: account.id, keyId: null, wantNano: 1n, floorNano: 1n }
        assert.equal((await right!.reserve({ requestId: 'req_1', ...wish })).granted, true)
        const real = Date.now
        t.mock.method(Date, 'now', () => real() + hours * 3_600_000)
        assert.equal((await wrong!.reserve({ requestId: 'req_2', ...wish })).granted, true)
        assert.equal(await wrong!.recover(), 0)
        const holds = await stores[0]!.read.selectFrom('holds').select('expires_ms').execute()
        const [one, two] = holds.map(({ expires_ms: ms }) => ms)
        assert.ok(Math.abs(one! - two!) < 10_000, `${one} ${two}`)
        assert.ok(Math.abs(stores[1]!.clock!.now() - real()) < 10_000)
      } finally {
        await Promise.all(stores.map((store) => store.close()))
      }
    })
  }

  test('several nodes that start at once migrate once', async () => {
    const url = await newUrl()
    await Promise.all([1, 2, 3].map(() => migratePostgres(url, MIGRATIONS)))
    const { rows } = await withClient(url, (client) => client.query('select id from schema_migrations order by id'))
    assert.deepEqual(
      rows.map((row) => Number(row.id)),
      MIGRATIONS.map(({ id }) => id),
    )
    const statements = () => ['create table half (a bigint)', 'create table nonsense (']
    const bad = migratePostgres(url, [...MIGRATIONS, { id: 99, name: 'bad', statements }])
    await assert.rejects(bad, /Migration 99 \(bad\) failed/)
    await assert.rejects(
      withClient(url, (client) => client.query('select * from half')),
      /does not exist/,
    )
    await assert.rejects(migratePostgres(url, MIGRATIONS.slice(0, -1)), /does not know/)
  })

  test('S11: the role that may do the least changes neither tables nor what was booked, and cannot migrate', async () => {
    const owned = await newUrl()
    await assert.rejects(openUrl(asTrivium(owned)), /cannot be used.*permission denied/)
    const url = await asLeastRole(owned)
    for (const sql of [
      'create table mine (a bigint)',
      'alter table accounts add column mine bigint',
      'drop table api_keys',
      'drop trigger ledger_entries_immutable on ledger_entries',
      'update ledger_entries set amount_nano = 0',
      'delete from ledger_entries',
      'delete from audit_entries',
    ])
      await assert.rejects(
        withClient(url, (client) => client.query(sql)),
        /permission denied|must be owner/,
        sql,
      )
  })

  test('a database that is not there is refused with a clear error', async () => {
    const url = server.url.replace(/\/postgres$/, '/nowhere')
    await assert.rejects(openUrl(url), /The PostgreSQL database cannot be used.*nowhere/)
  })

  test('settlements survive a crash of the server: each is booked once', async () => {
    // What the tests before have written is not to be read again: on a busy machine that takes longer than anybody waits.
    await withClient(server.url, (client) => client.query('checkpoint'))
    const store = await openUrl(await newUrl())
    const books = booksOver(store)
    const account = await newAccount(books, 10_000n)
    const ids = Array.from({ length: 50 }, (_, at) => `req_${at}`)
    await Promise.all(ids.map((id) => ask(books, id, { account }, 20n)))
    const settling = ids.map((requestId) =>
      books.ledger.settle({
        requestId,
        costNano: 10n,
        row: sampleRow({ request_id: requestId, account_id: account.id }),
      }),
    )
    await server.crash()
    await Promise.all(settling)
    assert.equal((await books.accounts.get(account.id))!.balanceNano, 9_500n)
    await server.crash()
    assert.equal((await ask(books, 'req_after', { account }, 20n)).granted, true)
    assert.deepEqual((await books.ledger.verify()).problems, [])
    await store.close()
  })
})
