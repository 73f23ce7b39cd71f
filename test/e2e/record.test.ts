import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseUsd } from '#base/money.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Script } from '#test/upstream/upstream.ts'
import { type Json, startTestGateway, type TestGateway } from './gateway.ts'
import { type Name, SURFACES } from './surfaces.ts'

/** What happened, told by receipts and sums: both are the ledger's (B6, R17, R106, R108). */

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const REQUESTS = FULL ? 1_000 : 120
const AT_ONCE = 20
const NAMES: readonly Name[] = ['chat', 'responses', 'messages', 'gemini', 'embeddings', 'openRouter']

const nano = (text: string): bigint => parseUsd(text)!

/** Every answer differs in what it used; some fail. */
const mixed = (): Script => {
  let count = 0
  return (received) => {
    const at = count++
    if (at % 11 === 10) return { status: 500, body: '{"error":{"message":"broken"}}' }
    const sold = {
      input: 100 + at,
      cacheRead: at % 3 === 0 ? at : 0,
      cacheWrite: 0,
      output: 7 + (at % 90),
      reasoning: 3,
    }
    const native = answerNatively(received, { text: 'Hello there.', sold })!
    return native.frames
      ? { frames: native.frames }
      : { body: JSON.stringify(native.body), headers: { 'content-type': 'application/json' } }
  }
}

