/** What signing in needs of a store: better-auth's reads and writes, on every engine (R22, R124). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getAuthTables } from 'better-auth/db'
import type { GatewayError } from '#base/errors.ts'
import { createAuth } from '#sessions/auth.ts'
import { createSessionDatabase } from '#sessions/session-database.ts'
import { createSessions } from '#sessions/sessions.ts'
import type { AuthAnswer, Sessions } from '#sessions/types.ts'
import { type Books, CONTRACT_PEPPER, type Harness, openBooks } from './contract-books.ts'

const ORIGIN = 'http://127.0.0.1:8000'
const SETTINGS = { signUp: 'open', loginProviders: [], smtpUrl: null, mailFrom: '', sessionSecret: null } as const
const ADA = { name: 'ada', email: 'ada@example.org', password: 'correct horse battery' }

const sessionsOver = ({ store, accounts }: Pick<Books, 'store' | 'accounts'>): Sessions =>
  createSessions({
    store,
    accounts,
    pepper: CONTRACT_PEPPER,
    billing: 'prepaid',
    settings: SETTINGS,
    baseUrl: () => ORIGIN,
    log: () => {},
  })

const post = (sessions: Sessions, path: string, body: object, cookie?: string): Promise<AuthAnswer> =>
  sessions.answer({
    method: 'POST',
    url: `/api/auth${path}`,
    ip: '127.0.0.1',
    headers: { 'content-type': 'application/json', origin: ORIGIN, ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  })

const cookieOf = ({ headers }: AuthAnswer): string =>
  (headers['set-cookie'] as string[]).map((line) => line.split(';', 1)[0]).join('; ')

export function sessionContract(harness: Harness): void {
  tableContract(harness)

  test('R22: a session is found by its cookie until it ends, and its token is nowhere in the database', async () => {
    await using books = await openBooks(harness)
    const sessions = sessionsOver(books)
    const signedUp = await post(sessions, '/sign-up/email', ADA)
    assert.equal(signedUp.status, 200, signedUp.body)
    const cookie = cookieOf(signedUp)
    const found = (await sessions.find({ cookie }))!
    assert.deepEqual([found.email, found.role, found.caller.account.tier], [ADA.email, 'admin', 'free'])
    const dump = await harness.dump(books.store)
    const [token] = decodeURIComponent(cookie.split('=')[1]!).split('.')
    assert.ok(dump.includes(ADA.email))
    for (const secret of [token!, ADA.password]) assert.ok(!dump.includes(secret))
    assert.equal((await post(sessions, '/sign-out', {}, cookie)).status, 200)
    assert.equal(await sessions.find({ cookie }), null)
  })

  test('R22: an address signs up once, and exactly one of many first ones is the administrator', async () => {
    await using books = await openBooks(harness)
    const sessions = sessionsOver(books)
    const emails = ['a@example.org', 'b@example.org', 'c@example.org', 'a@example.org']
    const answers = await Promise.all(emails.map((email) => post(sessions, '/sign-up/email', { ...ADA, email })))
    const made = answers.filter(({ status }) => status === 200)
    assert.equal(made.length, 3)
    const roles = await Promise.all(
      made.map(async (answer) => (await sessions.find({ cookie: cookieOf(answer) }))!.role),
    )
    assert.deepEqual(roles.toSorted(), ['admin', 'user', 'user'])
  })

  test('a sign-in takes sessions away that are over', async () => {
    await using books = await openBooks(harness)
    const sessions = sessionsOver(books)
    const db = createSessionDatabase(books.store)
    const old = cookieOf(await post(sessions, '/sign-up/email', ADA))
    await db.updateTable('authSessions').set({ expiresAt: '2020-01-01T00:00:00.000Z' }).execute()
    assert.equal(await sessions.find({ cookie: old }), null)
    const fresh = cookieOf(await post(sessions, '/sign-in/email', ADA))
    assert.equal((await db.selectFrom('authSessions').select('id').execute()).length, 1)
    assert.equal((await sessions.find({ cookie: fresh }))!.email, ADA.email)
  })
}

function tableContract(harness: Harness): void {
  test('every table and column that better-auth knows is there', async () => {
    await using books = await openBooks(harness)
    const db = createSessionDatabase(books.store)
    const auth = createAuth({
      db,
      settings: SETTINGS,
      secret: 'x'.repeat(32),
      baseUrl: ORIGIN,
      trustedOrigins: [ORIGIN],
      sendMail: null,
      admit: async () => {},
      founded: async () => {},
      log: () => {},
    })
    const tables = Object.values(getAuthTables(auth.options))
    assert.ok(tables.length >= 9)
    for (const { modelName, fields } of tables) {
      const columns = Object.entries(fields).map(([name, field]) => field.fieldName ?? name)
      await db
        .selectFrom(modelName)
        .select(['id', ...columns])
        .execute()
    }
  })

  test('a session query writes to the tables of sessions only', async () => {
    await using books = await openBooks(harness)
    const writes = [
      'update "accounts" set "tier" = \'x\'',
      'delete from "ledger_entries"',
      'insert into "settings" default values',
    ]
    for (const sql of writes) {
      await assert.rejects(
        books.store.execute('sessionQuery', { sql, values: [], returnsRows: false }),
        (error) => (error as GatewayError).code === 'store_unavailable',
      )
    }
  })
}
