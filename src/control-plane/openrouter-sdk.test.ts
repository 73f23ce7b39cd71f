import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import { NotFoundResponseError } from '@openrouter/sdk/models/errors'
import type { ApiKey } from '#accounts/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'

/**
 * Every method of OpenRouter's own SDK about keys, credits, generations, activity, models and endpoints: what it reads means what
 * the ledger and the rows say (openrouter-api.md sections 3, 6 and 7). The SDK refuses an answer that lacks a required key.
 */

const DAY_MS = 86_400_000
/** Noon, so that a day of the test is a day everywhere. */
const NOW_MS = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
const CREDIT_NANO = 50_000_000_000n

/** What its schema requires of each object, as openrouter-api.md section 3 lists it. */
const REQUIRED = {
  generation: `id upstream_id total_cost cache_discount upstream_inference_cost created_at model app_id streamed cancelled
    provider_name latency moderation_latency generation_time finish_reason service_tier tokens_prompt tokens_completion
    native_tokens_prompt native_tokens_completion native_tokens_completion_images native_tokens_reasoning native_tokens_cached
    num_media_prompt num_input_audio_prompt num_media_completion num_search_results num_fetches web_search_engine origin usage
    is_byok native_finish_reason external_user api_type preset_id router provider_responses user_agent http_referer data_region
    workspace_id receipt warnings`,
  key: `hash label name disabled limit limit_remaining limit_reset include_byok_in_limit usage usage_daily usage_weekly
    usage_monthly byok_usage byok_usage_daily byok_usage_weekly byok_usage_monthly created_at updated_at creator_user_id
    workspace_id`,
  current: `label limit limit_remaining limit_reset usage usage_daily usage_weekly usage_monthly byok_usage byok_usage_daily
    byok_usage_weekly byok_usage_monthly include_byok_in_limit is_free_tier is_management_key is_provisioning_key
    creator_user_id rate_limit free_model_daily_requests`,
  activity: `date model model_permaslug endpoint_id provider_name usage byok_usage_inference requests prompt_tokens
    completion_tokens reasoning_tokens`,
  model: `id canonical_slug name created pricing context_length architecture top_provider per_request_limits
    supported_parameters default_parameters supported_voices links`,
  endpoint: `name model_id model_name context_length pricing provider_name tag quantization max_completion_tokens
    max_prompt_tokens supported_parameters uptime_last_5m uptime_last_30m uptime_last_1d latency_last_30m
    throughput_last_30m supports_implicit_caching`,
} as const

