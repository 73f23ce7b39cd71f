/** R93: what the vendor asks, what the operator pays and what the account pays, side by side. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { configFor, eventsOf, type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

const CHEAP = 'cheap-test'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({
    config: (url) => {
      const { models, routes, backends } = configFor(url)
      const price = { input: 1, output: 2 }
      return {
        groups: { default: { charge_factor: '0.9' } },
        models: [
          ...models.filter(({ id }: Json) => id !== MODELS.chat.id),
          { id: MODELS.chat.id, vendor: 'openai', context_window: 9_000_000, max_output: 100, price },
          { id: CHEAP, vendor: 'openai', context_window: 9_000, max_output: 100, price, strategy: 'lowest_price' },
        ],
        routes: [
          ...routes,
          { model: CHEAP, backend: 'full', upstream_model: 'cheap-at-full' },
          // The same list price, and less for the operator: marked up by a tenth besides the group's factor.
          { model: CHEAP, backend: 'openai', upstream_model: 'cheap-at-openai', factor: 1.1 },
        ],
        backends: {
          openai: { ...backends.openai, cost_factor: 0.8 },
          full: { type: 'openai-compatible', api_url: `${url}/v1` },
          openrouter: { type: 'openrouter', api_url: `${url}/v1`, api_key: 'sk-or-test', protocols: ['openai-chat'] },
        },
      }
    },
  })
})
after(() => gateway.close())

const nano = (amount: string | number): bigint => parseUsd(typeof amount === 'number' ? amount.toFixed(9) : amount)!
const usage = { prompt_tokens: 1_000_000, completion_tokens: 0, total_tokens: 1_000_000 }
const choice = { index: 0, finish_reason: 'stop' }
const head = { id: 'chatcmpl-1', created: 1, model: 'm' }
const said = [{ role: 'user', content: 'Hello' }]

const frame = (data: object): string =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...data })}\n\n`

/** A million tokens in: 1.00 at list price. */
function sellMillion(): void {
  gateway.upstream.script(({ fields }) =>
    fields['stream'] === true
      ? {
          frames: [
            frame({ choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: null }] }),
            frame({ choices: [{ ...choice, delta: {} }] }),
            frame({ choices: [], usage }),
            'data: [DONE]\n\n',
          ],
        }
      : {
          body: JSON.stringify({
            ...head,
            object: 'chat.completion',
            choices: [{ ...choice, message: { role: 'assistant', content: 'Hi' } }],
            usage,
          }),
          headers: { 'content-type': 'application/json' },
        },
  )
}

async function assertAmounts(told: Told, accountId: string, amounts: readonly [string, string, string]): Promise<void> {
  assert.equal(told.status, 200, told.text)
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.deepEqual([row.list_cost, row.metered_cost, row.charged_cost], amounts)
  const [entry] = await gateway.ledger(accountId)
  assert.equal(entry.amount, amounts[2] === '0' ? '0' : `-${amounts[2]}`)
}

for (const stream of [false, true]) {
  test(`R93: cost factor 0.8 and charge factor 0.9 of a list price of 1.00, ${stream ? 'streamed' : 'whole'}`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '20' })
    sellMillion()
    const body = {
      model: MODELS.chat.id,
      messages: said,
      max_tokens: 10,
      stream,
      stream_options: { include_usage: true },
    }
    const told = await gateway.ask('/v1/chat/completions', { key, body })
    await assertAmounts(told, accountId, ['1', '0.8', '0.9'])
    const cost = stream ? eventsOf(told.text).find((event) => event.usage)!.usage.cost : told.json.usage.cost
    assert.equal(nano(cost), 900_000_000n)
    const { json } = await gateway.ask(`/api/v1/generation?id=${told.headers.get('x-request-id')}`, { key })
    assert.deepEqual([json.data.total_cost, json.data.upstream_inference_cost], [0.9, 0.8])
    assert.equal((await gateway.account(accountId)).balance, '19.1')
  })
}

test('R93: a name with its backend pays the same factors', async () => {
  const { key, accountId } = await gateway.fund({ credit: '20' })
  sellMillion()
  const told = await gateway.ask('/v1/chat/completions', {
    key,
    body: { model: `openai:${MODELS.chat.upstream}`, messages: said, max_tokens: 10 },
  })
  await assertAmounts(told, accountId, ['1', '0.8', '0.9'])
})

test('R93: the cheapest route is the one where the operator pays least, and a route’s factor stands upon its group’s', async () => {
  const { key, accountId } = await gateway.fund({ credit: '20' })
  sellMillion()
  const body = { model: CHEAP, messages: said, max_tokens: 10 }
  const told = await gateway.ask('/v1/chat/completions', { key, body })
  assert.equal(gateway.upstream.received.at(-1)!.fields['model'], 'cheap-at-openai')
  await assertAmounts(told, accountId, ['1', '0.8', '0.99'])
})

/** What an account has agreed upon. */
const agree = (accountId: string, charge_factor: string): Promise<Json> =>
  gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { charge_factor })

