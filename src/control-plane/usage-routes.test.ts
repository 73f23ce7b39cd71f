import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import { createRequestLog } from '#observe/request-log.ts'
import { ACTIVITY_DAYS } from './activity.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'
import { GROUP_BY_MAX } from './usage.ts'

const DAY_MS = 86_400_000
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5']
const ROWS = 240

/** Three models, two apps, two accounts, ten days that are over. */
async function fill(bed: Testbed) {
  const log = createRequestLog(bed.store)
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const people = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const account = await bed.accounts.create({ email: `${name}@example.com`, mode: 'prepaid', actor: 'test' })
      const inference = await bed.keys.create({ name: `key-${name}`, accountId: account.id, system: name })
      const management = await bed.keys.create({ name: 'admin', accountId: account.id, kind: 'management' })
      return { account, key: inference.key, user: inference.plaintext, management: management.plaintext }
    }),
  )
  for (let at = 0; at < ROWS; at++) {
    const person = people[at % 2]!
    log.append(
      requestRow({
        request_id: `req_${at}`,
        ts_start_ms: today - 10 * DAY_MS + Math.floor((at * 10 * DAY_MS) / ROWS),
        account_id: person.account.id,
        key_id: person.key.id,
        key_name: person.key.name,
        system: person.key.system,
        model_id: MODELS[at % 3]!,
        app_title: ['A', 'B', null][at % 3]!,
        charged_cost_nano: BigInt(at) * 1_000_003n,
        list_cost_nano: BigInt(at) * 1_000_003n,
        latency_ms: 100 + at,
      }),
    )
  }
  await log.flush()
  return { people, today }
}

/** Decimal text in units of 10^-9. */
const nano = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(9, '0'))
}
const costOf = (groups: { charged_cost: string }[]): bigint =>
  groups.reduce((sum, group) => sum + nano(group.charged_cost), 0n)