describe("OpenRouter's SDK and the books", () => {
  let bed: Testbed
  let root: string
  let accountId: string
  let user: { key: ApiKey; plaintext: string }
  let manager: string
  let booked = 0
  before(async () => {
    bed = await startTestbed({ now: () => NOW_MS })
    root = `${await bed.app.listen({ host: '127.0.0.1', port: 0 })}/api/v1`
    const account = { email: 'books@example.com', mode: 'prepaid', creditNano: CREDIT_NANO, actor: 'test' } as const
    accountId = (await bed.accounts.create(account)).id
    user = await bed.keys.create({ name: 'user', accountId, limitNano: 20_000_000_000n, limitReset: 'monthly' })
    manager = (await bed.keys.create({ name: 'm', accountId, kind: 'management' })).plaintext
  })
  after(() => bed.close())

  const client = (apiKey = manager): OpenRouter => new OpenRouter({ apiKey, serverURL: root })
  const raw = async (path: string, key = manager) => (await bed.ask('GET', `/api/v1${path}`, { key })).json.data
  const has = (object: object, names: string): void => {
    for (const name of names.split(/\s+/)) assert.ok(name in object, name)
  }
  /** Books a request as the data plane does: a hold, a debit, a row. */
  const book = async (costNano: bigint, change: Partial<RequestRow> = {}): Promise<RequestRow> => {
    const requestId = `req_books_${++booked}`
    const keyId = user.key.id
    await bed.ledger.reserve({ requestId, accountId, keyId, wantNano: costNano, floorNano: costNano })
    const own = { account_id: accountId, key_id: keyId, charged_cost_nano: costNano, list_cost_nano: costNano }
    const row = requestRow({
      request_id: requestId,
      ts_start_ms: NOW_MS,
      ...own,
      metered_cost_nano: costNano,
      ...change,
    })
    await bed.ledger.settle({ requestId, costNano, row })
    return row
  }
  /** Nano-USD of the ledger's debits. */
  const debits = async (): Promise<bigint> => {
    const { data } = await bed.accounts.entries({ accountId, limit: 1000 })
    return -data.filter(({ type }) => type === 'usage').reduce((sum, { amountNano }) => sum + amountNano, 0n)
  }
  const nano = (usd: number): bigint => BigInt(Math.round(usd * 1e9))

  test('generations: by request id and by response id, every figure is the row’s', async () => {
    const row = await book(1_234_567_891n, {
      stream: true,
      app_referer: 'https://app.example',
      user_agent: 'cli/1',
      protocol: 'anthropic-messages',
      finish_reason: 'end_turn',
    })
    has(await raw(`/generation?id=${row.request_id}`), REQUIRED.generation)
    for (const id of [row.request_id, row.response_id!]) {
      const { data } = await client(user.plaintext).generations.getGeneration({ id })
      assert.equal(data.id, row.response_id)
      assert.deepEqual([nano(data.totalCost), nano(data.usage)], [1_234_567_891n, 1_234_567_891n])
      assert.equal(nano(data.upstreamInferenceCost!), row.metered_cost_nano)
      assert.deepEqual([data.tokensPrompt, data.tokensCompletion], [15, 20])
      assert.deepEqual([data.nativeTokensCached, data.nativeTokensReasoning], [5, 3])
      assert.deepEqual([data.streamed, data.cancelled, data.isByok], [true, false, false])
      assert.deepEqual([data.latency, data.generationTime, data.finishReason], [1000, 800, 'end_turn'])
      assert.deepEqual([data.apiType, data.model, data.httpReferer], ['messages', 'gpt-4o', 'https://app.example'])
      assert.deepEqual([data.userAgent, Date.parse(String(data.createdAt))], ['cli/1', NOW_MS])
    }
    const other = await bed.accounts.create({ email: 'stranger@example.com', mode: 'prepaid', actor: 'test' })
    const stranger = (await bed.keys.create({ name: 's', accountId: other.id })).plaintext
    for (const [id, key] of [
      [row.request_id, stranger],
      ['req_nothing', manager],
    ] as const)
      await assert.rejects(client(key).generations.getGeneration({ id }), NotFoundResponseError)
  })

  test('credits: all that was paid in and all that was spent, as the ledger has it', async () => {
    await book(7_000_001n)
    for (const key of [manager, user.plaintext]) {
      const { data } = await client(key).credits.getCredits()
      assert.deepEqual([nano(data.totalCredits), nano(data.totalUsage)], [CREDIT_NANO, await debits()])
    }
    const balanceNano = (await bed.accounts.get(accountId))!.balanceNano
    const { data } = await client().credits.getCredits()
    assert.equal(nano(data.totalCredits) - nano(data.totalUsage), balanceNano)
  })

  test('keys: listed, read, made, changed, deleted; what a key has used is the ledger’s', async () => {
    await book(3_000_000n)
    const spent = await debits()
    const { apiKeys } = client()
    const { data } = await apiKeys.list()
    has((await raw('/keys'))[0], REQUIRED.key)
    const own = data.find(({ hash }) => hash === user.key.hash)!
    assert.deepEqual([nano(own.usage), nano(own.usageMonthly), nano(own.usageDaily)], [spent, spent, spent])
    assert.deepEqual([own.limit, own.limitReset, own.disabled], [20, 'monthly', false])
    assert.equal(nano(own.limitRemaining!), 20_000_000_000n - spent)
    const expiresAt = new Date(NOW_MS + DAY_MS)
    const made = await apiKeys.create({ requestBody: { name: 'made', limit: 0.5, limitReset: 'weekly', expiresAt } })
    assert.match(made.key, /^sk-tv-/)
    assert.deepEqual([made.data.limit, made.data.limitRemaining, made.data.usage], [0.5, 0.5, 0])
    const read = await apiKeys.get({ hash: made.data.hash })
    assert.deepEqual([read.data.name, read.data.limitReset], ['made', 'weekly'])
    assert.equal(new Date(String(read.data.expiresAt)).getTime(), expiresAt.getTime())
    const requestBody = { name: 'changed', disabled: true, limit: null, limitReset: null }
    const changed = await apiKeys.update({ hash: made.data.hash, requestBody })
    assert.deepEqual(
      [changed.data.name, changed.data.disabled, changed.data.limit, changed.data.limitRemaining],
      ['changed', true, null, null],
    )
    assert.ok(!(await apiKeys.list()).data.some(({ hash }) => hash === made.data.hash), 'disabled keys are not listed')
    assert.ok((await apiKeys.list({ includeDisabled: true })).data.some(({ hash }) => hash === made.data.hash))
    assert.equal((await apiKeys.delete({ hash: made.data.hash })).deleted, true)
    await assert.rejects(apiKeys.get({ hash: made.data.hash }), NotFoundResponseError)
  })

  test('the current key: its own limit and use, and what is left of today’s free requests', async () => {
    const spent = await debits()
    has(await raw('/key', user.plaintext), REQUIRED.current)
    const { data } = await client(user.plaintext).apiKeys.getCurrentKeyMetadata()
    assert.deepEqual([data.label, data.limit, data.limitReset], [user.key.label, 20, 'monthly'])
    assert.deepEqual([nano(data.usage), nano(data.usageMonthly)], [spent, spent])
    assert.equal(nano(data.limitRemaining!), 20_000_000_000n - spent)
    assert.deepEqual([data.isFreeTier, data.isManagementKey], [false, false])
    const managed = await client().apiKeys.getCurrentKeyMetadata()
    assert.deepEqual([managed.data.isManagementKey, managed.data.limit, managed.data.usage], [true, null, 0])
    const free = await raw('/key', user.plaintext)
    assert.deepEqual(free.free_model_daily_requests, { limit: 50, used: 0, remaining: 50 })
  })

  test('activity: the last thirty completed days by model and endpoint, and neither today nor what is older', async () => {
    const daysAgo = (days: number) => ({
      ts_start_ms: NOW_MS - days * DAY_MS,
      ts_end_ms: NOW_MS - days * DAY_MS + 1000,
    })
    await book(1_000_000n, daysAgo(1))
    await book(2_000_000n, daysAgo(1))
    await book(4_000_000n, { ...daysAgo(1), model_id: 'gpt-4o-mini' })
    await book(8_000_000n, daysAgo(30))
    await book(16_000_000n, daysAgo(31))
    const { data } = await client().analytics.getUserActivity()
    has((await raw('/activity'))[0], REQUIRED.activity)
    const day = (days: number): string => new Date(NOW_MS - days * DAY_MS).toISOString().slice(0, 10)
    const told = data.map((item) => [item.date, item.model, nano(item.usage), item.requests, item.promptTokens])
    assert.deepEqual(told.toSorted(), [
      [day(30), 'gpt-4o', 8_000_000n, 1, 15],
      [day(1), 'gpt-4o', 3_000_000n, 2, 30],
      [day(1), 'gpt-4o-mini', 4_000_000n, 1, 15],
    ])
    assert.deepEqual(
      [data[0]!.completionTokens % 20, data[0]!.reasoningTokens % 3, data[0]!.byokUsageInference],
      [0, 0, 0],
    )
    const one = await client().analytics.getUserActivity({ date: day(30) })
    assert.deepEqual(
      one.data.map(({ date }) => date),
      [day(30)],
    )
    const none = await client().analytics.getUserActivity({
      apiKeyHash: (await bed.keys.create({ name: 'n', accountId })).key.hash,
    })
    assert.deepEqual(none.data, [])
    assert.equal((await bed.ask('GET', `/api/v1/activity?date=${day(0)}`, { key: manager })).status, 400)
    await assert.rejects(client(user.plaintext).analytics.getUserActivity())
  })

  test('models: all, those of a key, one, and their count; prices are the catalog’s', async () => {
    const ids: string[] = []
    for await (const page of await client().models.list({ outputModalities: 'all' } as object))
      ids.push(...page.result.data.map(({ id }) => id))
    const count = await client().models.count({ outputModalities: 'all' } as object)
    assert.equal(count.data.count, ids.length)
    const own: string[] = []
    for await (const page of await client().models.listForUser({ bearer: user.plaintext }))
      own.push(...page.result.data.map(({ id }) => id))
    assert.ok(own.length > 0 && own.every((id) => ids.includes(id)))
    has((await raw('/models'))[0], REQUIRED.model)
    const { data } = await client().models.get({ author: 'openai', slug: 'gpt-4o' })
    assert.match(data.id, /gpt-4o$/)
    // USD per token, against the catalog in USD per million.
    const listed = (await bed.ask('GET', '/catalog/models')).json.data.find(
      (one: { id: string }) => one.id === 'gpt-4o',
    )
    assert.equal(Number(data.pricing.prompt) * 1e6, Number(listed.pricing_profile.input))
    assert.equal(Number(data.pricing.completion) * 1e6, Number(listed.pricing_profile.output))
    assert.equal(data.contextLength, listed.context_window)
    await assert.rejects(client().models.get({ author: 'openai', slug: 'nothing' }), NotFoundResponseError)
    const embeddings: string[] = []
    for await (const page of await client().embeddings.listModels())
      embeddings.push(...page.result.data.map(({ id }) => id))
    assert.ok(embeddings.length > 0 && embeddings.every((id) => id.includes('embed')))
    const { data: providers } = await client().providers.list()
    has(providers[0]!, 'name slug privacyPolicyUrl')
  })

  test('endpoints: one for each backend, with its price and what was measured of it', async () => {
    const { data } = await client().endpoints.list({ author: 'openai', slug: 'gpt-4o' })
    const told = await raw('/models/openai/gpt-4o/endpoints')
    has(told, 'id name created description architecture endpoints')
    has(told.endpoints[0], REQUIRED.endpoint)
    has(told.architecture, 'tokenizer instruct_type')
    assert.equal(data.endpoints.length, told.endpoints.length)
    const [endpoint] = data.endpoints
    const { data: model } = await client().models.get({ author: 'openai', slug: 'gpt-4o' })
    assert.deepEqual(
      [endpoint!.pricing.prompt, endpoint!.pricing.completion],
      [model.pricing.prompt, model.pricing.completion],
    )
    assert.equal(endpoint!.contextLength, model.contextLength)
    await assert.rejects(client().endpoints.list({ author: 'openai', slug: 'nothing' }), NotFoundResponseError)
  })
})
