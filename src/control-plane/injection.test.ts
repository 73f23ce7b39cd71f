import assert from 'node:assert/strict'
import { test } from 'node:test'
import { postgresSkip, startPostgres } from '#test/postgres.ts'
import { ROUTES } from './routes.ts'
import { startTestbed, type Testbed } from './testbed.ts'

/** S10: no text of a client ever becomes SQL, wherever it stands. */

const HARMLESS = 'plain text'
const SLEEPS = ["'||pg_sleep(5)--", '1; select pg_sleep(5)', "x' or pg_sleep(5) is null --"]
const CORPUS = [
  ...SLEEPS,
  "' or '1'='1",
  "'; drop table accounts; --",
  '" or 1=1 --',
  "1' union select value, 2, 3 from settings --",
  "admin'/*",
  '%27%20or%201=1',
  '\\',
  "x' and randomblob(1e9) --",
  'a\u0000b',
  '💥'.repeat(100),
  // At the end, when everything is warm.
  HARMLESS,
]
/** A payload that a database runs would show as five seconds. */
const DELTA_MS_MAX = 50

/** Sends the text in every place of every route, and in the headers that say who asks. Returns what the requests took, in milliseconds. */
async function askEverywhere(bed: Testbed, text: string, keys: readonly string[]): Promise<number[]> {
  const took: number[] = []
  const timed = async (asked: Promise<{ status: number }>): Promise<number> => {
    const startedMs = performance.now()
    const { status } = await asked
    took.push(performance.now() - startedMs)
    return status
  }
  const inUrl = encodeURIComponent(text)
  for (const { method, path } of ROUTES.filter((route) => route.method !== 'OPTIONS')) {
    const filled = path.replace(/:\w+|\*/g, inUrl)
    const query = `?limit=${inUrl}&cursor=${inUrl}&account_id=${inUrl}&email=${inUrl}&id=${inUrl}&offset=${inUrl}&model=${inUrl}`
    const body = method === 'GET' ? {} : { body: { name: text, email: text, mode: text, amount: text, code: text } }
    for (const key of keys) {
      const status = await timed(bed.ask(method, filled + query, { key, ...body }))
      assert.ok(status < 500, `${method} ${path} with ${text}: ${status}`)
    }
  }
  const header = text.replace(/[^\x20-\x7e]/g, '')
  const headers = { authorization: `Bearer ${header}`, 'x-api-key': header }
  assert.equal(await timed(bed.ask('GET', '/v1/me', { headers })), 401)
  return took
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

async function attack(databaseUrl?: string): Promise<void> {
  const failures: object[] = []
  const bed = await startTestbed({ log: { error: (facts) => failures.push(facts) } }, {}, databaseUrl)
  try {
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    const { plaintext } = await bed.keys.create({ name: 'k', accountId: id })
    const entries = (await bed.accounts.entries({ limit: 10 })).data.length
    const took = new Map<string, number[]>()
    for (const text of CORPUS) took.set(text, await askEverywhere(bed, text, [bed.masterKey, plaintext]))
    for (const text of SLEEPS) {
      const delta = median(took.get(text)!) - median(took.get(HARMLESS)!)
      assert.ok(delta < DELTA_MS_MAX, `${text}: ${delta} ms more`)
      assert.ok(Math.max(...took.get(text)!) < 5000, text)
    }
    assert.deepEqual(failures, [])
    assert.equal((await bed.accounts.entries({ limit: 10 })).data.length, entries)
    assert.equal((await bed.accounts.get(id))!.email, 'a@example.com')
  } finally {
    await bed.close()
  }
}

test('S10: on SQLite', () => attack())

test('S10: on PostgreSQL, where a payload could sleep', { skip: postgresSkip }, async () => {
  const server = await startPostgres()
  try {
    await attack(await server.createDatabase('injected'))
  } finally {
    await server.stop()
  }
})
