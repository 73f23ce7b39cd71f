import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { BREAK_GLASS_MAX } from '#control-plane/key-demands.ts'
import { type Json, startTestGateway, type TestGateway } from './gateway.ts'

/** A backend for when all others fail, with an amount of its own (B11). */

const words = [{ role: 'user', content: 'hi' }]
/** 10 tokens in and 5 out of the upstream make 0.004 a request. */
const PRICE = { input: 100, output: 600 }
const CODES: Json = { 402: { error: { message: 'out of credit' } }, 500: { error: { message: 'broken' } } }

interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly normal: Upstream
  readonly glass: Upstream
  readonly clock: { nowMs: number }
  ask(change?: object, path?: string): Promise<readonly [status: number, code: string | undefined]>
  /** How often the log says so. */
  told(): number
  /** What the operator was told, newest first. */
  alerts(): Promise<Json[]>
  fail(status: 402 | 429 | 500 | null): void
}

async function start(rule: object, change: Record<string, Json> = {}): Promise<Rig> {
  const glass = await startUpstream()
  const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }
  const folder = mkdtempSync(join(tmpdir(), 'trivium-glass-'))
  const logFile = join(folder, 'log')
  const gateway = await startTestGateway({
    now: () => clock.nowMs,
    flags: { log: logFile },
    config: (url): Record<string, Json> => ({
      logging: { level: 'warn' },
      failure_handling: { enabled: true, min_retry_wait: 0.001, max_silent_wait: 0.002 },
      models: [
        {
          id: 'm',
          vendor: 'openai',
          context_window: 100_000,
          max_output: 10,
          price: PRICE,
          break_glass: [{ use: 'kept', period: 'daily', ...rule }],
        },
      ],
      routes: [
        { model: 'm', backend: 'openai', upstream_model: 'up' },
        { model: 'm', backend: 'kept', upstream_model: 'up-kept', priority: -1 },
      ],
      ...change,
      backends: {
        openai: { type: 'openai', api_url: `${url}/v1`, api_key: 'k1' },
        kept: { type: 'openai', api_url: `${glass.url}/v1`, api_key: 'k2' },
      },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await glass.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    gateway,
    normal: gateway.upstream,
    glass,
    clock,
    async ask(body = {}, path = '/v1/chat/completions') {
      const { status, json } = await gateway.ask(path, {
        body: { model: 'm', messages: words, max_tokens: 5, ...body },
      })
      return [status, json?.error?.code]
    },
    told: () =>
      existsSync(logFile) ? readFileSync(logFile, 'utf8').split('a break-glass backend is in use').length - 1 : 0,
    async alerts() {
      const { data } = await gateway.admin('GET', '/api/alerts')
      return data.filter(({ type }: Json) => type === 'break_glass_in_use')
    },
    fail: (status) => gateway.upstream.always(status === null ? undefined : { status, body: CODES[status] ?? {} }),
    [Symbol.asyncDispose]: close,
  }
}

suite('B11: break-glass', () => {
  test('B11: it answers while the others have no credit, until its amount is spent, then 402; one notification', async () => {
    await using rig = await start({ on: [402], max_usd: 0.01 })
    assert.deepEqual(await rig.ask(), [200, undefined])
    assert.deepEqual([rig.normal.count(), rig.glass.count(), rig.told()], [1, 0, 0])
    rig.fail(402)
    // 0.004 each: after the third 0.012 are spent.
    for (let call = 1; call <= 3; call++) assert.deepEqual(await rig.ask(), [200, undefined], `call ${call}`)
    assert.deepEqual(await rig.ask(), [402, 'budget_exceeded'])
    assert.deepEqual(await rig.ask({}, '/v1/messages'), [402, 'budget_exceeded'])
    assert.deepEqual([rig.glass.count(), rig.told()], [3, 1])
    assert.equal(rig.glass.received[0]!.fields['model'], 'up-kept')
    // Tomorrow there is more, and the operator is told again.
    rig.clock.nowMs += 86_400_000
    assert.deepEqual(await rig.ask(), [200, undefined])
    assert.deepEqual([rig.glass.count(), rig.told()], [4, 2])
    const [last, first, ...others] = await eventually('both days are told', 5000, async () => {
      const alerts = await rig.alerts()
      return alerts.length < 2 ? undefined : alerts
    })
    const { model, backend, reasons, period } = last!
    assert.deepEqual([model, backend, reasons, period], ['m', 'kept', ['402'], 'daily'])
    assert.deepEqual([first!.model, others], ['m', []])
    rig.fail(null)
    assert.deepEqual(await rig.ask(), [200, undefined])
    assert.equal(rig.glass.count(), 4)
    // The client pays for what it got.
    const rows: Json[] = await rig.gateway.logs(rig.gateway.accountId)
    assert.equal(rows.filter((row) => row.charged_cost === '0.004').length, 6)
  })

  test('only the named reason opens it: not a limit, not an outage, not a wrong request', async () => {
    await using rig = await start({ on: [402], max_usd: 1 })
    rig.fail(429)
    assert.equal((await rig.ask())[0], 429)
    rig.fail(500)
    assert.equal((await rig.ask())[0], 502)
    rig.normal.always({ status: 400, body: { error: { message: 'no' } } })
    assert.equal((await rig.ask())[0], 400)
    assert.equal(rig.glass.count(), 0)
  })

  test('an outage opens it, for streams too; then nobody waits for the dead backend', async () => {
    await using rig = await start({ on: ['outage'], max_usd: 1, notify: false })
    rig.fail(500)
    for (let call = 0; call < 6; call++) {
      const told = await rig.gateway.ask('/v1/chat/completions', {
        body: { model: 'm', messages: words, max_tokens: 5, stream: true },
      })
      assert.equal(told.status, 200, told.text)
    }
    assert.deepEqual([rig.glass.count(), rig.normal.count(), rig.told()], [6, 3, 0])
    assert.deepEqual(await rig.alerts(), [])
    rig.fail(402)
    assert.equal(rig.glass.count(), 6)
  })

  test('a client that wants no other backend, or names one itself, is left alone', async () => {
    await using rig = await start({ max_usd: 1 })
    rig.fail(500)
    assert.equal((await rig.ask({ provider: { allow_fallbacks: false } }))[0], 502)
    assert.equal((await rig.ask({ model: 'openai:m' }))[0], 502)
    assert.equal(rig.glass.count(), 0)
    assert.equal((await rig.ask({ model: 'kept:m' }))[0], 200)
  })

  test('many at once spend little more than the amount', async () => {
    await using rig = await start({ max_usd: 0.01 })
    rig.fail(402)
    const answers = await Promise.all(Array.from({ length: 30 }, () => rig.ask()))
    const served = answers.filter(([status]) => status === 200).length
    // What is under way counts with the most that it can cost.
    assert.ok(served >= 1 && served <= 4, String(served))
    assert.equal(rig.glass.count(), served)
    assert.equal(rig.told(), 1)
  })

  test('a rule of a group is for all of its models, and one that names nobody is refused at the start', async () => {
    const plain = { id: 'm', context_window: 100_000, max_output: 10, price: PRICE }
    const groups = { default: { break_glass: [{ use: 'kept', max_usd: '1' }] } }
    await using rig = await start({ max_usd: 1 }, { models: [plain], groups })
    rig.fail(402)
    assert.deepEqual(await rig.ask(), [200, undefined])
    assert.equal(rig.glass.count(), 1)
  })

  test('a rule of a key is for that key alone, and only the operator gives it', async () => {
    const plain = { id: 'm', context_window: 100_000, max_output: 10, price: PRICE }
    await using rig = await start({ max_usd: 1 }, { models: [plain], routes: [{ model: 'm', backend: 'openai' }] })
    const rules = [{ use: 'kept', max_usd: '0.005', on: 402 }]
    const { key, hash } = await rig.gateway.fund({ newKey: { break_glass: rules } })
    const shown = (await rig.gateway.admin('GET', `/api/v1/keys/${hash}`)).data
    assert.deepEqual(shown.break_glass, [{ on: ['402'], max_usd: '0.005', period: 'monthly' }])
    rig.fail(402)
    const ask = async (own: string) => {
      const body = { model: 'm', messages: words, max_tokens: 5 }
      return (await rig.gateway.ask('/v1/chat/completions', { key: own, body })).status
    }
    assert.equal(await ask(rig.gateway.key), 502)
    assert.deepEqual([await ask(key), await ask(key), await ask(key)], [200, 200, 402])
    await rig.gateway.admin('PATCH', `/api/v1/keys/${hash}`, { break_glass: null })
    assert.equal(await ask(key), 502)
    await assert.rejects(rig.gateway.fund({ newKey: { break_glass: [{ use: 'no', max_usd: 1 }] } }), /: 400/)
    const many = Array.from({ length: BREAK_GLASS_MAX + 1 }, () => rules[0])
    await rig.gateway.fund({ newKey: { break_glass: many.slice(1) } })
    await assert.rejects(rig.gateway.fund({ newKey: { break_glass: many } }), /: 400/)
    const manager = await rig.gateway.fund({ newKey: { kind: 'management' } })
    const body = { name: 'x', break_glass: rules }
    assert.equal((await rig.gateway.ask('/api/v1/keys', { key: manager.key, body })).status, 403)
  })
})
