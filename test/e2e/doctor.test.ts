import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { checkProviders, CLOCK_SKEW_MS_MAX } from '#cli/doctor-providers.ts'
import { runCli } from '#cli/program.ts'
import { loadConfig } from '#config/load.ts'
import { type Reply, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import type { Json } from './gateway.ts'

/** `trivium doctor` asks the providers, and `trivium migrate` brings a database up to date (R109, R110, R124). */

const KEY = 'sk-doctor-0123456789'
let upstream: Upstream
let folder: string

before(async () => {
  upstream = await startUpstream()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trivium-doctor-'))
})
afterEach(() => {
  upstream.always(undefined)
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})
after(() => upstream.close())

interface Ended {
  readonly code: number
  readonly out: string
  readonly errors: string
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const texts = { out: '', errors: '' }
  const code = await runCli({
    args,
    env: { MY_KEY: KEY, ...env },
    cwd: folder,
    out: (text) => void (texts.out += `${text}\n`),
    error: (text) => void (texts.errors += `${text}\n`),
  })
  return { code, ...texts }
}

interface Examined {
  readonly code: number
  readonly found: Json
  /** The checks that failed. */
  readonly named: string[]
}

async function examine(backend: object, args: readonly string[] = []): Promise<Examined> {
  const config = {
    backends: { mine: { type: 'openai', api_url: `${upstream.url}/v1`, api_key_env: 'MY_KEY', ...backend } },
    models: [{ id: 'gpt-own', price: { input: 1, output: 1 } }],
    routes: [{ model: 'gpt-own', backend: 'mine' }],
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const { code, out } = await run(['doctor', '--json', ...args])
  const found = JSON.parse(out)
  const named = Object.entries(found).flatMap(([name, finding]) =>
    (finding as Json).status === 'failed' ? [name] : [],
  )
  return { code, found, named }
}

const LIST = { body: { object: 'list', data: [{ id: 'gpt-own' }] } }

test('R109: all is well', async () => {
  upstream.script(LIST)
  const { code, found, named } = await examine({})
  assert.deepEqual([code, named, found.ok], [0, [], true])
  assert.deepEqual([found.providers.status, found.providers.detail], ['ok', '1 of 1 answer'])
  const { path, headers } = upstream.received.at(-1)!
  assert.deepEqual([path, headers.authorization], ['/v1/models', `Bearer ${KEY}`])
})

test('R109: a key that the provider refuses is named with the place it came from, and never itself', async () => {
  upstream.script({ status: 401, body: { error: { message: `Incorrect API key provided: ${KEY}` } } })
  const { code, found, named } = await examine({})
  assert.deepEqual([code, named], [1, ['providers']])
  assert.match(found.providers.problems[0], /^mine: .*status 401; the provider refuses the key from MY_KEY$/)
  assert.ok(!JSON.stringify(found).includes(KEY))
})

test('R109: a provider that cannot be reached, and one without a list', async () => {
  const unreachable = await examine({ api_url: 'http://127.0.0.1:9/v1' })
  assert.deepEqual([unreachable.code, unreachable.named], [1, ['providers']])
  assert.match(unreachable.found.providers.problems[0], /is its api_url right/)
  upstream.script({ status: 404, body: {} })
  const none = await examine({})
  assert.match(none.found.providers.problems[0], /status 404; there is no model list at its api_url/)
})

test('R109: a provider that is silent is named when its time is over', async () => {
  upstream.script({ hang: true })
  const config = { backends: { mine: { type: 'openai', api_url: `${upstream.url}/v1`, api_key: KEY } } }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const { settings } = loadConfig({ flags: {}, env: {}, cwd: folder })
  const { providers, clock, credits } = await checkProviders(settings, 50)
  assert.match(providers.problems.join(), /no answer within 50 ms/)
  assert.deepEqual([clock.status, credits.status], ['skipped', 'skipped'])
})

test('R109: a backend without its key is named once, and not asked', async () => {
  const count = upstream.count()
  const { code, named } = await examine({ api_key_env: 'NO_SUCH_KEY' })
  assert.deepEqual([code, named, upstream.count()], [1, ['backends'], count])
})

/** What OpenRouter would answer. */
const openRouter = (credits: Reply, key: Reply = { status: 404 }) =>
  upstream.always(({ path }) => (path.endsWith('/credits') ? credits : path.endsWith('/key') ? key : LIST))
const OPENROUTER = { type: 'openrouter' }

test('R109: credit is asked where the provider tells it, and a key that may not ask tells its own limit', async () => {
  const body = (data: object) => ({ body: { data } })
  openRouter(body({ total_credits: 10.5, total_usage: 10.25 }))
  const rich = await examine(OPENROUTER)
  assert.deepEqual([rich.code, rich.found.credits.status, rich.found.credits.detail], [0, 'ok', '1 of 1 have credit'])
  openRouter(body({ total_credits: 10, total_usage: 10.000000001 }))
  const poor = await examine(OPENROUTER)
  assert.deepEqual([poor.code, poor.named], [1, ['credits']])
  assert.deepEqual(poor.found.credits.problems, ['mine: no credit is left (-0.000000001 USD)'])
  for (const [left, named] of [
    [null, []],
    [3, []],
    [0, ['credits']],
  ] as const) {
    openRouter({ status: 403, body: {} }, body({ limit_remaining: left }))
    assert.deepEqual((await examine(OPENROUTER)).named, named, String(left))
  }
  openRouter({ status: 500, body: {} }, { status: 500, body: {} })
  const broken = await examine(OPENROUTER)
  assert.deepEqual(broken.named, ['credits'])
  assert.ok(!JSON.stringify(broken.found).includes(KEY))
  const balance = { body: { balance_infos: [{ currency: 'CNY', total_balance: '0.00' }] } }
  upstream.always(({ path }) => (path === '/user/balance' ? balance : LIST))
  const chinese = await examine({ type: 'deepseek' })
  assert.deepEqual(chinese.found.credits.problems, ['mine: no credit is left (0 CNY)'])
  assert.equal(upstream.received.at(-1)!.path, '/user/balance')
})

test('R109: a clock that is not the upstreams’ is named', async () => {
  const at = (ms: number) => ({ ...LIST, headers: { date: new Date(Date.now() + ms).toUTCString() } })
  upstream.script(at(0))
  assert.equal((await examine({})).found.clock.status, 'ok')
  for (const [ms, told] of [
    [CLOCK_SKEW_MS_MAX + 5_000, /3\d s behind the upstreams; is its time kept/],
    [-CLOCK_SKEW_MS_MAX - 5_000, /3\d s ahead of the upstreams/],
  ] as const) {
    upstream.script(at(ms))
    const { code, found, named } = await examine({})
    assert.deepEqual([code, named], [1, ['clock']])
    assert.match(found.clock.problems[0], told)
  }
})

test('R109: each item that is broken in turn is the one that is named, and all is well again afterwards', async () => {
  const wrong: readonly (readonly [string, object, () => void])[] = [
    ['backends', { api_key_env: 'NO_SUCH_KEY' }, () => {}],
    ['providers', {}, () => upstream.script({ status: 401, body: {} })],
    ['config', { timeout: 'x' }, () => {}],
    ['data_dir', {}, () => writeFileSync(join(folder, 'data'), 'a file')],
  ]
  upstream.always(LIST)
  for (const [item, backend, spoil] of wrong) {
    rmSync(join(folder, 'data'), { recursive: true, force: true })
    spoil()
    const { code, named } = await examine(backend)
    assert.deepEqual([code, named], [1, [item]], item)
  }
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  const database = new DatabaseSync(join(mkdirDeep(join(folder, 'data')), 'trivium.db'))
  database.exec(
    'create table schema_migrations (id bigint primary key, name text not null, applied_ms bigint not null)',
  )
  database.exec("insert into schema_migrations values (9999, 'of a newer version', 1)")
  database.close()
  upstream.always(LIST)
  const newer = await examine({})
  assert.deepEqual([newer.code, newer.named], [1, ['database']])
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  upstream.always(LIST)
  assert.deepEqual((await examine({})).named, [])
  const books = new DatabaseSync(join(folder, 'data', 'trivium.db'))
  books.exec(`insert into accounts (id, email, mode, status, tier, balance_nano, created_ms)
    values ('acc_odd', 'odd@example.com', 'prepaid', 'active', 'free', 5, 1)`)
  books.close()
  upstream.always(LIST)
  const unsound = await examine({})
  assert.deepEqual([unsound.code, unsound.named], [1, ['ledger']])
})

/** The folder, made. */
function mkdirDeep(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}

test('R109: --offline asks nobody', async () => {
  const count = upstream.count()
  const { code, found } = await examine({}, ['--offline'])
  assert.deepEqual([code, found.providers, upstream.count()], [0, undefined, count])
})

test('R110: migrate brings the database up to date and may be run again', async () => {
  const first = await run(['migrate'])
  assert.equal(first.code, 0, first.errors)
  assert.match(first.out, /^sqlite: \d+ migrations are applied, the last is \d+ \([^)]+\)\.$/m)
  const second = JSON.parse((await run(['migrate', '--json'])).out)
  assert.equal(second.engine, 'sqlite')
  assert.ok(second.migrations.length > 0)
})
