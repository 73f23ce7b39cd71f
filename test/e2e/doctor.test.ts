import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { checkProviders } from '#cli/doctor-providers.ts'
import { runCli } from '#cli/program.ts'
import { loadConfig } from '#config/load.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
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
afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
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
  const { problems } = await checkProviders(settings, 50)
  assert.match(problems.join(), /no answer within 50 ms/)
})

test('R109: a backend without its key is named once, and not asked', async () => {
  const count = upstream.count()
  const { code, named } = await examine({ api_key_env: 'NO_SUCH_KEY' })
  assert.deepEqual([code, named, upstream.count()], [1, ['backends'], count])
})

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
