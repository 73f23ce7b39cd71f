import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { createRequestLog } from '#observe/request-log.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { ask, newAccount, NOON_MS, openBooks, sampleRow } from './contract-books.ts'
import type { Harness } from './contract-books.ts'
import { findRequest, listRequests } from './reads.ts'

const FULL: RequestRow = {
  request_id: 'req_full',
  client_request_id: 'mine',
  upstream_request_id: 'theirs',
  response_id: 'chatcmpl-1',
  ts_start_ms: NOON_MS,
  ts_end_ms: NOON_MS + 20,
  account_id: 'acc_1',
  key_id: 'key_1',
  key_name: 'laptop',
  system: 'crm',
  app_title: 'App',
  app_referer: 'https://example.org',
  app_categories: 'cli-agent,cloud-agent',
  user_agent: 'agent/1',
  ip: '192.0.2.0',
  protocol: 'anthropic-messages',
  method: 'POST',
  path: '/v1/messages',
  stream: true,
  requested_model: 'fast',
  alias_rule: 0,
  rule: 'short questions',
  resolved_model: 'vendor/model',
  model_id: 'vendor/model',
  upstream_model: 'model-1',
  vendor: 'vendor',
  backend_id: 'main',
  group_id: 'default',
  adapter: 'passthrough',
  thinking: true,
  status: 'upstream_error',
  status_code: 502,
  error_code: 'upstream_unavailable',
  error_message: 'Größe “x” \n 日本',
  finish_reason: 'error',
  latency_ms: 20,
  ttft_ms: 0,
  gen_ms: 0,
  tokens_input: 0,
  tokens_cache_read: 1,
  tokens_cache_write: 2,
  tokens_cache_write_1h: 3,
  tokens_output: Number.MAX_SAFE_INTEGER,
  tokens_reasoning: 0,
  usage_source: 'upstream',
  list_cost_nano: 0n,
  metered_cost_nano: 9_007_199_254_740_993n,
  charged_cost_nano: 10n ** 18n,
  absorbed_cost_nano: 0n,
  price_version: 'abc',
  attempts: [{ backend: 'main', status: 503, error_code: 'x', latency_ms: 3, retry_after: null }],
  warnings: [
    { path: '/seed', action: 'dropped', reason: 'no seed', target: 'anthropic-messages' },
    { path: '', action: 'rewritten', reason: 'two', target: null },
  ],
  warnings_more: 3,
  tool_calls_count: 0,
  environment: 'test',
  cache_decision: { decision: 'kept', reason: 'cache_is_cheaper', cache_break_cost: '0.001' },
  fault: '429',
  session_id: 'ses_1',
}

export function rowContract(harness: Harness): void {
  logContract(harness)
  test('a request row reads back as it was written: every key, null and 0 apart', async () => {
    await using books = await openBooks(harness)
    const empty = sampleRow({ request_id: 'req_empty' })
    await books.ledger.void('req_full', FULL)
    const log = createRequestLog(books.store)
    log.append(empty)
    await log.flush()
    for (const row of [FULL, empty]) {
      const found = await findRequest(books.store, { requestId: row.request_id })
      assert.deepEqual(found, row)
      assert.deepEqual(Object.keys(found!).sort(), Object.keys(row).sort())
    }
    assert.deepEqual(await findRequest(books.store, { responseId: 'chatcmpl-1' }, 'acc_1'), FULL)
    assert.equal(await findRequest(books.store, { responseId: 'chatcmpl-1' }, 'acc_2'), undefined)
  })

  test('S10: a text with U+0000 in it keeps no settlement from being booked, and is found again', async () => {
    await using books = await openBooks(harness)
    const account = await newAccount(books, 10n)
    await ask(books, 'req_nul', { account }, 5n)
    const mine = { session_id: 'a\0b\\u0000', response_id: 'r\0', user_agent: 'agent/1' }
    const row = sampleRow({ request_id: 'req_nul', account_id: account.id, ...mine })
    assert.equal((await books.ledger.settle({ requestId: 'req_nul', costNano: 3n, row })).booked, true)
    const found = (await findRequest(books.store, { responseId: 'r\0' }, account.id))!
    assert.deepEqual([found.request_id, found.session_id], ['req_nul', 'a\uFFFDb\\u0000'])
    assert.equal((await listRequests(books.store, { limit: 9, filter: { userAgent: 'agent' } })).data.length, 1)
    assert.equal((await books.accounts.get(account.id))!.balanceNano, 7n)
  })

  test('rows page from the newest to the oldest, also within one millisecond, and filter', async () => {
    await using books = await openBooks(harness)
    const log = createRequestLog(books.store)
    for (let at = 0; at < 250; at++) {
      log.append(
        sampleRow({
          request_id: `req_${String(at).padStart(3, '0')}`,
          ts_start_ms: NOON_MS + Math.floor(at / 100),
          account_id: at % 2 === 0 ? 'acc_even' : 'acc_odd',
          status_code: at % 5 === 0 ? 429 : 200,
        }),
      )
    }
    await log.flush()
    const seen: string[] = []
    let cursor: string | null | undefined
    do {
      const page = await listRequests(books.store, { limit: 7, ...(cursor ? { cursor } : {}) })
      seen.push(...page.data.map((row) => row.request_id))
      cursor = page.nextCursor
    } while (cursor)
    assert.equal(seen.length, 250)
    assert.deepEqual(seen, seen.toSorted().toReversed())
    const count = async (filter: Parameters<typeof listRequests>[1]['filter'] & object) =>
      (await listRequests(books.store, { limit: 1000, filter })).data.length
    assert.equal(await count({ accountId: 'acc_even' }), 125)
    assert.equal(await count({ accountId: 'acc_even', statusCode: 429 }), 25)
    assert.equal(await count({ fromMs: NOON_MS + 1, toMs: NOON_MS + 2 }), 100)
    assert.equal(await count({ requestId: 'req_007' }), 1)
    const bad = listRequests(books.store, { limit: 1, cursor: 'nonsense' })
    await assert.rejects(bad, (thrown) => (thrown as GatewayError).code === 'invalid_parameter')
  })
}

function logContract(harness: Harness): void {
  test('the log drops and counts rows beyond its bound, and a second row of a request changes nothing', async () => {
    await using books = await openBooks(harness)
    const drops: number[] = []
    const log = createRequestLog(books.store, { rowsWaitingMax: 2, onDrop: (count) => drops.push(count) })
    log.append(sampleRow({ request_id: 'req_1', status_code: 200 }))
    log.append(sampleRow({ request_id: 'req_1', status_code: 500 }))
    log.append(sampleRow({ request_id: 'req_3' }))
    log.append(sampleRow({ request_id: 'req_4' }))
    assert.deepEqual([log.waiting, log.dropped], [2, 2])
    await log.flush()
    assert.deepEqual([log.waiting, drops], [0, [2]])
    const { data } = await listRequests(books.store, { limit: 10 })
    assert.deepEqual(
      data.map((row) => [row.request_id, row.status_code]),
      [['req_1', 200]],
    )
  })

  test('the read side refuses to write', async () => {
    await using books = await openBooks(harness)
    await assert.rejects(books.store.read.deleteFrom('requests').execute(), /only runs SELECT/)
    await assert.rejects(
      books.store.read.transaction().execute(async () => {}),
      /runs single queries/,
    )
  })
}