for (const stream of [false, true]) {
  test(`R93: the factor of an account stands upon those of group and route from the next request on, and its receipt says so, ${stream ? 'streamed' : 'whole'}`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '20' })
    const other = await gateway.fund({ credit: '20' })
    const ask = (model: string, from = key) => {
      sellMillion()
      return gateway.ask('/v1/chat/completions', {
        key: from,
        body: { model, messages: said, max_tokens: 10, stream, stream_options: { include_usage: true } },
      })
    }
    await assertAmounts(await ask(MODELS.chat.id), accountId, ['1', '0.8', '0.9'])
    assert.equal((await agree(accountId, '0.850001')).charge_factor, '0.850001')
    const told = await ask(MODELS.chat.id)
    await assertAmounts(told, accountId, ['1', '0.8', '0.7650009'])
    const cost = stream ? eventsOf(told.text).find((event) => event.usage)!.usage.cost : told.json.usage.cost
    assert.equal(nano(cost), 765_000_900n)
    await assertAmounts(await ask(CHEAP), accountId, ['1', '0.8', '0.84150099'])
    await assertAmounts(await ask(MODELS.chat.id, other.key), other.accountId, ['1', '0.8', '0.9'])
    const { json } = await gateway.ask(`/api/v1/generation?id=${told.headers.get('x-request-id')}`, { key })
    const { factors, explanation, list_cost: list, charged_cost: charged, ledger_entry: entry } = json.data.receipt
    assert.deepEqual(factors, { metered: '0.8', charged: '0.9', account: '0.850001' })
    assert.deepEqual([explanation, list, charged, entry.amount], ['exact', '1', '0.7650009', '-0.7650009'])
    assert.equal((await gateway.admin('GET', '/api/admin/receipts/verify')).problem_count ?? 0, 0)
    await agree(accountId, '0')
    await assertAmounts(await ask(MODELS.chat.id), accountId, ['1', '0.8', '0'])
    await agree(accountId, '1')
    await assertAmounts(await ask(MODELS.chat.id), accountId, ['1', '0.8', '0.9'])
  })
}

test('R93: the factor of an account is an exact decimal that only the operator sets', async () => {
  const { key, accountId } = await gateway.fund()
  const made = await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  const path = `/api/admin/accounts/${accountId}`
  for (const presented of [key, made.key]) {
    const told = await gateway.ask(path, { method: 'PATCH', key: presented, body: { charge_factor: '0' } })
    assert.equal(told.status, 403)
  }
  for (const bad of ['-1', '1.0000001', '1000', 'x', '', null, '1e-9']) {
    const told = await gateway.ask(path, { method: 'PATCH', key: gateway.masterKey, body: { charge_factor: bad } })
    assert.equal(told.status, 400, String(bad))
  }
  assert.equal((await gateway.account(accountId)).charge_factor, '1')
  assert.equal((await agree(accountId, '999.999999')).charge_factor, '999.999999')
})

for (const [path, body] of [
  ['/v1/chat/completions', { messages: said }],
  ['/v1/responses', { input: 'Hello' }],
] as const) {
  test(`R27, R93: a cost that the upstream reports is charged with the factors of group and account at ${path}`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '20' })
    await agree(accountId, '0.5')
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost: 0.1 }
    gateway.upstream.script({
      body: {
        ...head,
        object: 'chat.completion',
        choices: [{ ...choice, message: { role: 'assistant', content: 'Hi' } }],
        usage,
      },
    })
    const told = await gateway.ask(path, { key, body: { model: 'openrouter:acme/unheard-of', ...body } })
    await assertAmounts(told, accountId, ['0.1', '0.1', '0.045'])
    assert.equal(nano(told.json.usage.cost), 45_000_000n)
    assert.equal(told.headers.get('x-gateway-cost'), '0.045')
    const { json } = await gateway.ask(`/api/v1/generation?id=${told.headers.get('x-request-id')}`, { key })
    assert.equal(json.data.receipt.explanation, 'reported')
  })
}

test('R93: a hold is made with the factor of the account', async () => {
  const body = JSON.stringify({ model: MODELS.chat.id, messages: said, max_tokens: 1000 })
  const bound = ((BigInt(body.length) * 1_000_000n + 1000n * 2_000_000n) * 9n * 5n) / 100n / 1000n
  const statusWith = async (credit: bigint): Promise<number> => {
    const { key, accountId } = await gateway.fund({ credit: `0.00${credit.toString().padStart(7, '0')}` })
    await agree(accountId, '0.5')
    return (await gateway.ask('/v1/chat/completions', { key, body, headers: JSON_TYPE })).status
  }
  assert.equal(await statusWith(bound), 200)
  assert.equal(await statusWith(bound - 1n), 402)
})

test('R93: the hold is made of what the account pays', async () => {
  // The bound is some 400 bytes of prompt and 100 tokens of output, at 0.9 of the list price.
  const body = JSON.stringify({ model: MODELS.chat.id, messages: said, max_tokens: 1000 })
  const bound = ((BigInt(body.length) * 1_000_000n + 1000n * 2_000_000n) * 9n) / 10n / 1000n
  const exact = await gateway.fund({ credit: `0.00${bound.toString().padStart(7, '0')}` })
  assert.equal((await gateway.ask('/v1/chat/completions', { key: exact.key, body, headers: JSON_TYPE })).status, 200)
  const short = await gateway.fund({ credit: `0.00${(bound - 1n).toString().padStart(7, '0')}` })
  assert.equal((await gateway.ask('/v1/chat/completions', { key: short.key, body, headers: JSON_TYPE })).status, 402)
})

const JSON_TYPE = { 'content-type': 'application/json' }

test('R93: the catalog shows the charged price, the list price beside it and the saving', async () => {
  const { json } = await gateway.ask('/catalog/models', { key: null })
  const { pricing_profile: profile } = json.data.find(({ id }: Json) => id === MODELS.chat.id)
  assert.deepEqual([profile.input, profile.output], ['0.9', '1.8'])
  assert.deepEqual([profile.list.input, profile.list.output, profile.saving_percent], ['1', '2', '10'])
})