describe('the record', () => {
  let gateway: TestGateway
  const ids: string[] = []
  before(async () => {
    gateway = await startTestGateway({ always: mixed() })
    const send = async (at: number): Promise<void> => {
      const name = NAMES[at % NAMES.length]!
      const { path, body } = SURFACES[name]
      const streams = at % 4 === 0 && name !== 'gemini' && name !== 'embeddings'
      // One in thirteen is refused before any upstream is asked.
      const key = at % 13 === 12 ? 'sk-none' : gateway.key
      const headers = { 'x-title': at % 2 === 0 ? 'Even' : 'Odd' }
      const told = await gateway.ask(path, { key, headers, body: { ...body, ...(streams ? { stream: true } : {}) } })
      if (told.status === 200) ids.push(told.headers.get('x-request-id')!)
    }
    for (let at = 0; at < REQUESTS; at += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, of) => send(at + of)))
  })
  after(() => gateway.close())

  const usage = async (by: string) => (await gateway.ask(`/api/usage?group_by=${by}`)).json

  test('R106: the sums of any grouping equal the ledger', async () => {
    let booked = 0n
    let cursor = ''
    do {
      const query = `limit=500&account_id=${gateway.accountId}${cursor && `&cursor=${cursor}`}`
      const page: Json = await gateway.admin('GET', `/api/admin/ledger?${query}`)
      for (const entry of page.data) if (entry.type === 'usage') booked -= nano(entry.amount)
      cursor = page.next_cursor ?? ''
    } while (cursor !== '')
    assert.ok(booked > 0n)
    for (const by of ['model', 'vendor', 'app', 'key', 'system', 'protocol', 'day', 'hour', 'model,app']) {
      const { data, total } = await usage(by)
      assert.equal(nano(total.charged_cost), booked)
      const sum = data.reduce((all: bigint, group: Json) => all + nano(group.charged_cost), 0n)
      assert.equal(sum, booked, by)
    }
    const apps = (await usage('app')).data.map((group: Json) => group.app).toSorted()
    assert.deepEqual(apps, ['Even', 'Odd'])
  })

  test('B6: a receipt explains the sum, to the entry of the ledger', async () => {
    for (const id of ids.slice(0, 24)) {
      const { json } = await gateway.ask(`/api/v1/generation?id=${id}`)
      const { lines, sum, list_cost, charged_cost, ledger_entry, explanation, price_version } = json.data.receipt
      assert.equal(explanation, 'exact', id)
      assert.ok(lines.length >= 1 && typeof price_version === 'string')
      let pico = 0n
      for (const line of lines) {
        assert.equal(line.origin, 'upstream')
        assert.equal(picoOf(line.amount), BigInt(line.count) * picoOf(line.price))
        pico += picoOf(line.amount)
      }
      assert.equal(picoOf(sum), pico)
      assert.equal(nano(list_cost), (pico + 500n) / 1000n)
      assert.equal(ledger_entry.amount, charged_cost === '0' ? '0' : `-${charged_cost}`)
    }
  })

  test('B6: a request that failed without output is released: nothing is in the ledger', async () => {
    const logs: Json[] = (await gateway.admin('GET', '/api/logs?status=upstream_error&limit=10')).data
    assert.ok(logs.length > 0)
    for (const row of logs) {
      const { json } = await gateway.ask(`/api/v1/generation?id=${row.request_id}`)
      const { explanation, reason, ledger_entry, lines } = json.data.receipt
      assert.deepEqual([explanation, reason, ledger_entry, lines], ['released', 'released', null, null])
    }
  })

  test('B6: every receipt holds; a count that was changed by hand is found, and its request named', async () => {
    const before: Json = await gateway.admin('GET', '/api/admin/receipts/verify')
    assert.deepEqual([before.differences, before.problems], [0, []])
    assert.equal(before.checked, REQUESTS)
    assert.equal(before.recomputed, ids.length)
    const env = { PATH: process.env['PATH'] ?? '', GATEWAY_URL: gateway.url, GATEWAY_MASTER_KEY: gateway.masterKey }
    const verify = () =>
      new Promise<{ code: number; out: string }>((resolve) => {
        const child = execFile(process.execPath, [CLI, 'receipts', 'verify'], { env }, (_, out) =>
          resolve({ code: child.exitCode ?? -1, out }),
        )
      })
    assert.equal((await verify()).code, 0)
    const wrong = ids[3]!
    const db = new DatabaseSync(join(gateway.running.dataDir, 'trivium.db'), { timeout: 5_000 })
    db.prepare('update requests set tokens_input = tokens_input + 1 where request_id = ?').run(wrong)
    db.close()
    const { code, out } = await verify()
    assert.equal(code, 1)
    assert.match(out, new RegExp(wrong))
    const told: Json = await gateway.admin('GET', '/api/admin/receipts/verify')
    assert.deepEqual(
      told.problems.map((one: Json) => one.request_id),
      [wrong],
    )
    assert.equal((await gateway.ask(`/api/v1/generation?id=${wrong}`)).json.data.receipt.explanation, 'differs')
  })

  test('R17: creations and changes of keys and accounts are in the audit log; a secret is not', async () => {
    const master = (path: string): Promise<Json> => gateway.admin('GET', path)
    const made: Json = await gateway.admin('POST', '/api/v1/keys', { name: 'crm', account_id: gateway.accountId })
    await gateway.admin('POST', '/api/v1/keys', { name: 'search', account_id: gateway.accountId })
    await gateway.admin('PATCH', `/api/v1/keys/${made.data.hash}`, { limit: 0.000000001, disabled: true })
    await gateway.admin('DELETE', `/api/v1/keys/${made.data.hash}`)
    await gateway.admin('PATCH', `/api/admin/accounts/${gateway.accountId}`, { tier: 'gold' })
    const { data } = await master(`/api/audit?account_id=${gateway.accountId}&limit=5`)
    assert.deepEqual(
      data.map((one: Json) => one.action),
      ['account.update', 'key.delete', 'key.update', 'key.create', 'key.create'],
    )
    assert.deepEqual([data[0].before.tier, data[0].after.tier], ['default', 'gold'])
    const [, deleted, changed, search, crm] = data
    assert.deepEqual([crm.after.name, crm.before, search.after.name], ['crm', null, 'search'])
    assert.deepEqual([changed.before.disabled, changed.after.disabled, changed.after.limit], [false, true, 1e-9])
    assert.deepEqual([deleted.before.name, deleted.after, deleted.actor], ['crm', null, 'master'])
    assert.ok(data.every((one: Json) => one.request_id.startsWith('req_') && Date.parse(one.at) > 0))
    assert.equal(JSON.stringify(await master('/api/audit?limit=500')).includes(made.key), false)
    const first = await master(`/api/audit?account_id=${gateway.accountId}&limit=2`)
    const second = await master(`/api/audit?account_id=${gateway.accountId}&limit=2&cursor=${first.next_cursor}`)
    assert.deepEqual(
      [...first.data, ...second.data].map((one: Json) => one.id),
      data.slice(0, 4).map((one: Json) => one.id),
    )
    assert.equal((await gateway.ask('/api/audit')).status, 403)
    const other = await gateway.fund({ newKey: { kind: 'management' } })
    const own = await gateway.ask(`/api/audit?account_id=${gateway.accountId}`, { key: other.key })
    assert.ok(own.json.data.length > 0)
    assert.ok(own.json.data.every((one: Json) => one.account_id === other.accountId))
  })

  test('R17: nothing changes an entry of the audit log', () => {
    const db = new DatabaseSync(join(gateway.running.dataDir, 'trivium.db'), { timeout: 5_000 })
    try {
      assert.throws(() => db.exec("update audit_entries set actor = 'nobody'"), /append-only/)
      assert.throws(() => db.exec('delete from audit_entries'), /append-only/)
    } finally {
      db.close()
    }
  })
})

/** Decimal text in units of 10^-12. */
function picoOf(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(12, '0'))
}

test('R108: who runs the gateway for himself sees what his requests cost', async () => {
  const flags = { 'disable-auth': true }
  const gateway = await startTestGateway({ always: mixed(), flags })
  try {
    const { path, body } = SURFACES.chat
    assert.equal((await gateway.ask(path, { key: null, body })).status, 200)
    const { status, json } = await gateway.ask('/v1/usage/stats', { key: null })
    assert.equal(status, 200)
    assert.equal(json.requests, 1)
    assert.ok(nano(json.cost) > 0n)
    assert.equal(json.by_backend[0].backend, 'openai')
  } finally {
    await gateway.close()
  }
})

