import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROUTES } from './routes.ts'
import { startTestbed } from './testbed.ts'

const CORPUS = [
  "' or '1'='1",
  "'; drop table accounts; --",
  '" or 1=1 --',
  "1' union select value, 2, 3 from settings --",
  "'||pg_sleep(5)--",
  '1; select pg_sleep(5)',
  "admin'/*",
  '%27%20or%201=1',
  '\\',
  "x' and randomblob(1e9) --",
  'a\u0000b',
  '💥'.repeat(100),
]

test('S10: no text of a client ever becomes SQL, wherever it stands', async () => {
  const failures: object[] = []
  const bed = await startTestbed({ log: { error: (facts) => failures.push(facts) } })
  try {
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    const { plaintext } = await bed.keys.create({ name: 'k', accountId: id })
    const entries = (await bed.accounts.entries({ limit: 10 })).data.length
    for (const text of CORPUS) {
      const inUrl = encodeURIComponent(text)
      for (const { method, path } of ROUTES.filter((route) => route.method !== 'OPTIONS')) {
        const filled = path.replace(/:\w+|\*/g, inUrl)
        const query = `?limit=${inUrl}&cursor=${inUrl}&account_id=${inUrl}&email=${inUrl}&id=${inUrl}&offset=${inUrl}&model=${inUrl}`
        const body = method === 'GET' ? {} : { body: { name: text, email: text, mode: text, amount: text, code: text } }
        for (const key of [bed.masterKey, plaintext]) {
          const { status } = await bed.ask(method, filled + query, { key, ...body })
          assert.ok(status < 500, `${method} ${path} with ${text}: ${status}`)
        }
      }
      const header = text.replace(/[^\x20-\x7e]/g, '')
      const told = await bed.ask('GET', '/v1/me', {
        headers: { authorization: `Bearer ${header}`, 'x-api-key': header },
      })
      assert.equal(told.status, 401)
    }
    assert.deepEqual(failures, [])
    assert.equal((await bed.accounts.entries({ limit: 10 })).data.length, entries)
    assert.equal((await bed.accounts.get(id))!.email, 'a@example.com')
  } finally {
    await bed.close()
  }
})
