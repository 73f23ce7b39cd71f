import { Client, DatabaseError, Pool, types } from 'pg'
import type { CustomTypesConfig, QueryResult } from 'pg'
import { createAnnouncer } from './announcer.ts'
import { bind } from './bind.ts'
import { commandOf } from './commands.ts'
import type { CommandCall } from './commands.ts'
import { createDatabaseClock } from './database-clock.ts'
import { createReader } from './dialect.ts'
import { failureOf, storeUnavailable } from './failure.ts'
import { migrate, MIGRATIONS } from './migrations.ts'
import type { Migration } from './migrations.ts'
import { BATCH_LENGTH_MAX, createQueue, QUEUE_LENGTH_MAX } from './queue.ts'
import type { Reply } from './queue.ts'
import type { Bound, Outcome, Statement, Step } from './statement.ts'
import type { Store } from './store.ts'

/** Connections that serve reads; writes have one of their own. */
const READ_CONNECTIONS_MAX = 8
const CONNECT_TIMEOUT_MS = 5_000
/** A repeatable command is tried again this often after a lost connection or a deadlock: for three quarters of a minute, in which a busy server starts (R123, M16). */
export const REPEATS_MAX = 14
const REPEAT_DELAY_MS = 100
const REPEAT_DELAY_MS_MAX = 5_000
/** Any fixed number: it names the migration lock among the advisory locks of the database. */
const MIGRATION_LOCK = 7_216_035_418

