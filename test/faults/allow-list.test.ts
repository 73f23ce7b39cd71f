import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { configFor, type Json, MODELS, PRICE, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'
import { ALLOWED, type Attempt, attempts, FORBIDDEN, STRINGS } from './allow-list-attempts.ts'

/** Fault S34: a key that may use some models gets no other one to run, whatever it writes. */

/** What upstreams call the models that the key may use. */
const PERMITTED = new Set<string>(Object.values(MODELS).map(({ upstream }) => upstream))

const route = (backend: string, rest: object = {}) => ({
  model: FORBIDDEN,
  backend,
  upstream_model: 'forbidden-upstream',
  ...rest,
})

/** The forbidden model is everywhere: first in chains, as a fallback, as a larger sibling, behind aliases, in two groups. */
function config(url: string, type: string): Record<string, Json> {
  const base = configFor(url)
  const models = base['models'].map((each: Json) => ({
    ...each,
    context_window: 50_000,
    fallbacks: [FORBIDDEN],
    larger: FORBIDDEN,
  }))
  const forbidden = { id: FORBIDDEN, vendor: 'acme', context_window: 1_000_000, max_output: 1000, price: PRICE }
  return {
    models: [...models, { ...forbidden, capabilities: ['streaming', 'tools', 'reasoning'], free: false }],
    routes: [
      ...base['routes'].map((each: Json) => ({ ...each, priority: 5 })),
      // Such a backend may be left to choose among models itself.
      { model: MODELS.chat.id, backend: 'backup', upstream_model: MODELS.chat.upstream },
      route('backup'),
      route('backup', { group: 'gold' }),
      route('openai', { priority: 9 }),
    ],
    groups: { default: { allow_default_backend: true }, gold: { allow_default_backend: true } },
    model_aliases: [
      { pattern: '^nick-(.*)', replacement: '\\1' },
      { pattern: '^swapped$', replacement: 'backup:forbidden-upstream' },
      { pattern: '^chained-(.*)', replacement: `${MODELS.chat.id}|\\1` },
      { pattern: '^hybrid-(.*)', replacement: `hybrid:[\\1,${MODELS.chat.id}]` },
    ],
    failover_routes: { 'named-chain': { policy: 'round-robin', elements: [FORBIDDEN, MODELS.chat.id] } },
    failure_handling: { enabled: true, min_retry_wait: 0.001, max_silent_wait: 0.002 },
    default_backend: 'backup',
    backends: { backup: { type, api_url: `${url}/v1`, api_key: ['k1', 'k2'] } },
  }
}

const ask = (gateway: TestGateway, { path, body, headers = {} }: Attempt, key: string) =>
  gateway.ask(path, { key, body, headers })

/** What the requests since then would run; everything that arrived is looked at as text, too. */
function executed(gateway: TestGateway, since: number): readonly string[] {
  return gateway.upstream.received.slice(since).map(({ path, fields, bytes }) => {
    const inPath = /\/models\/([^:]+):/.exec(path)?.[1]
    const text = `${decodeURIComponent(path)} ${bytes.toString()}`.toLowerCase()
    return text.includes(FORBIDDEN) ? text : String(inPath ?? fields['model'])
  })
}

for (const type of ['openai', 'openai-compatible', 'openrouter']) {
  suite(`fault S34: allow-list, with a backend of type ${type}`, () => {
    test('no attempt runs a model that is not on the list, be the upstreams well or down', async () => {
      await using gateway = await startTestGateway({ config: (url) => config(url, type) })
      const { key } = await gateway.fund({ newKey: { model_whitelist: ALLOWED, groups: ['default', 'gold'] } })
      let reached = 0
      for (const isDown of [false, true]) {
        gateway.upstream.always(isDown ? { status: 503, body: { error: { message: 'down' } } } : undefined)
        for (const attempt of attempts()) {
          const since = gateway.upstream.count()
          const { status, text } = await ask(gateway, attempt, key)
          const ran = executed(gateway, since)
          assert.deepEqual(
            ran.filter((name) => !PERMITTED.has(name)),
            [],
            `${attempt.name}: ${status} ${text}`,
          )
          reached += ran.length
          assert.ok(status !== 500, `${attempt.name}: ${text}`)
        }
      }
      // The test could not fail if nothing were let through, or if the same strings led nowhere without a list.
      assert.ok(reached > 50, String(reached))
      gateway.upstream.always(undefined)
      const since = gateway.upstream.count()
      for (const model of STRINGS)
        await ask(gateway, { path: '/v1/chat/completions', body: { model, messages: [] } }, gateway.key)
      assert.ok(executed(gateway, since).filter((name) => !PERMITTED.has(name)).length > 20)
    })
  })
}
