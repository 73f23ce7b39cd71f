/** M12: a catalog that changes while requests run. What is broken is refused as a whole and told; nobody is ever served for nothing, and a request pays the price of its admission. */
import assert from 'node:assert/strict'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { formatUsd, parseUsd } from '#base/money.ts'
import { configFor, ENVIRONMENT, type Json, MODELS } from '#test/e2e/gateway.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { eventually, Gateway } from './gateway.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const RELOADS = FULL ? 1000 : 100
/** Every so many-th is broken. */
const BROKEN_EVERY = 10
const CLIENTS = 8
const WAIT_MS = 5000
const PATH = '/v1/chat/completions'
const body = (model: string, rest: object = {}) => ({
  model,
  max_tokens: 20,
  messages: [{ role: 'user', content: 'hi' }],
  ...rest,
})
/** The upstream sells 10 tokens of prompt and 5 of answer. */
const costAt = (price: number): string => formatUsd(BigInt(Math.round(price * 1000)) * 15n)
const PRICE = 3

let upstream: Upstream
let gateway: Gateway
let file: string
let config: Record<string, Json>

before(async () => {
  upstream = await startUpstream()
  config = { ...configFor(upstream.url), logging: { level: 'warn' } }
  gateway = await Gateway.start({ config: priced(PRICE), env: ENVIRONMENT })
  file = join(gateway.folder, 'config.yaml')
})
after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

/** The configuration with one price for the chat model, and whatever else. */
function priced(price: unknown, models: readonly Json[] = [], routes: readonly Json[] = []): Json {
  const [first, ...rest] = config['models']
  const one = { ...first, price: typeof price === 'number' ? { input: price, output: price } : price }
  return { ...config, models: [one, ...rest, ...models], routes: [...config['routes'], ...routes] }
}

function write(text: string): void {
  // As editors do it: a half-written file is never seen.
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
  process.kill(gateway.pid, 'SIGHUP')
}

