import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import { createAnalytics } from '#analytics/analytics.ts'
import { createRollups } from '#analytics/rollups.ts'
import { createRequestLog } from '#observe/request-log.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'

const MINUTE_MS = 60_000
const [FAST, SLOW] = ['gpt-4o-mini', 'gpt-4o'] as const

/** A streamed answer of this many tokens per second after this time to the first. */
function stream(
  id: string,
  modelId: string,
  tokensPerSecond: number,
  ttftMs: number,
  change: Partial<RequestRow> = {},
) {
  const genMs = 2_000
  return requestRow({
    request_id: id,
    model_id: modelId,
    ts_start_ms: Date.now() - MINUTE_MS,
    stream: true,
    tokens_output: (tokensPerSecond * genMs) / 1000,
    ttft_ms: ttftMs,
    gen_ms: genMs,
    latency_ms: ttftMs + genMs,
    ...change,
  })
}

const attempt = (backend: string, status: number | null, error_code: string | null) => ({
  backend,
  status,
  error_code,
  latency_ms: 1,
  retry_after: null,
})

describe('figures of targets', () => {
  let bed: Testbed
  let root: string
  let key: string
  before(async () => {
    bed = await startTestbed()
    root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    key = (await bed.keys.create({ name: 'user', accountId: id })).plaintext
    const log = createRequestLog(bed.store)
    for (let at = 0; at < 30; at++) {
      log.append(stream(`fast_${at}`, FAST, 95 + (at % 11), 190 + (at % 21)))
      log.append(stream(`slow_${at}`, SLOW, 19 + (at % 3), 950 + 3 * at))
    }
    // Two attempts fail; what a client did wrong, broke off or asked for (B12) says nothing of the target.
    const failed = { status: 'upstream_error', status_code: 502 } as const
    log.append(stream('down_1', SLOW, 1, 1, { ...failed, attempts: [attempt('openai', null, 'upstream_timeout')] }))
    log.append(stream('down_2', SLOW, 1, 1, { ...failed, attempts: [attempt('openai', 401, 'refused')] }))
    log.append(stream('limited', SLOW, 1, 1, { ...failed, attempts: [attempt('openai', 429, 'rate_limited')] }))
    log.append(stream('client', SLOW, 1, 1, { ...failed, attempts: [attempt('openai', 400, 'invalid_request')] }))
    log.append(stream('left', SLOW, 1, 1, { status: 'client_cancelled' }))
    log.append(stream('fault', SLOW, 1, 1, { ...failed, fault: '503', attempts: [attempt('openai', 503, 'x')] }))
    await log.flush()
  })
  after(() => bed.close())

  const near = (value: number, expected: number): void =>
    assert.ok(Math.abs(value - expected) <= expected * 0.15, `${value} is not near ${expected}`)

  test('R104: speed within 15 %, with the number of samples and the interval (B20), sorted by the worse end', async () => {
    const { json } = await bed.ask('GET', `/api/stats/models?ids=${FAST},${SLOW}&sort=throughput`, { key })
    assert.deepEqual(
      json.data.map((one: { id: string }) => one.id),
      [FAST, SLOW],
    )
    const [fast, slow] = json.data
    near(fast.stats.throughput_tps.p50, 100)
    near(slow.stats.throughput_tps.p50, 20)
    near(fast.stats.ttft_ms.p50, 200)
    near(slow.stats.ttft_ms.p99, 1_030)
    near(slow.stats.latency_ms.p90, 3_030)
    assert.deepEqual([fast.stats.window, fast.stats.samples, fast.stats.low_confidence], ['30m', 30, false])
    const [low, high] = fast.stats.ttft_ms.interval_90.p50
    assert.ok(low <= fast.stats.ttft_ms.p50 && fast.stats.ttft_ms.p50 <= high && low < high)
    assert.equal(fast.endpoints[0].stats.samples, 30)
    assert.equal(fast.endpoints[0].backend, null)
    assert.match(fast.price_per_million.blended, /^\d/)
    const { json: operators } = await bed.ask('GET', `/api/stats/models?ids=${FAST}`, { key: bed.masterKey })
    assert.equal(operators.data[0].endpoints[0].backend, 'openai')
    const { json: idle } = await bed.ask('GET', '/api/stats/models?ids=claude-sonnet-4-5', { key })
    assert.equal(idle.data[0].stats, null)
    assert.equal((await bed.ask('GET', '/api/stats/models?window=2h', { key })).status, 400)
  })

  test('R104: uptime counts attempts, and not what clients did', async () => {
    const { json } = await bed.ask('GET', `/api/stats/models?ids=${SLOW}`, { key })
    const { percent, n, interval_90: interval } = json.data[0].stats.uptime.last_30m
    assert.deepEqual([percent, n], [93.75, 32])
    assert.ok(interval[0] < 93.75 && interval[1] > 93.75 && interval[1] < 100)
  })

  test('R109: the diagnostics show each backend with its health and its figures, to the master key only', async () => {
    const { json, text } = await bed.ask('GET', '/v1/diagnostics', { key: bed.masterKey })
    const openai = json.backends.find((one: { id: string }) => one.id === 'openai')
    assert.equal(openai.health.state, 'closed')
    assert.equal(openai.measured[FAST].samples, 30)
    assert.equal(text.includes('sk-upstream'), false)
    assert.equal((await bed.ask('GET', '/v1/diagnostics', { key })).status, 403)
  })

  test('R46, R104: the catalog has the figures, and null without traffic', async () => {
    const { json, headers } = await bed.ask('GET', '/catalog/models')
    const statsOf = (id: string) => json.data.find((one: { id: string }) => one.id === id).stats
    assert.equal(statsOf(FAST).samples, 30)
    assert.equal(statsOf('claude-sonnet-4-5'), null)
    const again = await bed.ask('GET', '/catalog/models', { headers: { 'if-none-match': headers['etag']! } })
    assert.equal(again.status, 304)
  })

  test("R105: OpenRouter's SDK reads the endpoints with their figures; without a key there is no speed", async () => {
    const client = new OpenRouter({ apiKey: key, serverURL: `${root}/api/v1` })
    const { data } = await client.endpoints.list({ author: 'openai', slug: FAST })
    assert.equal(data.endpoints.length, 1)
    const [endpoint] = data.endpoints
    near(endpoint!.throughputLast30m!.p50, 100)
    near(endpoint!.latencyLast30m!.p99, 210)
    assert.equal(endpoint!.uptimeLast30m, 100)
    const { json } = await bed.ask('GET', `/api/v1/models/openai/${FAST}/endpoints`)
    assert.equal(json.data.endpoints[0].latency_last_30m, null)
    assert.equal(json.data.endpoints[0].uptime_last_1d, 100)
  })

  test('R104: with few samples in half an hour those of the day are shown, and so labelled', async () => {
    const log = createRequestLog(bed.store)
    const earlier = { ts_start_ms: Date.now() - 3 * 60 * MINUTE_MS }
    for (let at = 0; at < 40; at++) log.append(stream(`early_${at}`, 'gpt-4.1', 50, 500, earlier))
    log.append(stream('late', 'gpt-4.1', 50, 100))
    await log.flush()
    // Figures of the testbed may be some seconds old.
    const fresh = await createAnalytics(bed.store, createRollups(bed.store)).targets()
    const stats = fresh.ofModel('gpt-4.1')!
    assert.deepEqual([stats.window, stats.samples], ['1d', 41])
    assert.equal(fresh.ofModel('gpt-4.1', '30m')!.samples, 1)
    assert.equal(fresh.ofTarget('gpt-4.1', 'openai')!.samples, 41)
  })
})
