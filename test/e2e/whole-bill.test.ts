/** R106, B6: a run of the whole gateway, and every place that tells a sum of it: to the nano the ledger's, however it is grouped. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { formatUsd, parseUsd } from '#base/money.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Script } from '#test/upstream/upstream.ts'
import { configFor, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const REQUESTS = FULL ? 3000 : 240
const AT_ONCE = 24
const DAY_MS = 86_400_000
const HELLO = [{ role: 'user', content: 'Hello' }]
/** Prices of which no sum is round. */
const PRICES = [
  { input: 3.000017, output: 15.000029, cache_read: 0.300007 },
  { input: 0.000501, output: 0.000999, cache_read: 0.000001 },
  { input: 71.3, output: 0, cache_read: 7.131313 },
]
const ASKS: readonly ((stream: boolean) => readonly [string, object])[] = [
  (stream) => ['/v1/chat/completions', { model: MODELS.chat.id, messages: HELLO, stream }],
  (stream) => ['/v1/responses', { model: MODELS.chat.id, input: 'Hello', stream }],
  (stream) => ['/v1/messages', { model: MODELS.messages.id, max_tokens: 50, messages: HELLO, stream }],
  (stream) => [
    `/v1beta/models/${MODELS.gemini.id}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
  ],
  (stream) => ['/api/v1/chat/completions', { model: MODELS.messages.id, messages: HELLO, stream }],
  () => ['/v1/embeddings', { model: MODELS.embedding.id, input: 'Hello' }],
]

/** Every answer costs something else; some fail, some say nothing, some break off, some cost more than was held. */
const mixed = (): Script => {
  let count = 0
  return (received) => {
    const at = count++
    if (at % 17 === 16) return { status: 500, body: { error: { message: 'broken' } } }
    const output = at % 29 === 28 ? 900_000 : at % 13 === 12 ? 0 : 1 + ((at * 37) % 977)
    const sold = { input: 1 + ((at * 101) % 1999), cacheRead: at % 3 ? 0 : at, cacheWrite: 0, output, reasoning: 0 }
    const native = answerNatively(received, { text: output === 0 ? '' : 'Hello there.', sold })!
    if (!native.frames) return { body: native.body! }
    return { frames: native.frames, ...(at % 19 === 18 ? { cutAfterFrames: native.frames.length - 2 } : {}) }
  }
}

const nano = (text: string | null): bigint => (text === null ? 0n : parseUsd(text)!)
const sumOf = (list: readonly Json[], member = 'charged_cost'): bigint =>
  list.reduce((sum: bigint, one: Json) => sum + nano(one[member]), 0n)

describe('the whole bill', () => {
  let gateway: TestGateway
  let shiftMs = 0
  const accounts: { accountId: string; keys: { key: string; id: string }[]; administration: string }[] = []
  /** What the ledger says. */
  const booked = new Map<string, bigint>()
  let total = 0n

  const pages = async (path: string): Promise<Json[]> => {
    const found: Json[] = []
    for (let cursor = ''; ;) {
      const page = await gateway.admin('GET', `${path}limit=500${cursor && `&cursor=${cursor}`}`)
      found.push(...page.data)
      if (!page.next_cursor) return found
      cursor = page.next_cursor
    }
  }

  /** Many JSON values are no JSON. */
  const linesOf = async (path: string, key: string): Promise<string> => (await gateway.open(path, { key })).text()

  before(async () => {
    gateway = await startTestGateway({
      always: mixed(),
      now: () => Date.now() + shiftMs,
      config: (url) => ({
        models: configFor(url)['models'].map((one: Json, at: number) => ({
          ...one,
          price: one.capabilities.includes('embeddings') ? one.price : PRICES[at],
        })),
        routes: [
          ...configFor(url)['routes'],
          // The same model at another backend: sums by backend differ from those by model.
          { model: MODELS.chat.id, backend: 'other', upstream_model: 'gpt-upstream-other' },
        ] as unknown as object,
        backends: { other: { type: 'openai', api_url: `${url}/v1`, api_key: 'sk-other' } },
      }),
    })
    for (const [at, credit] of ['100', '100', '0.003'].entries()) {
      const { accountId, key } = await gateway.fund({ credit, newKey: { system: `system-${at}` } })
      const more = await gateway.admin('POST', '/api/v1/keys', { name: 'second', account_id: accountId, limit: '0.5' })
      const { key: administration } = await gateway.admin('POST', '/api/v1/keys', {
        name: 'm',
        account_id: accountId,
        kind: 'management',
      })
      accounts.push({ accountId, keys: [key, more.key].map((one) => ({ key: one, id: '' })), administration })
    }
    const send = async (at: number): Promise<void> => {
      const account = accounts[at % accounts.length]!
      const [path, body] = ASKS[at % ASKS.length]!(at % 4 < 2)
      const leaving = new AbortController()
      const headers = { 'x-title': at % 2 ? 'Odd' : 'Even' }
      const { key } = account.keys[at % 5 === 0 ? 1 : 0]!
      const response = await gateway.open(path, { key, body, headers, signal: leaving.signal })
      if (at % 23 === 22) leaving.abort()
      else await response.text()
    }
    for (let at = 0; at < REQUESTS; at += AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, (_, of) => send(at + of)))
    for (const { accountId } of accounts) {
      const entries = (await pages(`/api/admin/ledger?account_id=${accountId}&`)).filter(({ type }) => type === 'usage')
      const sum = -sumOf(entries, 'amount')
      booked.set(accountId, sum)
      total += sum
    }
    assert.ok(total > 0n)
  })
  after(() => gateway.close())

  test('the rows, one for each request, and their receipts say the same as the ledger', async () => {
    const rows = await pages('/api/logs?')
    assert.equal(rows.length, REQUESTS)
    assert.equal(sumOf(rows), total)
    const kinds = Map.groupBy(rows, ({ status }) => status as string)
    for (const kind of ['ok', 'upstream_error', 'upstream_disconnect', 'rejected'])
      assert.ok(kinds.has(kind), `nothing was ${kind}`)
    assert.ok(sumOf(rows, 'absorbed_cost') > 0n, 'something cost more than there was')
    const verified = await gateway.admin('GET', '/api/admin/receipts/verify')
    assert.deepEqual([verified.differences, verified.problems], [0, []])
    for (const { accountId } of accounts) {
      const { balance, held } = await gateway.account(accountId)
      const entries = await pages(`/api/admin/ledger?account_id=${accountId}&`)
      assert.deepEqual([nano(balance), held], [sumOf(entries, 'amount'), '0'])
    }
  })

  const GROUPS = [
    'account',
    'key',
    'model',
    'backend',
    'vendor',
    'system',
    'app',
    'protocol',
    'hour',
    'day',
    'week',
    'month',
  ]
  const PERIODS = new Set(['hour', 'day', 'week', 'month'])

  test('the usage API, by every grouping and every two of them', async () => {
    for (const first of GROUPS)
      for (const second of GROUPS) {
        if (first !== second && PERIODS.has(first) && PERIODS.has(second)) continue
        const { data, total: all } = await gateway.admin('GET', `/api/usage?group_by=${first},${second}`)
        assert.equal(nano(all.charged_cost), total, `${first}, ${second}`)
        assert.equal(sumOf(data), total, `${first}, ${second}`)
      }
    for (const { accountId, keys } of accounts) {
      const own = await gateway.admin('GET', `/api/usage?group_by=key&account_id=${accountId}`)
      assert.equal(sumOf(own.data), booked.get(accountId))
      const seen = await gateway.ask('/api/usage?group_by=model,day', { key: keys[0]!.key })
      assert.equal(sumOf(seen.json.data), booked.get(accountId))
    }
    const { data } = await gateway.admin('GET', '/api/usage?group_by=account')
    for (const group of data)
      assert.equal(nano(group.charged_cost), booked.get(group.account_id ?? group.account), JSON.stringify(group))
  })

  test('what is told of one is the sum of its rows: keys, models, backends', async () => {
    const rows = await pages('/api/logs?')
    for (const [by, member] of [
      ['key', 'key_id'],
      ['model', 'model_id'],
      ['backend', 'backend_id'],
    ] as const) {
      const { data } = await gateway.admin('GET', `/api/usage?group_by=${by}`)
      const expected = Map.groupBy(rows, (row) => row[member] as string | null)
      for (const group of data) {
        const name = group[member] ?? group[by] ?? null
        assert.equal(nano(group.charged_cost), sumOf(expected.get(name) ?? []), `${by} ${JSON.stringify(group)}`)
      }
    }
  })

  test('exports, as a table and as lines', async () => {
    for (const path of ['/api/usage/export', '/v1/usage/export']) {
      const csv = await gateway.ask(`${path}?format=csv`, { key: gateway.masterKey })
      const [head, ...lines] = csv.text.trimEnd().split('\r\n')
      const at = head!.split(',').indexOf('charged_cost')
      // No cell of these has a comma.
      const cells = lines.map((line) => ({ charged_cost: line.split(',')[at] || null }))
      assert.equal(lines.length, REQUESTS)
      assert.equal(sumOf(cells), total, path)
      const text = await linesOf(`${path}?format=jsonl`, gateway.masterKey)
      const rows = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Json)
      assert.equal(sumOf(rows), total, path)
    }
    for (const { accountId, keys } of accounts) {
      const text = await linesOf('/api/usage/export?format=jsonl', keys[0]!.key)
      assert.equal(
        sumOf(
          text
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line)),
        ),
        booked.get(accountId),
      )
    }
  })

  test('the tracker’s figures, the dashboard’s, and the credits', async () => {
    const stats = await gateway.admin('GET', '/v1/usage/stats')
    assert.equal(nano(stats.cost), total)
    for (const by of ['by_model', 'by_app', 'by_frontend', 'by_backend'])
      assert.equal(sumOf(stats[by], 'cost'), total, by)
    const summary = await gateway.admin('GET', '/api/usage/summary')
    assert.equal(nano(summary.last_7_days.charged_cost), total)
    for (const { accountId, administration } of accounts) {
      const { text } = await gateway.ask('/api/v1/credits', { key: administration })
      const [, used] = /"total_usage":([\d.e-]+)/.exec(text)!
      assert.equal(nano(plain(used!)), booked.get(accountId))
    }
  })

  test('the statements of the months', async () => {
    for (const { accountId } of accounts) {
      const { data } = await gateway.admin('GET', `/api/billing/statements?account_id=${accountId}`)
      let sum = 0n
      for (const { month } of data) {
        const statement = await gateway.admin('GET', `/api/billing/statements/${month}.json?account_id=${accountId}`)
        const lines = sumOf(statement.lines, 'amount')
        assert.equal(sumOf(statement.usage_by_system, 'amount'), lines)
        assert.equal(nano(statement.usage), lines)
        sum += lines
      }
      assert.equal(sum < 0n ? -sum : sum, booked.get(accountId))
    }
  })

  test('the activity of the days that are over', async () => {
    shiftMs = DAY_MS
    for (const { accountId, administration } of accounts) {
      const { text } = await gateway.ask('/api/v1/activity', { key: administration })
      const amounts = [...text.matchAll(/"usage":([\d.e-]+)/g)].map(([, amount]) => ({ charged_cost: plain(amount!) }))
      assert.equal(sumOf(amounts), booked.get(accountId))
    }
  })
})

/** A JSON number as decimal text. */
function plain(number: string): string {
  const [digits, exponent] = number.split('e')
  if (exponent === undefined) return digits!
  const [whole, fraction = ''] = digits!.split('.')
  const nanos = BigInt(whole! + fraction) * 10n ** BigInt(9 + Number(exponent) - fraction.length)
  return formatUsd(nanos)
}