test('R108: without accounting the statistics say that they are off', async () => {
  const flags = { 'disable-auth': true, 'disable-accounting': true }
  const gateway = await startTestGateway({ always: mixed(), flags })
  try {
    const { path, body } = SURFACES.chat
    assert.equal((await gateway.ask(path, { key: null, body })).status, 200)
    for (const place of ['stats', 'recent', 'export']) {
      const { status, text } = await gateway.ask(`/v1/usage/${place}`, { key: null })
      assert.equal(status, 404, place)
      assert.match(text, /usage_tracking\.enabled/)
    }
  } finally {
    await gateway.close()
  }
})

test('R17: two keys for two systems: limits, sums, logs, exports and the audit log are apart', async () => {
  const sold = { input: 1_000, cacheRead: 0, cacheWrite: 0, output: 100, reasoning: 0 }
  const gateway = await startTestGateway({
    always: (received) => {
      const { body } = answerNatively(received, { text: 'Hello there.', sold })!
      return { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    },
  })
  try {
    const { accountId } = await gateway.fund()
    const keyFor = (system: string, change: object) =>
      gateway.admin('POST', '/api/v1/keys', { name: system, system, account_id: accountId, ...change })
    const crm: Json = await keyFor('crm', { limit: '0.02' })
    const search: Json = await keyFor('search', {})
    const call = async ({ key }: { key: string }): Promise<number> =>
      (await gateway.ask(SURFACES.chat.path, { key, body: { ...SURFACES.chat.body, max_tokens: 200 } })).status
    let well = 0
    for (let status = await call(crm); status !== 402; status = await call(crm)) {
      assert.equal(status, 200)
      assert.ok(++well < 50)
    }
    assert.ok(well >= 2)
    assert.equal(await call(search), 200)
    const { data } = (await gateway.ask('/api/usage?group_by=system', { key: search.key })).json
    const bySystem = Object.fromEntries(data.map((group: Json) => [group.system, group]))
    assert.deepEqual(Object.keys(bySystem).toSorted(), ['crm', 'search'])
    // USD 3 and 15 per million.
    assert.equal(nano(bySystem.crm.charged_cost), BigInt(well) * 4_500_000n)
    assert.equal(nano(bySystem.search.charged_cost), 4_500_000n)
    assert.deepEqual([bySystem.crm.requests, bySystem.crm.errors], [well + 1, 1])
    const logs: Json = (await gateway.ask('/api/logs?system=search', { key: search.key })).json
    assert.deepEqual(
      logs.data.map((row: Json) => row.key_name),
      ['search'],
    )
    const file = await gateway.ask('/api/usage/export?system=crm', { key: search.key })
    assert.equal(file.text.trimEnd().split('\r\n').length, 1 + well + 1)
    const audit: Json = await gateway.admin('GET', `/api/audit?account_id=${accountId}&action=key.create&limit=2`)
    assert.deepEqual(
      audit.data.map((one: Json) => one.after.system),
      ['search', 'crm'],
    )
  } finally {
    await gateway.close()
  }
})

test('R103: an application is called by its title, else by its address, else as its key says, else as the key is called', async () => {
  await using gateway = await startTestGateway({ always: mixed() })
  const { accountId, hash, key } = await gateway.fund({ newKey: { app: 'Billing bot' } })
  const { path, body } = SURFACES.chat
  const call = (headers: Record<string, string>, of = key) => gateway.ask(path, { key: of, headers, body })
  await call({ 'x-title': 'A', 'x-openrouter-categories': 'cli-agent, cloud-agent ,' })
  await call({ 'x-openrouter-title': 'B', 'http-referer': 'https://b.example' })
  await call({ referer: 'https://c.example' })
  await call({})
  const nameless: Json = await gateway.admin('POST', '/api/v1/keys', { name: 'just a key', account_id: accountId })
  await call({}, nameless.key)
  const rows = (await gateway.logs(accountId)).toReversed()
  assert.deepEqual(
    rows.map((row: Json) => [row.app.title, row.app.referer, row.app.categories]),
    [
      ['A', null, ['cli-agent', 'cloud-agent']],
      ['B', 'https://b.example', []],
      [null, 'https://c.example', []],
      ['Billing bot', null, []],
      [null, null, []],
    ],
  )
  const { data } = (await gateway.ask('/api/usage?group_by=app', { key })).json
  assert.deepEqual(data.map((group: Json) => group.app).toSorted(), [
    'A',
    'B',
    'Billing bot',
    'https://c.example',
    'just a key',
  ])
  const changed: Json = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { app: null })
  assert.deepEqual([changed.data.app, changed.data.content_log], [null, null])
  await call({})
  assert.equal((await gateway.logs(accountId))[0].app.title, null)
  const tooLong = gateway.admin('PATCH', `/api/v1/keys/${hash}`, { app: 'x'.repeat(101) })
  await assert.rejects(tooLong, /400/)
  const csv = (await gateway.ask('/api/usage/export', { key })).text
  assert.ok(csv.includes('"cli-agent, cloud-agent ,"'))
})
