import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import { Departure } from '#data-plane/departure.ts'
import { KeepAlive } from '#data-plane/1-receive/keep-alive.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import { Report } from '#data-plane/report.ts'
import type { Seen } from '#data-plane/seen.ts'
import { backendOf, callerOf, modelOf, parsedOf, PRICE, routeOf, selectionOf } from '#data-plane/testbed.ts'
import { meter } from '#data-plane/8-meter/meter.ts'
import { CLIENT_ID_CHARACTERS_MAX, HEADER_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX, rowOf } from './row.ts'

function exchangeOf(headers: Record<string, string> = {}, rest: Partial<Exchange> = {}): Exchange {
  const request = { headers, socket: { remoteAddress: '192.0.2.1' } } as unknown as Exchange['request']
  return {
    id: 'req_1',
    endpoint: { surface: 'openai-chat', operation: 'generate', action: null },
    dialect: 'openai',
    openRouter: false,
    pathModel: null,
    request,
    response: {} as Exchange['response'],
    method: 'POST',
    path: '/v1/chat/completions',
    query: 'key=secret',
    startedMs: 1000,
    startedAt: performance.now(),
    departure: new Departure(),
    limitHeaders: null,
    keepAlive: new KeepAlive({} as Exchange['response']),
    readBody: () => Promise.reject(new Error('read already')),
    ...rest,
  }
}

/** What all steps have brought about when a whole answer is there. */
function answered(
  exchange = exchangeOf(),
): Required<Omit<Seen, 'error' | 'breach' | 'address' | 'admission' | 'leading' | 'content' | 'isSettling'>> {
  const model = modelOf('m')
  const parsed = parsedOf()
  const route = routeOf(model, backendOf('b'), { upstreamModel: 'inner' })
  const target = { route, protocol: 'openai-chat' as const, selection: selectionOf([route]) }
  const bound = { inputTokensMax: 9, outputTokensMax: 9, outputIsClients: true, candidates: 1, price: PRICE }
  const plan = {
    model,
    targets: [target] as const,
    bound,
    group: 'default',
    attemptsMax: 1,
    reroutedFrom: null,
    excluded: [],
  }
  const attempts = [{ backend: 'b', status: 200, error_code: null, latency_ms: 1, retry_after: null }]
  const facts = {
    usage: null,
    finishReason: 'stop',
    responseId: 'resp',
    toolCallsCount: 1,
    modelSpan: null,
    usageOpen: null,
    contentBytes: 0,
    failure: null,
  }
  const report = new Report()
  report.limit('openai-chat', 'openai-chat', 300)
  const answer = {
    kind: 'whole' as const,
    target,
    attempts,
    health: null,
    report,
    upstreamRequestId: 'up',
    save: null,
    body: Buffer.from('{}'),
    facts,
    render: null,
  }
  const selection = selectionOf([target.route])
  const hold = { metered: true, amountNano: 5n, outputTokensMax: null, watchedTokens: null }
  const tally = meter(parsed, plan, answer)
  return { exchange, caller: callerOf(), parsed, session: null, selection, plan, hold, report, answer, tally }
}

const KEYS = Object.keys(rowOf(answered(), 'complete', null, null)).toSorted()

test('the same keys whatever the outcome, and none without a value', () => {
  const gone = exchangeOf()
  gone.departure.leave()
  const error = new GatewayError('invalid_api_key', 'no')
  const { exchange, caller, parsed, selection, plan } = answered()
  const outcomes: [Seen, Parameters<typeof rowOf>[1]][] = [
    [answered(), 'complete'],
    [answered(), 'client_cancelled'],
    [answered(), 'upstream_disconnect'],
    [answered(), undefined],
    [{ exchange }, undefined],
    [{ exchange, error }, undefined],
    [{ exchange, caller, error }, undefined],
    [{ exchange, caller, parsed, selection, error }, undefined],
    [{ exchange, caller, parsed, selection, plan, error: new UpstreamError(error, []) } as Seen, undefined],
    [{ exchange: gone, error }, undefined],
    [{ ...answered(), error: new GatewayError('store_unavailable', 'no') }, undefined],
  ]
  for (const [seen, outcome] of outcomes) {
    const row = rowOf(seen, outcome, null, null)
    assert.deepEqual(Object.keys(row).toSorted(), KEYS)
    for (const [key, value] of Object.entries(row)) assert.notEqual(value, undefined, key)
  }
})

