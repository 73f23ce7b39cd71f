import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startGateway } from '#main'
import { type Ask, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { assertEnvelope, codeOf, NAMES, type Name, SURFACES } from './surfaces.ts'

/** Who may call what, on every surface, and how a refusal looks (R13, R14, R16, R20, R21). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { cors: { allowed_origins: [] } } })
})
after(() => gateway.close())

const post = (name: Name, ask: Ask = {}, query = ''): Promise<Told> =>
  gateway.ask(SURFACES[name].path + query, { body: SURFACES[name].body, ...ask })

async function assertRefused(name: Name, status: number, code: string, ask: Ask = {}, query = ''): Promise<Told> {
  const before = gateway.upstream.count()
  const told = await post(name, ask, query)
  assert.deepEqual([told.status, codeOf(name, told.json)], [status, code], `${name}: ${told.text}`)
  assertEnvelope(name, told)
  assert.equal(gateway.upstream.count(), before, 'no upstream call')
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.deepEqual([row.status_code, row.error_code, row.status], [status, code, 'rejected'])
  return told
}

describe('where the key may stand (R13)', () => {
  for (const name of NAMES) {
    test(`${name}: each of three headers, in any case, with spaces around`, async () => {
      for (const headers of [
        { authorization: `Bearer ${gateway.key}` },
        { authorization: `bearer   ${gateway.key} ` },
        { 'x-api-key': gateway.key },
        { 'x-goog-api-key': gateway.key },
        { 'x-api-key': ` ${gateway.key}\t` },
        { authorization: '', 'x-api-key': gateway.key },
      ]) {
        const told = await post(name, { key: null, headers })
        assert.equal(told.status, 200, `${JSON.stringify(headers)}: ${told.text}`)
      }
    })

    test(`${name}: the first header that is not empty decides`, async () => {
      const good = gateway.key
      for (const headers of [
        { authorization: 'Bearer sk-wrong', 'x-api-key': good },
        { 'x-api-key': 'sk-wrong', 'x-goog-api-key': good },
      ]) {
        await assertRefused(name, 401, 'invalid_api_key', { key: null, headers })
      }
      const first = await post(name, { headers: { 'x-api-key': 'sk-wrong', 'x-goog-api-key': 'sk-wrong' } })
      assert.equal(first.status, 200)
    })

    test(`${name}: no key, a wrong key`, async () => {
      const told = await assertRefused(name, 401, 'api_key_required', { key: null })
      for (const header of ['Authorization', 'x-api-key', 'x-goog-api-key'])
        assert.match(told.text, new RegExp(header, 'i'))
      await assertRefused(name, 401, 'invalid_api_key', { key: 'sk-tv-wrong' })
      const wrong = await assertRefused(name, 401, 'invalid_api_key', { key: `${gateway.key}x` })
      assert.ok(!wrong.text.includes(gateway.key))
    })

    test(`${name}: a key in the query`, async () => {
      if (name === 'gemini') {
        const told = await post(name, { key: null }, `?key=${gateway.key}&alt=json`)
        assert.equal(told.status, 200)
        assert.equal(gateway.upstream.received.at(-1)!.query.get('key'), null)
        const row = await gateway.log(told.headers.get('x-request-id')!)
        assert.ok(!JSON.stringify(row).includes(gateway.key))
        await assertRefused(name, 401, 'invalid_api_key', { key: 'sk-wrong' }, `?key=${gateway.key}`)
        await assertRefused(name, 401, 'invalid_api_key', { key: null }, '?key=sk-wrong')
      } else {
        const told = await assertRefused(name, 400, 'api_key_in_query', { key: null }, `?key=${gateway.key}`)
        assert.ok(!told.text.includes(gateway.key))
        await assertRefused(name, 400, 'api_key_in_query', {}, `?key=${gateway.key}`)
      }
    })
  }
})

describe('which keys may call (R19, R21)', () => {
  test('master 401; management, disabled, expired 403; deleted 401', async () => {
    const management = await gateway.fund({ newKey: { kind: 'management' } })
    const disabled = await gateway.fund()
    const removed = await gateway.fund()
    for (const { key } of [disabled, removed]) assert.equal((await post('chat', { key })).status, 200)
    await gateway.admin('PATCH', `/api/v1/keys/${disabled.hash}`, { disabled: true })
    await gateway.admin('DELETE', `/api/v1/keys/${removed.hash}`)
    for (const name of NAMES) {
      await assertRefused(name, 401, 'invalid_api_key', { key: gateway.masterKey })
      await assertRefused(name, 403, 'permission_denied', { key: management.key })
      await assertRefused(name, 403, 'key_disabled', { key: disabled.key })
      await assertRefused(name, 401, 'invalid_api_key', { key: removed.key })
    }
    await gateway.admin('PATCH', `/api/v1/keys/${disabled.hash}`, { disabled: false })
    assert.equal((await post('chat', { key: disabled.key })).status, 200)
  })

  test('an expired key', async () => {
    const expiresMs = Date.now() + 150
    const { key } = await gateway.fund({ newKey: { expires_at: new Date(expiresMs).toISOString() } })
    // The gateway's clock is the signal: the key is used, and so kept warm, until it is refused.
    while ((await post('chat', { key })).status === 200)
      assert.ok(Date.now() < expiresMs + 5000, 'the key never expired')
    assert.ok(Date.now() >= expiresMs)
    await assertRefused('chat', 403, 'key_expired', { key })
  })

  test('a suspended account, at once and back again', async () => {
    const { key, accountId } = await gateway.fund()
    assert.equal((await post('chat', { key })).status, 200)
    await gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { status: 'suspended' })
    for (const name of NAMES) await assertRefused(name, 403, 'account_suspended', { key })
    await gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { status: 'active' })
    assert.equal((await post('chat', { key })).status, 200)
  })

  test('the admin API takes the master key only; the catalog takes and ignores anything', async () => {
    const management = await gateway.fund({ newKey: { kind: 'management' } })
    for (const path of ['/api/admin/backends', '/api/admin/accounts', '/api/admin/ledger']) {
      for (const key of [gateway.key, management.key]) assert.equal((await gateway.ask(path, { key })).status, 403)
      assert.equal((await gateway.ask(path, { key: null })).status, 401)
      assert.equal((await gateway.ask(path, { key: gateway.masterKey })).status, 200)
    }
    for (const key of [null, 'garbage', gateway.masterKey])
      assert.equal((await gateway.ask('/catalog/models', { key })).status, 200)
  })

  test('one key, one balance, every vendor (R1)', async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    for (const name of NAMES) assert.equal((await post(name, { key })).status, 200)
    const rows = await gateway.logs(accountId)
    assert.equal(rows.length, NAMES.length)
    const nano = (text: string | null) => BigInt(Math.round(Number(text ?? 0) * 1e9))
    const spent = rows.reduce((sum, row) => sum + nano(row.charged_cost), 0n)
    const { json: me } = await gateway.ask('/v1/me', { key })
    assert.equal(nano(me.balance), 1_000_000_000n - spent)
    assert.ok(spent > 0n)
  })
})

describe('methods and origins', () => {
  test('other methods than POST are 405 with Allow, in the dialect, with a log row', async () => {
    for (const name of NAMES) {
      for (const method of name === 'gemini' ? ['PUT', 'DELETE'] : ['GET', 'PUT', 'PATCH', 'DELETE']) {
        const told = await gateway.ask(SURFACES[name].path, { method })
        assert.equal(told.status, 405, `${method} ${name}`)
        assert.equal(told.headers.get('allow'), 'POST')
        assertEnvelope(name, told)
        const row = await gateway.log(told.headers.get('x-request-id')!)
        assert.deepEqual([row.status_code, row.error_code, row.method], [405, 'method_not_allowed', method])
      }
    }
  })

  test('no origin is allowed unless the operator says so (R20)', async () => {
    for (const name of NAMES) {
      const told = await post(name, { headers: { origin: 'https://evil.example' } })
      assert.equal(told.status, 200)
      assert.equal(told.headers.get('access-control-allow-origin'), null)
      const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
      const preflight = await gateway.ask(SURFACES[name].path, { method: 'OPTIONS', headers })
      assert.equal(preflight.headers.get('access-control-allow-origin'), null)
      assert.ok(preflight.status >= 400, 'a preflight is not granted')
    }
  })
})

describe('local mode (R16)', () => {
  test('no header is needed, a wrong one does not matter, the row is priced and nothing is booked', async () => {
    await using local = await startLocalGateway()
    for (const key of [null, 'garbage']) {
      for (const name of NAMES) {
        const told = await local.ask(SURFACES[name].path, { key, body: SURFACES[name].body })
        assert.equal(told.status, 200, told.text)
        const row = await local.log(told.headers.get('x-request-id')!)
        assert.deepEqual([row.charged_cost, row.account_id], [null, 'acc_local'])
        if (name !== 'count') assert.ok(Number(row.list_cost) > 0)
      }
    }
    const { json } = await local.ask('/v1/chat/completions', { key: null, body: SURFACES.chat.body })
    assert.equal(json.usage.cost, 0.000105, 'with billing off the list price is told (R100)')
  })

  test('is refused on an address that others can reach', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'trivium-e2e-'))
    const flags = { port: 0, 'disable-auth': true, host: '0.0.0.0' }
    await assert.rejects(startGateway({ flags, env: {}, cwd }), /0\.0\.0\.0.*loopback/)
    rmSync(cwd, { recursive: true, force: true })
  })
})

/** The same gateway without client authentication. */
const startLocalGateway = (): Promise<TestGateway> => startTestGateway({ flags: { 'disable-auth': true } })
