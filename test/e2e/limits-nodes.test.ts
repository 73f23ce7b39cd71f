import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type RunningGateway, startGateway } from '#main'
import { postgresSkip, startPostgres, type TestPostgres } from '#test/postgres.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { administer, configFor, ENVIRONMENT, type Funded, type Json, MODELS } from './gateway.ts'
import { codeOf, type Name, SURFACES } from './surfaces.ts'

/** Limits over time that two gateways count together on one real PostgreSQL (R78, fault S28), with a clock that the tests move. */

const MINUTE_MS = 60_000
const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }
const masterKey = 'mk-of-the-nodes-test'

let server: TestPostgres
let upstream: Upstream
let data: string
let nodes: readonly RunningGateway[] = []

function config(): object {
  const models = configFor('')['models'].map((model: Json) =>
    model.id === MODELS.gemini.id ? { ...model, free: true, price: undefined } : model,
  )
  const tiers = [{ name: 'five', rpm: 5, models: { [MODELS.messages.id]: { rpm: 2 } } }]
  return configFor(upstream.url, { models, tiers, limits: { ip: { rpm: 100_000 } } })
}

const start = (): Promise<RunningGateway> =>
  startGateway({
    flags: { port: 0 },
    env: { ...ENVIRONMENT, GATEWAY_MASTER_KEY: masterKey, DATABASE_URL: url },
    cwd: data,
    now: () => clock.nowMs,
  })
let url = ''

async function fund(newKey: object = {}, tier?: string, credit = '100'): Promise<Funded> {
  const api = administer(nodes[0]!.url, masterKey)
  const funded = await api.fund({ credit, newKey })
  if (tier) await api.admin('PATCH', `/api/admin/accounts/${funded.accountId}`, { tier })
  return funded
}

async function call(node: number, name: Name, key: string) {
  const response = await fetch(nodes[node]!.url + SURFACES[name].path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(SURFACES[name].body),
  })
  return { status: response.status, headers: response.headers, json: (await response.json()) as Json }
}

describe('R78: two nodes on one PostgreSQL', { skip: postgresSkip }, () => {
  before(async () => {
    server = await startPostgres()
    upstream = await startUpstream()
    url = await server.createDatabase('limits')
    data = mkdtempSync(join(tmpdir(), 'trivium-nodes-'))
    writeFileSync(join(data, 'config.yaml'), JSON.stringify(config()))
    nodes = [await start(), await start()]
  })
  after(async () => {
    await Promise.all(nodes.map((node) => node.close()))
    await upstream?.close()
    await server?.stop()
    if (data) rmSync(data, { recursive: true, force: true, maxRetries: 3 })
  })

  test('R78: the sixth request of a minute is 429 whichever node it comes to; 2 per minute of a model beat 5 of the tier', async () => {
    const { key } = await fund({}, 'five')
    for (let count = 1; count <= 5; count++) {
      const told = await call(count % 2, 'chat', key)
      assert.deepEqual([told.status, told.headers.get('x-ratelimit-remaining-requests')], [200, String(5 - count)])
    }
    const sent = upstream.count()
    for (const node of [0, 1]) {
      const refused = await call(node, 'chat', key)
      assert.deepEqual([refused.status, codeOf('chat', refused.json)], [429, 'rate_limit_exceeded'])
      const wait = Number(refused.headers.get('retry-after'))
      assert.ok(wait > 0 && wait <= 60)
    }
    assert.equal(upstream.count(), sent)
    clock.nowMs += MINUTE_MS
    const statuses = []
    for (let count = 0; count < 3; count++) statuses.push((await call(count % 2, 'messages', key)).status)
    assert.deepEqual(statuses, [200, 200, 429])
  })

  test('fault S28: of 300 requests at once at both nodes as many pass as the limit of the key says', async () => {
    const { key } = await fund({ rate_limits: { rpm: 40 } })
    const sent = upstream.count()
    const answers = await Promise.all(Array.from({ length: 300 }, (_, at) => call(at % 2, 'chat', key)))
    const statuses = Map.groupBy(answers, ({ status }) => status)
    assert.deepEqual([statuses.get(200)?.length, statuses.get(429)?.length], [40, 260])
    assert.equal(upstream.count(), sent + 40)
  })

  test('requests at the same time are those at both nodes', async () => {
    const { key } = await fund({ rate_limits: { concurrency: 1 } })
    const gate = Promise.withResolvers<void>()
    upstream.script({ waitFor: gate.promise })
    const seen = upstream.count() + 1
    const running = call(0, 'chat', key)
    await upstream.whenReceived(seen)
    assert.equal((await call(1, 'chat', key)).status, 429)
    gate.resolve()
    assert.equal((await running).status, 200)
    assert.equal((await call(1, 'chat', key)).status, 200)
    assert.equal((await call(0, 'chat', key)).status, 200)
  })

  test('tokens of a minute are put right for both', async () => {
    const { key } = await fund({ rate_limits: { tpm: 1000 } })
    upstream.script({ usage: { input: 900, output: 50 } })
    assert.equal((await call(0, 'chat', key)).status, 200)
    const next = await call(1, 'chat', key)
    assert.equal(next.status, 200)
    const left = Number(next.headers.get('x-ratelimit-remaining-tokens'))
    assert.ok(left < 50, String(left))
  })

  test("R96: the free tier's day is one of the account at both nodes, and at one that starts later", async () => {
    const { key } = await fund({}, undefined, '0')
    const left = async (node: number) => (await call(node, 'gemini', key)).headers.get('x-ratelimit-remaining')
    assert.deepEqual([await left(0), await left(1), await left(0)], ['49', '48', '47'])
    const third = await start()
    nodes = [...nodes, third]
    assert.equal(await left(2), '46')
    const me = await fetch(`${third.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } })
    assert.equal(((await me.json()) as Json).free_requests.used, 4)
  })

  test('an address is counted by all nodes, before its key is looked at', async () => {
    const { headers } = await call(0, 'chat', 'sk-guessed')
    const before = Number(headers.get('x-ratelimit-remaining-requests'))
    const after = Number((await call(1, 'chat', 'sk-guessed')).headers.get('x-ratelimit-remaining-requests'))
    assert.equal(after, before - 1)
  })
})