describe('usage', () => {
  let bed: Testbed
  let filled: Awaited<ReturnType<typeof fill>>
  before(async () => {
    bed = await startTestbed()
    filled = await fill(bed)
  })
  after(() => bed.close())
  const ask = (path: string, key = bed.masterKey) => bed.ask('GET', path, { key })

  test('R106: every grouping adds up to the total, and the total to the rows', async () => {
    const all = BigInt((ROWS * (ROWS - 1)) / 2) * 1_000_003n
    for (const by of 'model vendor app key system account backend protocol day hour week month model,day app,model'.split(
      ' ',
    )) {
      const { status, json } = await ask(`/api/usage?group_by=${by}`)
      assert.equal(status, 200, by)
      assert.equal(nano(json.total.charged_cost), all)
      assert.equal(costOf(json.data), all, by)
      assert.equal(json.complete, true)
    }
  })

  test('R102, R103: models, apps and days as they were', async () => {
    const { user } = filled.people[0]!
    const models = await ask('/api/usage?group_by=model', user)
    assert.deepEqual(models.json.data.map((one: { model: string }) => one.model).toSorted(), MODELS.toSorted())
    assert.equal(models.json.total.requests, ROWS / 2)
    const apps = await ask('/api/usage?group_by=app', user)
    assert.deepEqual(apps.json.data.map((one: { app: string }) => one.app).toSorted(), ['A', 'B', 'key-a'])
    const days = await ask('/api/usage?group_by=day', user)
    assert.equal(days.json.data.length, 10)
    assert.equal(days.json.data[0].period, new Date(filled.today - 10 * DAY_MS).toISOString())
    assert.ok(days.json.data.every((one: { requests: number }) => one.requests === ROWS / 20))
    const keys = await ask('/api/usage?group_by=key', user)
    assert.deepEqual(
      keys.json.data.map((one: { key: string; key_name: string }) => [one.key, one.key_name]),
      [[filled.people[0]!.key.id, 'key-a']],
    )
  })

  test('R106: a key never sees another account, whatever it asks for', async () => {
    const [a, b] = filled.people
    const foreign = await ask(`/api/usage?account=${a!.account.id}&group_by=account`, b!.user)
    assert.deepEqual(
      foreign.json.data.map((one: { account: string }) => one.account),
      [b!.account.id],
    )
    assert.equal((await ask(`/api/usage?key_id=${a!.key.id}`, b!.user)).json.total.requests, 0)
    assert.equal((await ask('/api/usage?group_by=backend', b!.user)).status, 403)
    assert.equal((await ask('/api/usage?backend=openai', b!.user)).status, 403)
    assert.equal((await ask('/api/usage?group_by=backend')).json.data[0].backend, 'openai')
    const own = await ask(`/api/usage?system=${a!.key.system}`)
    assert.equal(own.json.total.requests, ROWS / 2)
  })

  test('R106: 400 for what is no grouping and no range', async () => {
    const tooMany = ['model', 'app', 'key'].slice(0, GROUP_BY_MAX + 1).join(',')
    for (const query of ['group_by=colour', `group_by=${tooMany}`, 'group_by=day,hour', 'from=yesterday']) {
      assert.equal((await ask(`/api/usage?${query}`)).status, 400, query)
    }
    assert.equal((await ask('/api/usage?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z')).status, 400)
    assert.equal((await bed.ask('GET', '/api/usage')).status, 401)
  })

  test('R102: the summary has balance, spending and the tables of the dashboard', async () => {
    const { json } = await ask('/api/usage/summary', filled.people[0]!.user)
    assert.equal(json.balance, '0')
    assert.equal(json.today.requests, 0)
    assert.equal(json.last_30_days.requests, ROWS / 2)
    assert.equal(json.last_7_days.requests, (ROWS / 20) * 6)
    assert.deepEqual(Object.keys(json.top), ['models', 'apps', 'keys', 'systems'])
    const { p50, p95 } = json.latency_ms
    assert.ok(p50 > 190 && p50 < 340 && p95 >= p50, `${p50} ${p95}`)
    const tops = Object.keys((await ask('/api/usage/summary')).json.top)
    assert.deepEqual(tops, ['models', 'apps', 'keys', 'systems', 'accounts', 'backends'])
  })

  test('R109: the cost insights name cheaper models and the share of the cache', async () => {
    const { json } = await ask('/api/insights/costs')
    const shares = json.top_models.map((one: { share_of_cost: number }) => one.share_of_cost)
    assert.ok(Math.abs(shares.reduce((sum: number, one: number) => sum + one, 0) - 1) < 0.001)
    const costly = json.top_models.find((one: { model: string }) => one.model === 'gpt-4o')
    assert.ok(costly.cheaper_alternatives.length > 0)
    assert.ok(json.share_with_cheaper_alternatives > 0)
    assert.equal(json.cache_hit_rate, 0.3333)
  })

  test('activity: the SDK reads the completed days of its own account', async () => {
    const root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    const person = filled.people[1]!
    const client = new OpenRouter({ apiKey: person.management, serverURL: `${root}/api/v1` })
    const { data } = await client.analytics.getUserActivity()
    assert.equal(data.length, 10 * MODELS.length)
    assert.equal(
      data.reduce((sum, item) => sum + item.requests, 0),
      ROWS / 2,
    )
    assert.ok(data[0]!.date > data.at(-1)!.date)
    assert.equal(data[0]!.providerName, 'OpenAI')
    const day = new Date(filled.today - DAY_MS).toISOString().slice(0, 10)
    const one = await client.analytics.getUserActivity({ date: day })
    assert.ok(one.data.length > 0 && one.data.every((item) => item.date === day))
  })

  test('activity: 400, 403 and 404', async () => {
    const [a, b] = filled.people
    const day = (back: number) => new Date(filled.today - back * DAY_MS).toISOString().slice(0, 10)
    assert.equal((await ask(`/api/v1/activity?date=${day(ACTIVITY_DAYS)}`, a!.management)).status, 200)
    assert.equal((await ask(`/api/v1/activity?date=${day(ACTIVITY_DAYS + 1)}`, a!.management)).status, 400)
    assert.equal((await ask(`/api/v1/activity?date=${day(0)}`, a!.management)).status, 400)
    assert.equal((await ask('/api/v1/activity', a!.user)).status, 403)
    assert.equal((await ask(`/api/v1/activity?workspace_id=${b!.account.id}`, a!.management)).status, 403)
    assert.equal((await ask(`/api/v1/activity?api_key_hash=${b!.key.hash}`, a!.management)).status, 404)
    const own = await ask(`/api/v1/activity?api_key_hash=${a!.key.hash}`, a!.management)
    assert.equal(own.json.data.length, 10 * MODELS.length)
  })
})

test('R108: without accounting there is nothing to tell', async () => {
  const bed = await startTestbed({ analytics: null })
  try {
    const told = await bed.ask('GET', '/api/usage', { key: bed.masterKey })
    assert.equal(told.status, 404)
    assert.match(told.text, /usage_tracking\.enabled/)
  } finally {
    await bed.close()
  }
})