/** The store on PostgreSQL. Several gateway processes may share the database: every check is made under a row lock. */
export async function openPostgres(url: string): Promise<Store> {
  const pool = new Pool({
    connectionString: url,
    max: READ_CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    options: '-c default_transaction_read_only=on',
    types: TYPES,
  })
  // An idle connection that breaks is replaced at the next read; without a listener it would end the process.
  pool.on('error', () => {})
  const writer = createWriter(url)
  const read = createReader('postgres', (sql, values) => readRows(pool, sql, values))
  const clock = createDatabaseClock(read)
  try {
    await migratePostgres(url, MIGRATIONS)
    await writer.session()
    await clock.sync()
  } catch (cause) {
    await Promise.allSettled([pool.end(), writer.end()])
    throw new Error(`The PostgreSQL database cannot be used. ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
  const commands = createQueue<CommandCall>({
    lengthMax: QUEUE_LENGTH_MAX,
    batchLengthMax: BATCH_LENGTH_MAX,
    commit: (calls) => commitBatch(writer, calls),
  })
  const close = async (): Promise<void> => {
    await commands.close()
    await Promise.allSettled([pool.end(), writer.end()])
  }
  const { announce, onCommand } = createAnnouncer()
  let closing: Promise<void> | undefined
  return {
    engine: 'postgres',
    read,
    execute(name, args) {
      announce({ name, args })
      return commands.push({ name, args }) as Promise<never>
    },
    book: null,
    bookAll: null,
    // Nothing is written behind: whoever was answered finds it in the database.
    onRead() {},
    clock,
    onCommand,
    get pending() {
      return commands.length
    },
    close: () => (closing ??= close()),
  }
}

/** Brings the schema up to date under an advisory lock, so that of several starting processes one migrates (R124). */
export async function migratePostgres(url: string, migrations: readonly Migration[]): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    const work = migrate('postgres', migrations, Date.now())
    let turn = work.next([])
    while (!turn.done) {
      const { sql, values = [] } = turn.value
      try {
        turn = work.next((await client.query(sql, [...values])).rows)
      } catch (cause) {
        turn = work.throw(cause)
      }
    }
  } finally {
    // The end of the session drops the lock, also after a failure.
    await client.end()
  }
}

/** int8 and numeric arrive as bigint; `shape` then turns those that are no money into numbers. */
const INT8 = 20
const NUMERIC = 1700
const TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC ? parseNumeric : types.getTypeParser(oid, format as 'text')) as never,
}

/** Sums of int8 are numeric and whole; an average may have a fraction, and then it is no money. */
const parseNumeric = (text: string): bigint | number => (/^-?\d+$/.test(text) ? BigInt(text) : Number(text))

/**
 * PostgreSQL has no U+0000 in its texts and refuses the whole statement, be it a settlement. What a client wrote so is kept, and
 * looked for, with U+FFFD in its place.
 */
const storable = (values: readonly Bound[]): Bound[] =>
  values.map((value) => (typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value))

function shape(result: QueryResult): readonly unknown[] {
  const counted = result.fields.filter((field) => !field.name.endsWith('_nano')).map((field) => field.name)
  for (const row of result.rows) {
    for (const name of counted) if (typeof row[name] === 'bigint') row[name] = Number(row[name])
  }
  return result.rows
}

async function readRows(pool: Pool, sql: string, values: readonly Bound[]): Promise<readonly unknown[]> {
  try {
    return shape(await pool.query(sql, storable(values)))
  } catch (cause) {
    throw storeUnavailable(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

interface Writer {
  /** The connection, opened again after a loss. A transaction keeps the one it began on. */
  session(): Promise<Client>
  /** Drops the connection, so that the next transaction opens a new one. */
  reset(): Promise<void>
  end(): Promise<void>
}

/** One connection. Pipelined: the statements of a wave share a round trip. */
function createWriter(url: string): Writer {
  let current: Client | undefined
  let ended = false
  const reset = async (): Promise<void> => {
    const last = current
    current = undefined
    await last?.end().catch(() => {})
  }
  return {
    async session() {
      if (ended) throw new Error('The store is closed.')
      if (current) return current
      const client = new Client({
        connectionString: url,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        types: TYPES,
        ...({ pipeline: true } as object),
      })
      const lose = (): void => {
        if (current === client) current = undefined
      }
      client.on('error', lose)
      client.on('end', lose)
      await client.connect()
      current = client
      return client
    },
    reset,
    async end() {
      ended = true
      await reset()
    },
  }
}

/** The connection was lost, or the server is ending: nothing of the transaction was kept. */
class ConnectionLoss extends Error {}

/** The connection was lost while the commit was under way: the transaction may have been kept. */
class UnknownOutcome extends ConnectionLoss {}

/**
 * One transaction for all; one by one when a command throws, so that only the bad one fails. After a lost connection the
 * batch is tried again: repeatable commands until REPEATS_MAX, others once and only when they were surely not committed.
 */
async function commitBatch(writer: Writer, calls: readonly CommandCall[]): Promise<readonly Reply[]> {
  const replies: Reply[] = []
  let open = calls.map((call, at) => ({ call, at }))
  for (let repeat = 0; open.length > 0; repeat++) {
    try {
      const done = await attempt(
        writer,
        open.map(({ call }) => call),
      )
      for (const [index, { at }] of open.entries()) replies[at] = done[index]!
      return replies
    } catch (cause) {
      const failure = { ...failureOf(cause), ...(cause instanceof UnknownOutcome ? { mayBeKept: true as const } : {}) }
      const again = ({ call }: { call: CommandCall }): boolean => repeat < REPEATS_MAX && mayRepeat(call, cause, repeat)
      const passing = isRolledBack(cause) || cause instanceof ConnectionLoss
      if (!passing && open.length > 1) {
        for (const { call, at } of open) replies[at] = (await commitBatch(writer, [call]))[0]!
        return replies
      }
      for (const entry of open) if (!passing || !again(entry)) replies[entry.at] = { failure }
      open = passing ? open.filter(again) : []
      if (open.length > 0) await delay(Math.min(REPEAT_DELAY_MS * 2 ** repeat, REPEAT_DELAY_MS_MAX))
    }
  }
  return replies
}

function mayRepeat(call: CommandCall, cause: unknown, repeat: number): boolean {
  if (isRolledBack(cause) || commandOf(call).repeatable) return true
  return repeat === 0 && !(cause instanceof UnknownOutcome)
}

async function attempt(writer: Writer, calls: readonly CommandCall[]): Promise<Reply[]> {
  const accounts = [...new Set(calls.flatMap((call) => commandOf(call).accounts(call.args)))].toSorted()
  const session = await guarded(() => writer.session(), ConnectionLoss)
  try {
    const opening = [send(session, { text: 'begin' })]
    // One order for all processes, or two batches could wait for each other.
    if (accounts.length > 0) opening.push(send(session, { ...LOCK_ACCOUNTS, values: [storable(accounts)] }))
    await allOf(opening)
    const replies: Reply[] = []
    for (const call of calls) replies.push({ value: await perform(session, call) })
    await guarded(() => session.query('commit'), UnknownOutcome)
    return replies
  } catch (cause) {
    if (cause instanceof ConnectionLoss) await writer.reset()
    else await session.query('rollback').catch(() => writer.reset())
    throw cause
  }
}

const send = (session: Client, config: { text: string; name?: string; values?: unknown[] }): Promise<QueryResult> =>
  guarded(() => session.query(config), ConnectionLoss)

/** Tells a lost connection from an error of the statement; only the latter comes from a running server. */
async function guarded<T>(act: () => Promise<T>, Loss: typeof ConnectionLoss): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (isDatabaseError(cause) && !LOSS_CLASSES.has(cause.code?.slice(0, 2) ?? '')) throw cause
    throw new Loss(cause instanceof Error ? cause.message : 'The connection was lost.', { cause })
  }
}

/** SQLSTATE classes of a connection failure (08) and of an operator's or a crash's intervention (57). */
const LOSS_CLASSES: ReadonlySet<string> = new Set(['08', '57'])

const LOCK_ACCOUNTS = {
  name: 'lock_accounts',
  text: 'select id from accounts where id = any($1) order by id for update',
}

async function perform(session: Client, call: CommandCall): Promise<unknown> {
  const work = commandOf(call).work(call.args)
  let turn = work.next([])
  while (!turn.done) turn = work.next(await allOf(turn.value.map((step) => execute(session, step))))
  return turn.value
}

/** Waits for every statement of a wave before it fails, so that none is still under way when the rollback is sent. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises)
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}

const names = new WeakMap<Statement<string, unknown>, string>()
let named = 0

async function execute(session: Client, { statement, parameters }: Step): Promise<Outcome<unknown>> {
  const compiled = statement.compiled('postgres')
  let name = names.get(statement)
  if (name === undefined) {
    name = `trivium_${++named}`
    names.set(statement, name)
  }
  const result = await send(session, { name, text: compiled.sql, values: storable(bind(compiled, parameters)) })
  return { rows: compiled.returnsRows ? shape(result) : [], changes: result.rowCount ?? 0 }
}

const isDatabaseError = (cause: unknown): cause is DatabaseError => cause instanceof DatabaseError

/** Serialization failure and deadlock: PostgreSQL has rolled back and asks for another try. */
const isRolledBack = (cause: unknown): boolean =>
  isDatabaseError(cause) && (cause.code === '40001' || cause.code === '40P01')

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
