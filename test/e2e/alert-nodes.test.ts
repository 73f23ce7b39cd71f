import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type RunningGateway, startGateway } from '#main'
import { eventually } from '#test/faults/gateway.ts'
import { postgresSkip, startPostgres } from '#test/postgres.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { administer, configFor, ENVIRONMENT, type Json, model } from './gateway.ts'
import { REPLAY_WINDOW_MS, startReceiver } from './webhook-receiver.ts'

/** The check of R98 whole: two gateways on one PostgreSQL, real requests, and a webhook that the file names. */

const WAIT_MS = 10_000
const DAY_MS = 86_400_000
const MODEL = 'seventeen-cents'
const masterKey = 'mk-of-the-alert-test'

async function call(url: string, key: string): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hi' }], max_tokens: 10 }),
  })
  await response.text()
  return response.status
}

describe('R98: two nodes on one PostgreSQL', { skip: postgresSkip }, () => {
  test('R98: 50, 80 and 100 % of a budget of the file reach the webhook once each; more traffic tells nothing, the next day again', async () => {
    await using cleanup = new AsyncDisposableStack()
    const server = await startPostgres()
    cleanup.defer(() => server.stop())
    const upstream = await startUpstream()
    cleanup.defer(() => upstream.close())
    const hook = await startReceiver()
    cleanup.defer(() => hook.close())
    const data = mkdtempSync(join(tmpdir(), 'trivium-alerts-'))
    cleanup.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 3 }))
    const price = { input: 0, output: 0, request: '0.17' }
    const config = configFor(upstream.url, {
      models: [model(MODEL, { price })],
      routes: [{ model: MODEL, backend: 'openai', upstream_model: MODEL }],
      outbound: { allow_private: ['127.0.0.0/8'] },
      budgets: [{ max_usd: 1, period: 'daily', hard: false }],
      alerts: { webhook_url: hook.url, spend_spike: { times: 0 } },
    } as Json)
    writeFileSync(join(data, 'config.yaml'), JSON.stringify(config))
    const url = await server.createDatabase('alerts')
    const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }
    const start = (): Promise<RunningGateway> =>
      startGateway({
        flags: { port: 0 },
        env: { ...ENVIRONMENT, GATEWAY_MASTER_KEY: masterKey, DATABASE_URL: url },
        cwd: data,
        now: () => clock.nowMs,
        alertIntervalMs: 50,
      })
    const nodes = [await start(), await start()]
    cleanup.defer(async () => void (await Promise.all(nodes.map((node) => node.close()))))
    const api = administer(nodes[0]!.url, masterKey)
    const { accountId, key } = await api.fund({ credit: '100' })
    const secret = (await api.admin('GET', '/api/v1/alert-settings')).webhook_secret as string

    const spend = async (calls: number): Promise<void> => {
      for (let at = 0; at < calls; at++) assert.equal(await call(nodes[at % 2]!.url, key), 200)
    }
    const told = (count: number) =>
      eventually('the webhook is told', WAIT_MS, async () => hook.got.length >= count || undefined)
    await spend(3)
    await told(1)
    await spend(2)
    await told(2)
    await spend(1)
    await told(3)
    await spend(4)
    clock.nowMs += DAY_MS
    await spend(3)
    // Whatever else there was to tell would have come before this.
    await told(4)
    assert.deepEqual(
      hook.got.map(({ json }) => [json.scope, json.threshold, json.spent, json.max, json.period, json.reset_at]),
      [
        ['account', 50, '0.51', '1', 'daily', '2026-11-21T00:00:00.000Z'],
        ['account', 80, '0.85', '1', 'daily', '2026-11-21T00:00:00.000Z'],
        ['account', 100, '1.02', '1', 'daily', '2026-11-21T00:00:00.000Z'],
        ['account', 50, '0.51', '1', 'daily', '2026-11-22T00:00:00.000Z'],
      ],
    )
    for (const [at, delivery] of hook.got.entries()) {
      const sentMs = clock.nowMs - (at < 3 ? DAY_MS : 0)
      assert.ok(hook.isGenuine(delivery, secret, sentMs))
      assert.ok(!hook.isGenuine(delivery, secret, sentMs + REPLAY_WINDOW_MS + 1000), 'an old copy is refused')
      assert.ok(!hook.isGenuine({ ...delivery, body: delivery.body.replace('.', ',') }, secret, sentMs))
      assert.equal(delivery.json.account_id, accountId)
    }
    const bell = await api.admin('GET', `/api/alerts?account_id=${accountId}`)
    assert.deepEqual([bell.unread, bell.data.length, bell.data[0].read_at], [4, 4, null])
    // The operator has none of its own: what is an account's is the account's.
    assert.equal((await api.admin('GET', '/api/alerts')).unread, 0)
  })
})
