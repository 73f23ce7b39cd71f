import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { startGateway } from '#main'
import { eventually } from '#test/faults/gateway.ts'
import { postgresSkip, startPostgres } from '#test/postgres.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { administer, configFor, ENVIRONMENT, type Json, model } from './gateway.ts'

/** The budget of an agent session, and its stop, on two gateways over one real PostgreSQL (B14, B1). */

const WAIT_MS = 10_000
const MODEL = 'half-cent'
const masterKey = 'mk-of-the-agent-test'

describe('B14: two nodes on one PostgreSQL', { skip: postgresSkip }, () => {
  test('B14: 50 parallel calls over both nodes: at most 4 reach the upstream; a stop at one node is a stop at the other', async () => {
    await using cleanup = new AsyncDisposableStack()
    const server = await startPostgres()
    cleanup.defer(() => server.stop())
    const upstream = await startUpstream()
    cleanup.defer(() => upstream.close())
    const data = mkdtempSync(join(tmpdir(), 'trivium-agents-'))
    cleanup.defer(() => rmSync(data, { recursive: true, force: true, maxRetries: 3 }))
    const config = configFor(upstream.url, {
      models: [model(MODEL, { price: { input: 0, output: 0, request: '0.005' } })],
      routes: [{ model: MODEL, backend: 'openai' }],
    } as Json)
    writeFileSync(join(data, 'config.yaml'), JSON.stringify(config))
    const env = { ...ENVIRONMENT, GATEWAY_MASTER_KEY: masterKey, DATABASE_URL: await server.createDatabase('agents') }
    const start = () => startGateway({ flags: { port: 0 }, env, cwd: data })
    const nodes = [await start(), await start()]
    cleanup.defer(async () => void (await Promise.all(nodes.map((node) => node.close()))))
    const api = administer(nodes[0]!.url, masterKey)
    const { accountId, key } = await api.fund({ credit: '100' })
    const call = async (node: number, session: string): Promise<string> => {
      const response = await fetch(`${nodes[node]!.url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'x-session-id': session,
          'x-gateway-session-budget': '0.02',
        },
        body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }),
      })
      const json = (await response.json()) as Json
      return response.status === 200 ? '200' : json.error.code
    }

    const gate = Promise.withResolvers<void>()
    upstream.always({ waitFor: gate.promise })
    let refused = 0
    const calls = Array.from({ length: 50 }, async (_, at) => {
      const told = await call(at % 2, 'shared')
      if (told !== '200') refused++
      return told
    })
    const isDecided = async (): Promise<true | undefined> => upstream.count() + refused === 50 || undefined
    await eventually('all were admitted or refused', WAIT_MS, isDecided)
    gate.resolve()
    const told = await Promise.all(calls)
    assert.equal(told.filter((one) => one === '200').length, 4)
    assert.ok(told.every((one) => one === '200' || one === 'session_budget_exceeded'))
    assert.equal(upstream.count(), 4)
    const [session] = (await api.admin('GET', `/api/sessions?account_id=${accountId}`)).data
    assert.deepEqual([session.spent, session.requests], ['0.02', 4])
    assert.equal((await api.account(accountId)).balance, '99.98')

    assert.deepEqual([await call(0, 'other'), await call(1, 'other')], ['200', '200'])
    const { data: sessions } = await api.admin('GET', `/api/sessions?account_id=${accountId}`)
    const { id } = sessions.find(({ session_id }: Json) => session_id === 'other')
    await api.admin('POST', `/api/sessions/${id}/stop?account_id=${accountId}`)
    assert.deepEqual([await call(0, 'other'), await call(1, 'other')], ['session_stopped', 'session_stopped'])
  })
})
