import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { PROGRAM } from '#test/faults/gateway.ts'
import { eventsOf, type Json, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** Checks of the requirements on model names that take a whole gateway or its program (R25, R26, R37-R39, R43). */

const messages = [{ role: 'user' as const, content: 'hi' }]
const chat = (gateway: TestGateway, id: string): Promise<Told> =>
  gateway.ask('/v1/chat/completions', { body: { model: id, messages } })

test('R25: with the vendors’ keys alone their ids are in the list', async () => {
  await using gateway = await startTestGateway({
    config: { models: [] as Json, routes: [] as Json, backends: {} },
  })
  const { json } = await gateway.ask('/v1/models')
  const listed = new Set(json.data.map(({ id }: Json) => id))
  const openai = ['gpt-5', 'gpt-5-mini', 'o3', 'text-embedding-3-large']
  const others = ['claude-opus-4-7', 'claude-sonnet-4-7', 'gemini-3-flash-preview', 'gemini-2.5-pro']
  for (const id of [...openai, ...others]) assert.ok(listed.has(id), id)
})

suite('R26: three models on four surfaces', () => {
  const IDS = ['gpt-5', 'claude-opus-4-7', 'gemini-2.5-pro']
  let gateway: TestGateway
  before(async () => {
    gateway = await startTestGateway({
      config: {
        models: [
          { id: 'gpt-5', vendor: 'openai', context_window: 100_000, price: PRICE },
          { id: 'claude-opus-4-7', vendor: 'anthropic', context_window: 100_000, price: PRICE },
          { id: 'gemini-2.5-pro', vendor: 'google', context_window: 100_000, price: PRICE },
        ] as Json,
        routes: [
          { model: 'gpt-5', backend: 'openai' },
          { model: 'claude-opus-4-7', backend: 'anthropic' },
          { model: 'gemini-2.5-pro', backend: 'gemini' },
        ] as Json,
      },
    })
  })
  after(() => gateway.close())

  const contents = [{ role: 'user', parts: [{ text: 'hi' }] }]
  /** The path, the body, where the whole answer has its shape and its usage, and what its stream ends with. */
  const SURFACES: Readonly<
    Record<
      string,
      readonly [(id: string, stream: boolean) => string, (id: string) => object, (json: Json) => unknown, RegExp]
    >
  > = {
    chat: [
      () => '/v1/chat/completions',
      (id) => ({ model: id, messages, stream_options: undefined }),
      (json) => json.object === 'chat.completion' && json.usage.total_tokens,
      /"finish_reason":"stop"[^]*data: \[DONE\]/,
    ],
    responses: [
      () => '/v1/responses',
      (id) => ({ model: id, input: 'hi' }),
      (json) => json.object === 'response' && json.usage.total_tokens,
      /event: response\.completed/,
    ],
    messages: [
      () => '/v1/messages',
      (id) => ({ model: id, max_tokens: 50, messages }),
      (json) => json.type === 'message' && json.usage.output_tokens,
      /event: message_stop/,
    ],
    gemini: [
      (id, stream) => `/v1beta/models/${id}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      () => ({ contents }),
      (json) => json.candidates.length === 1 && json.usageMetadata.totalTokenCount,
      /"finishReason":"STOP"/,
    ],
  }
  for (const [surface, [path, body, shape, end]] of Object.entries(SURFACES)) {
    test(`R26: ${surface}, whole and streamed`, async () => {
      for (const id of IDS) {
        const whole = await gateway.ask(path(id, false), { body: body(id) })
        assert.equal(whole.status, 200, whole.text)
        assert.ok(Number(shape(whole.json)) > 0, `${id}: ${whole.text}`)
        assert.match(whole.headers.get('x-gateway-adapter')!, /^(passthrough|[a-z-]+->[a-z-]+)$/)
        const rest = surface === 'gemini' ? {} : { stream: true }
        const streamed = await gateway.ask(path(id, true), { body: { ...body(id), ...rest } })
        assert.equal(streamed.status, 200, streamed.text)
        assert.ok(eventsOf(streamed.text).length > 0)
        assert.match(streamed.text, end, `${id} at ${surface}`)
        const row = await gateway.log(streamed.headers.get('x-request-id')!)
        assert.ok(row.tokens.output > 0, `${id} at ${surface}`)
      }
    })
  }

  test('R26: Anthropic’s SDK with gpt-5', async () => {
    const client = new Anthropic({ apiKey: gateway.key, baseURL: gateway.url })
    const answer = await client.messages.create({ model: 'gpt-5', max_tokens: 50, messages })
    assert.deepEqual([answer.type, answer.model, answer.content[0]!.type], ['message', 'gpt-5', 'text'])
    assert.ok(answer.usage.output_tokens > 0)
  })
})

suite('R38: where aliases come from', () => {
  const ALIAS = '^gpt-(.*)=openrouter:openai/gpt-\\1'
  const start = (options: object) =>
    startTestGateway({
      config: (url) => ({
        billing: { mode: 'off' },
        model_aliases: [{ pattern: '^gpt-4o$', replacement: 'openai:from-file' }] as Json,
        backends: { openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' } },
      }),
      ...options,
    })
  const sent = async (gateway: TestGateway, id: string): Promise<unknown> => {
    const told = await chat(gateway, id)
    assert.equal(told.status, 200, told.text)
    return gateway.upstream.received.at(-1)!.fields['model']
  }

  test('R38: the flag replaces the variable, that the file; a variable that is no JSON leaves none', async () => {
    await using file = await start({})
    assert.equal(await sent(file, 'gpt-4o'), 'from-file')
    const fromEnv = JSON.stringify([{ pattern: '^gpt-(.*)$', replacement: 'openai:env-\\1' }])
    await using variable = await start({ env: { MODEL_ALIASES: fromEnv } })
    assert.equal(await sent(variable, 'gpt-4o'), 'env-4o')
    await using flag = await start({ env: { MODEL_ALIASES: fromEnv }, flags: { 'model-alias': [ALIAS] } })
    assert.equal(await sent(flag, 'gpt-4o'), 'openai/gpt-4o')
    await using broken = await start({ env: { MODEL_ALIASES: 'not json' } })
    assert.equal((await chat(broken, 'gpt-4o')).json.model, 'gpt-4o')
  })

  test('R38: the program: a wrong pattern ends the start and names its rule; a wrong variable is a warning', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'trivium-aliases-'))
    const config = (pattern: string): void =>
      writeFileSync(
        join(folder, 'config.yaml'),
        JSON.stringify({
          backends: { sim: { type: 'simulator' } },
          default_backend: 'sim',
          model_aliases: [{ pattern, replacement: 'sim/echo' }],
        }),
      )
    const run = (env: NodeJS.ProcessEnv = {}): Promise<readonly [number | null, string]> => {
      const child = spawn(PROGRAM, ['config', 'check', '--config', join(folder, 'config.yaml')], {
        cwd: folder,
        env: { ...process.env, ...env },
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => (output += data.toString()))
      return new Promise((done) => child.on('close', (code) => done([code, output])))
    }
    config('(')
    const [code, output] = await run()
    assert.notEqual(code, 0)
    assert.match(output, /model_aliases\[0\]/)
    config('^x$')
    const [fine, warned] = await run({ MODEL_ALIASES: 'not json' })
    assert.equal(fine, 0, warned)
    assert.match(warned, /MODEL_ALIASES/)
    rmSync(folder, { recursive: true, force: true })
  })
})

suite('R43: /api/resolve', () => {
  const known = (id: string, vendor: string, rest: object = {}) => ({
    id,
    vendor,
    context_window: 100_000,
    price: PRICE,
    ...rest,
  })
  const reasons = { capabilities: ['reasoning'] }
  const config = (url: string): Record<string, Json> => ({
    model_aliases: [{ pattern: '^my-(.*)', replacement: 'gpt-\\1' }],
    groups: { default: { backends: ['openai', 'anthropic', 'other'] }, free: {}, or: { backends: ['openrouter'] } },
    models: [
      known('gpt-5', 'openai', reasons),
      known('gpt-4o', 'openai', { capabilities: ['tools'] }),
      known('claude-opus-4-7', 'anthropic', { name: 'Claude Opus 4.7', ...reasons }),
      known('kimi-k2-thinking', 'moonshot', reasons),
      known('deepseek-v3.2', 'deepseek', { capabilities: ['tools'] }),
      known('llama3:8b', 'meta'),
      known('openai:custom', 'other'),
      known('only-or', 'openai'),
    ],
    routes: [
      ...['gpt-5', 'gpt-4o'].map((model) => ({ model, backend: 'openai' })),
      { model: 'claude-opus-4-7', backend: 'anthropic' },
      ...['kimi-k2-thinking', 'deepseek-v3.2', 'llama3:8b', 'openai:custom'].map((model) => ({
        model,
        backend: 'other',
      })),
      { model: 'deepseek-v3.2', backend: 'other', group: 'free' },
      { model: 'gpt-5', backend: 'openrouter', group: 'or', upstream_model: 'openai/gpt-5' },
      { model: 'only-or', backend: 'openrouter', group: 'or', upstream_model: 'openai/only' },
    ],
    backends: {
      other: { type: 'openai-compatible', api_url: `${url}/v1`, api_key: 'k' },
      openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' },
    },
  })
  /** Model, the step that found it, and what else is special; or the code of the refusal. In the groups default and free. */
  const PLAIN: Readonly<Record<string, string>> = {
    'gpt-5': 'gpt-5 exact id',
    'claude-opus-4-7': 'claude-opus-4-7 exact id',
    'GPT-5': 'model_not_found',
    'Claude Opus 4.7': 'model_not_found',
    'gpt-40': 'model_not_found',
    'only-or': 'model_not_allowed',
    'gpt-5-thinking': 'gpt-5 thinking suffix thinking',
    'claude-opus-4-7-thinking': 'claude-opus-4-7 thinking suffix thinking',
    'claude-opus-4-7-thinking?top_p=0.9': 'claude-opus-4-7 thinking suffix thinking top_p=0.9',
    'gpt-4o-thinking': 'thinking_not_supported',
    'kimi-k2-thinking': 'kimi-k2-thinking exact id',
    'kimi-k2-thinking-thinking': 'kimi-k2-thinking thinking suffix thinking',
    'my-5': 'gpt-5 exact id alias',
    'my-5-thinking': 'gpt-5 thinking suffix thinking alias',
    'anthropic/claude-opus-4-7': 'claude-opus-4-7 vendor prefix',
    'openai/gpt-5': 'gpt-5 vendor prefix',
    'anthropic/claude-opus-4-7-thinking': 'claude-opus-4-7 thinking suffix thinking',
    'google/claude-opus-4-7': 'model_not_found',
    'openai/nosuch': 'model_not_found',
    'openai:gpt-4o': 'gpt-4o backend prefix pinned',
    'openai:gpt-4o?temperature=0': 'gpt-4o backend prefix pinned temperature=0',
    'openai:unlisted': 'unlisted backend prefix pinned',
    'openrouter:openai/gpt-4o': 'backend_not_allowed',
    'nosuch:gpt-4o': 'model_not_found',
    'openai:custom': 'openai:custom exact id',
    'llama3:8b': 'llama3:8b exact id',
    'llama3:70b': 'model_not_found',
    'other:llama3:8b': 'llama3:8b backend prefix pinned',
    'deepseek-v3.2': 'deepseek-v3.2 exact id',
    'deepseek-v3.2:free': 'deepseek-v3.2 group or variant group=free',
    'deepseek-v3.2:or': 'group_not_allowed',
    'gpt-5:nitro': 'gpt-5 group or variant sort=throughput',
    'gpt-5:floor': 'gpt-5 group or variant sort=price',
    'gpt-5:online': 'unsupported_parameter',
    'gpt-5:thinking': 'gpt-5 group or variant thinking',
    'gpt-4o?temperature=0.7&top_p=0.9': 'gpt-4o exact id temperature=0.7 top_p=0.9',
    'gpt-4o?temperature=3.5&foo=1&top_p=0.5': 'gpt-4o exact id top_p=0.5',
    'gpt-4o?invalid': 'gpt-4o exact id',
    'gpt-5|claude-opus-4-7': 'gpt-5 exact id |claude-opus-4-7',
    'hybrid:[gpt-5?top_p=0.9,gpt-4o?top_p=0.1]': 'gpt-4o exact id top_p=0.1',
    'hybrid:[gpt-5]': 'invalid_parameter',
  }
  /** In a group with an OpenRouter account. */
  const ROUTED: Readonly<Record<string, string>> = {
    'openai/gpt-5': 'gpt-5 vendor prefix',
    'anthropic/claude-3-5-sonnet': 'anthropic/claude-3-5-sonnet vendor prefix',
    'meta-llama/llama-3-70b-instruct': 'meta-llama/llama-3-70b-instruct vendor prefix',
    'anthropic/claude-3-haiku:beta': 'anthropic/claude-3-haiku:beta vendor prefix',
    'openrouter:anthropic/claude-3-5-sonnet?temperature=0.7':
      'anthropic/claude-3-5-sonnet backend prefix pinned temperature=0.7',
    'openai/gpt-5-thinking': 'gpt-5 vendor prefix thinking',
    'vendor/x-thinking': 'vendor/x-thinking vendor prefix',
    'gpt-5': 'gpt-5 exact id',
  }

  const outcomeOf = ({ status, text, json }: Told): string => {
    if (status !== 200) return /"code":"([a-z_]+)"/.exec(text)?.[1] ?? text
    const parameters = Object.entries(json.parameters).map(([name, value]) => `${name}=${String(value)}`)
    return [
      json.model,
      json.trace.at(-1).step,
      ...(json.pinned ? ['pinned'] : []),
      ...(json.thinking ? ['thinking'] : []),
      ...(json.alias_rule === null ? [] : ['alias']),
      ...(json.sort === null ? [] : [`sort=${json.sort}`]),
      ...(['default', 'or'].includes(json.group) ? [] : [`group=${json.group}`]),
      ...parameters,
      ...json.fallbacks.map((id: string) => `|${id}`),
    ].join(' ')
  }

  test('R43: what it says of each string, without a call', async () => {
    await using gateway = await startTestGateway({ config })
    assert.ok(Object.keys(PLAIN).length >= 40)
    for (const [table, groups] of [
      [PLAIN, ['default', 'free']],
      [ROUTED, ['or']],
    ] as const) {
      const { key } = await gateway.fund({ newKey: { groups } })
      for (const [text, expected] of Object.entries(table)) {
        const told = await gateway.ask(`/api/resolve?model=${encodeURIComponent(text)}`, { key })
        assert.equal(outcomeOf(told), expected, text)
      }
    }
    assert.equal(gateway.upstream.count(), 0)
  })
})