const call = (key: string, ask: object, path = PATH): Promise<Response> =>
  fetch(`${gateway.baseUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(ask),
  })

const priceNow = async (): Promise<number> => {
  const { data }: Json = await (await fetch(`${gateway.baseUrl}/catalog/models`)).json()
  return Number(data.find(({ id }: Json) => id === MODELS.chat.id).pricing_profile.input)
}

/** Writes a configuration that is good, and waits until it is in force. */
async function reload(price: number, models: readonly Json[] = [], routes: readonly Json[] = []): Promise<void> {
  write(JSON.stringify(priced(price, models, routes)))
  await eventually(`the price is ${price}`, WAIT_MS, async () => (await priceNow()) === price || undefined)
}

/** The line of the log that told last of a configuration that was refused. Of the log only its end is kept. */
const lastAlarm = (): string | undefined =>
  gateway.log.split('\n').findLast((line) => line.includes('the old one stays'))

/** Writes one that is broken, and waits until the operator is told. */
async function reloadBroken(text: string): Promise<void> {
  const before = lastAlarm()
  write(text)
  await eventually('the operator is told', WAIT_MS, async () => lastAlarm() !== before || undefined)
}

const chargeOf = async (response: Response): Promise<Json> => {
  await response.text()
  return gateway.admin<Json>('GET', `/api/logs/${response.headers.get('x-request-id')}`)
}

suite('M12: the catalog', () => {
  const broken: Record<string, () => string> = {
    'is no JSON': () => `${JSON.stringify(priced(PRICE)).slice(0, -2)}`,
    'is empty': () => '',
    'has a price that is no number': () => JSON.stringify(priced({ input: 'dear', output: 1 })),
    'has a price without its output': () => JSON.stringify(priced({ input: 1 })),
    'has a price below zero': () => JSON.stringify(priced({ input: -1, output: 1 })),
    'has a price of 1e400': () => JSON.stringify(priced(PRICE)).replace('"price":{"input":3', '"price":{"input":1e400'),
    'has a route to nowhere': () => JSON.stringify(priced(PRICE, [], [{ model: 'nosuch', backend: 'openai' }])),
  }
  for (const [what, text] of Object.entries(broken)) {
    test(`M12: one that ${what} is refused whole: the last good one serves, and the operator is told`, async () => {
      const { key, accountId } = await gateway.fund(`broken-${what}@fault.test`.replaceAll(' ', '-'), '1')
      await reloadBroken(text())
      const row = await chargeOf(await call(key, body(MODELS.chat.id)))
      assert.deepEqual([row.status, row.charged_cost], ['ok', costAt(PRICE)], row.error_message)
      assert.equal((await gateway.settledBooks(accountId)).balance, 1_000_000_000n - parseUsd(costAt(PRICE))!)
    })
  }

  test('M12: a model without a price is refused to who pays, before any call, and costs nobody nothing', async () => {
    const model = { id: 'unpriced-test', vendor: 'openai', context_window: 1000, max_output: 100 }
    await reload(PRICE + 1, [model], [{ model: model.id, backend: 'openai' }])
    for (const mode of ['prepaid', 'postpaid']) {
      const { key, accountId } = await gateway.fund(`unpriced-${mode}@fault.test`, '1', mode)
      const calls = upstream.count()
      for (const ask of [body(model.id), body(model.id, { stream: true })]) {
        const response = await call(key, ask)
        const told: Json = await response.json()
        assert.deepEqual([response.status, told.error.code], [403, 'model_unpriced'])
      }
      assert.equal(upstream.count(), calls)
      assert.equal((await gateway.settledBooks(accountId)).usage.length, 0)
    }
    await reload(PRICE)
  })

  test('M12: a price that is a thousand times as high is paid by the next request, and not by the one that runs', async () => {
    const { key, accountId } = await gateway.fund('thousand@fault.test', '1')
    const gate = Promise.withResolvers<void>()
    const received = upstream.count()
    upstream.script({ waitFor: gate.promise }, { waitFor: gate.promise })
    const running = [call(key, body(MODELS.chat.id)), call(key, body(MODELS.chat.id, { stream: true }))]
    await upstream.whenReceived(received + 2)
    await reload(PRICE * 1000)
    // 15 tokens at 3,000 USD a million are 0.045; the bound of the request is above what is left.
    const next = await call(key, body(MODELS.chat.id))
    gate.resolve()
    for (const row of await Promise.all((await Promise.all(running)).map(chargeOf)))
      assert.equal(row.charged_cost, costAt(PRICE))
    const row = await chargeOf(next)
    assert.equal(row.charged_cost, costAt(PRICE * 1000))
    const { balance, held } = await gateway.settledBooks(accountId)
    assert.equal(balance, 1_000_000_000n - 2n * parseUsd(costAt(PRICE))! - parseUsd(costAt(PRICE * 1000))!)
    assert.equal(held, 0n)
    await reload(PRICE)
  })

  test('M12: a new model is there at once for a key that may use every model, and not for one that may use some', async () => {
    const { key, accountId } = await gateway.fund('wildcard@fault.test', '1')
    const made = await gateway.admin<Json>('POST', '/api/v1/keys', {
      name: 'some',
      account_id: accountId,
      model_whitelist: [MODELS.chat.id],
    })
    const model = { ...config['models'][0], id: 'brand-new' }
    assert.equal((await call(key, body('brand-new'))).status, 404)
    await reload(PRICE + 2, [model], [{ model: 'brand-new', backend: 'openai' }])
    assert.equal((await call(key, body('brand-new'))).status, 200)
    assert.equal((await call(made.key, body('brand-new'))).status, 403)
    const { data }: Json = await (
      await fetch(`${gateway.baseUrl}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    ).json()
    assert.ok(data.some(({ id }: Json) => id === 'brand-new'))
    await reload(PRICE)
  })

  test(`M12: ${RELOADS} reloads under load, each ${BROKEN_EVERY}th broken: no request fails, and each pays one price to the end`, async (t) => {
    const { key, accountId } = await gateway.fund('load@fault.test', '1000')
    const prices = [PRICE, PRICE * 2]
    const over = new AbortController()
    const failures: string[] = []
    let count = 0
    const client = async (at: number): Promise<void> => {
      while (!over.signal.aborted) {
        const response = await call(key, body(MODELS.chat.id, at % 2 ? { stream: true } : {}))
        const text = await response.text()
        count++
        if (response.status !== 200 || (at % 2 && !text.includes('[DONE]'))) failures.push(text.slice(0, 300))
      }
    }
    const clients = Array.from({ length: CLIENTS }, (_, at) => client(at))
    for (let at = 1; at <= RELOADS; at++) {
      if (at % BROKEN_EVERY === 0) await reloadBroken('{"models": [')
      else await reload(prices[at % 2]!)
    }
    over.abort()
    await Promise.all(clients)
    assert.deepEqual(failures, [])
    t.diagnostic(`${count} requests`)
    assert.ok(count > RELOADS / 2)
    const { balance, usage } = await gateway.settledBooks(accountId)
    assert.equal(usage.length, count)
    const paid = Map.groupBy(usage, ({ amount }) => amount)
    assert.deepEqual(new Set(paid.keys()), new Set(prices.map((price) => `-${costAt(price)}`)))
    let sum = 0n
    for (const { amount } of usage) sum += parseUsd(amount)!
    assert.equal(balance, 1_000_000_000_000n + sum)
  })
})