test('a complete answer is told with what it used and cost', () => {
  const usage = { input: 1, cacheRead: 0, cacheWrite: null, cacheWrite1h: null, output: 2, reasoning: null }
  const costs = { pico: 7000n, nano: 7n, listNano: 9n, meteredNano: 8n, lines: [] }
  const row = rowOf(answered(), 'complete', { ...usage, source: 'estimated' }, costs)
  assert.deepEqual([row.status, row.status_code, row.error_code], ['ok', 200, null])
  assert.deepEqual(
    [row.tokens_input, row.tokens_cache_read, row.tokens_cache_write, row.tokens_output],
    [1, 0, null, 2],
  )
  assert.equal(row.usage_source, 'estimated')
  assert.deepEqual([row.list_cost_nano, row.metered_cost_nano, row.charged_cost_nano], [9n, 8n, 7n])
  assert.deepEqual([row.model_id, row.upstream_model, row.backend_id, row.response_id], ['m', 'inner', 'b', 'resp'])
  assert.deepEqual([row.finish_reason, row.tool_calls_count, row.price_version], ['stop', 1, 'v1'])
  assert.deepEqual([row.attempts.length, row.warnings[0]?.path, row.upstream_request_id], [1, '/max_tokens', 'up'])
  assert.deepEqual([row.ttft_ms, row.gen_ms], [null, null])
})

test('what was refused cost nothing and says why', () => {
  const row = rowOf({ exchange: exchangeOf(), error: new GatewayError('invalid_api_key', 'no') }, undefined, null, null)
  assert.deepEqual([row.status, row.status_code, row.error_code], ['rejected', 401, 'invalid_api_key'])
  assert.deepEqual([row.error_message, row.charged_cost_nano, row.usage_source], ['no', null, 'none'])
  assert.deepEqual([row.account_id, row.model_id, row.attempts], [null, null, []])
})

test('each way to fail has a status of its own', () => {
  const status = (seen: Partial<Seen>, outcome?: 'client_cancelled' | 'upstream_disconnect') => {
    const row = rowOf({ ...answered(), ...seen }, outcome, null, null)
    return [row.status, row.status_code, row.error_code]
  }
  const upstream = new UpstreamError(new GatewayError('upstream_rate_limited', 'slow'), [])
  assert.deepEqual(status({ error: upstream }), ['upstream_error', 429, 'upstream_rate_limited'])
  assert.deepEqual(status({ error: new GatewayError('internal_error', 'x') }), ['error', 500, 'internal_error'])
  assert.deepEqual(status({}, 'client_cancelled'), ['client_cancelled', 200, 'client_closed_request'])
  assert.deepEqual(status({}, 'upstream_disconnect'), ['upstream_disconnect', 200, 'upstream_unavailable'])
  const breach = { status: 504, code: 'streaming_timeout', message: 'silent' }
  assert.deepEqual(status({ breach }, 'upstream_disconnect'), ['upstream_disconnect', 200, 'streaming_timeout'])
  const odd = { status: 502, code: 'constructor', message: 'x' }
  assert.deepEqual(status({ breach: odd }, 'upstream_disconnect'), ['upstream_disconnect', 200, 'upstream_unavailable'])
  const exchange = exchangeOf()
  exchange.departure.leave()
  assert.deepEqual(status({ exchange, error: upstream }), ['client_cancelled', 499, 'client_closed_request'])
})

test('what a client writes into the log is bounded and printable, and its query is not there', () => {
  const long = 'x'.repeat(5000)
  const headers = { 'x-request-id': long, 'user-agent': `a\u0007b\u009fc`, 'x-title': 'Grüße', 'http-referer': '' }
  const exchange = exchangeOf(headers, { path: `/${long}`, method: long, pathModel: long })
  const row = rowOf({ exchange, error: new GatewayError('invalid_request', long) }, undefined, null, null)
  assert.equal(row.client_request_id?.length, CLIENT_ID_CHARACTERS_MAX)
  assert.deepEqual([row.user_agent, row.app_title, row.app_referer], ['abc', 'Grüße', null])
  assert.equal(row.path.length, HEADER_CHARACTERS_MAX)
  assert.equal(row.requested_model?.length, HEADER_CHARACTERS_MAX)
  assert.ok(row.method.length <= 16)
  assert.equal(row.error_message?.length, MESSAGE_CHARACTERS_MAX)
  const values = Object.values(row).map(String)
  assert.ok(!values.some((value) => value.includes('secret')))
})
