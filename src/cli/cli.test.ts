import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readVersion } from '#base/version.ts'
import { OPTIONS } from '#config/options.ts'
import { isPending } from '#config/pending.ts'

const CLI = fileURLToPath(new URL('../cli.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly error: string
}

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trivium-cli-'))
})
after(() => rm(folder, { recursive: true, force: true }))

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  // The settings of whoever runs the tests must not leak in.
  return spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { PATH: process.env['PATH'] ?? '', ...env } })
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = start(args, env)
  let out = ''
  let error = ''
  child.stdout!.on('data', (chunk) => (out += String(chunk)))
  child.stderr!.on('data', (chunk) => (error += String(chunk)))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out, error }
}

const oneLine = (text: string): boolean => text.trimEnd().split('\n').length === 1 && text.trim() !== ''

/** Flags whose settings nothing acts on yet say so. */
const PENDING_FLAGS = OPTIONS.flatMap(({ flag, path }) => (flag !== undefined && isPending(path) ? [flag] : []))

describe('misuse', () => {
  test('R110: --version and --help', async () => {
    assert.deepEqual(await run(['--version']), { code: 0, out: `${readVersion()}\n`, error: '' })
    const help = await run(['serve', '--help'])
    assert.equal(help.code, 0)
    assert.match(help.out, /--port <number> .*\(env\s+APP_PORT, default 8000\)/)
    assert.match(help.out, /--data-dir/)
    assert.match(help.out, /--force-model <text>/)
    for (const flag of PENDING_FLAGS) {
      assert.match(help.out, new RegExp(`--${flag}[ <][^]*?not\\s+yet\\s+in\\s+effect`), flag)
    }
  })

  test('R110: an unknown flag or command is exit 2 with the nearest one', async () => {
    const flag = await run(['serve', '--prot', '1'])
    assert.equal(flag.code, 2)
    assert.match(flag.error, /--port/)
    const near = await run(['serve', '--defualt-backend', 'x'])
    assert.equal(near.code, 2)
    assert.match(near.error, /--default-backend/)
    const command = await run(['kyes', 'list'])
    assert.equal(command.code, 2)
    assert.match(command.error, /did you mean 'keys'/)
    assert.equal((await run(['keys', 'create'])).code, 2)
  })

  test('aliases: a bad pattern is exit 1 and names its rule, a bad variable is a warning', async () => {
    const home = await mkdtemp(join(folder, 'alias-'))
    const file = join(home, 'config.yaml')
    await writeFile(file, 'model_aliases: [{ pattern: "(", replacement: "simulator:x" }]\n')
    const bad = await run(['config', 'check', '--config', file])
    assert.equal(bad.code, 1)
    assert.match(bad.error, /model_aliases\[0\]/)
    const warned = await run(['config', 'check'], { MODEL_ALIASES: 'not json' })
    assert.equal(warned.code, 0)
    assert.match(warned.error, /warning: MODEL_ALIASES: expected a JSON array/)
    const flags = ['--model-alias', '^a$=simulator:x', '--model-alias', '^b$=simulator:y', '--json']
    const printed = JSON.parse((await run(['config', 'print', ...flags])).out)
    assert.deepEqual(printed['model_aliases[1].pattern'], { value: '^b$', source: 'flag' })
  })

  test('backends and routes are listed without a credential', async () => {
    const env = { OPENAI_API_KEY: 'sk-secret-of-the-list' }
    const backends = await run(['backends', 'list', '--json'], env)
    assert.deepEqual(
      JSON.parse(backends.out).data.map(({ id, enabled, credentials }: never) => [id, enabled, credentials]),
      [['openai', true, 1]],
    )
    const routes = await run(['routes', 'list', '--json'], env)
    const gpt = JSON.parse(routes.out).data.find(({ model }: { model: string }) => model === 'gpt-5')
    assert.deepEqual([gpt.backend, gpt.upstream_model, gpt.group], ['openai', 'gpt-5', 'default'])
    assert.ok(!(backends.out + routes.out).includes('secret'))
    const unknown = await run(['backends', 'sync', 'opneai'], env)
    assert.equal(unknown.code, 1)
    assert.match(unknown.error, /did you mean openai/)
  })

  test('a bad configuration is exit 1 with one line per problem', async () => {
    const bad = await run(['serve'], { APP_PORT: 'x' })
    assert.equal(bad.code, 1)
    assert.ok(oneLine(bad.error), bad.error)
    assert.match(bad.error, /APP_PORT/)
    const check = await run(['config', 'check', '--json'], { GATEWAY_URL: 'nonsense' })
    assert.equal(check.code, 1)
    assert.equal(JSON.parse(check.out).ok, false)
  })

  test('an unusable data folder is exit 1 with one line', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    for (const command of [
      ['serve', '--port', '0'],
      ['accounts', 'list'],
    ]) {
      const ended = await run([...command, '--data-dir', file])
      assert.equal(ended.code, 1)
      assert.ok(oneLine(ended.error), ended.error)
      assert.match(ended.error, /data-dir/)
    }
  })

  test('a taken port is exit 1 with one line', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const { port } = server.address() as { port: number }
    const ended = await run(['serve', '--port', String(port), '--data-dir', join(folder, 'taken')])
    server.close()
    assert.equal(ended.code, 1)
    assert.ok(oneLine(ended.error), ended.error)
    assert.match(ended.error, new RegExp(`port ${port} .*already in use`))
  })
})

describe('the data folder', () => {
  const env = () => ({ DATA_DIR: join(folder, 'books') })
  const json = async (...args: string[]) => {
    const ended = await run([...args, '--json'], env())
    assert.equal(ended.code, 0, ended.error)
    return JSON.parse(ended.out)
  }

  test('accounts', async () => {
    const account = await json('accounts', 'create', 'joe@example.com', '--credit', '0.10')
    assert.equal(account.balance, '0.1')
    await json('accounts', 'credit', 'joe@example.com', '0.20', '--note', 'second')
    assert.equal((await json('accounts', 'show', account.id)).balance, '0.3')
    assert.equal((await json('accounts', 'suspend', 'joe@example.com')).status, 'suspended')
    assert.equal((await json('accounts', 'activate', account.id)).status, 'active')
    assert.ok((await json('accounts', 'list')).data.length >= 1)
    const table = await run(['accounts', 'list'], env())
    assert.match(table.out, /^ID +EMAIL +MODE/)
    const twice = await run(['accounts', 'create', 'joe@example.com'], env())
    assert.equal(twice.code, 1)
    assert.ok(oneLine(twice.error), twice.error)
  })

  test('keys', async () => {
    const created = await json('keys', 'create', 'crm', '--account', 'joe@example.com', '--limit', '0.3')
    assert.match(created.key, /^sk-/)
    const { hash } = created.data
    assert.equal((await json('keys', 'list', '--account', 'joe@example.com')).data[0].hash, hash)
    assert.equal((await json('keys', 'disable', hash.slice(0, 12))).disabled, true)
    assert.equal((await json('keys', 'enable', hash)).disabled, false)
    const shown = await run(['keys', 'list'], env())
    assert.ok(!shown.out.includes(created.key))
    assert.match(shown.out, new RegExp(hash.slice(0, 12)))
    assert.deepEqual(await json('keys', 'delete', hash), { deleted: true, hash })
    const none = await run(['keys', 'disable', hash], env())
    assert.equal(none.code, 1)
  })

  test('doctor, config, providers, catalog', async () => {
    const found = await json('doctor')
    assert.equal(found.ok, true)
    assert.equal(found.catalog.status, 'ok')
    assert.equal(found.ledger.status, 'ok')
    assert.deepEqual(Object.keys(await json('doctor', '--ledger')), ['ok', 'config', 'data_dir', 'database', 'ledger'])
    assert.ok((await json('config', 'print'))['server.port'])
    assert.ok((await json('providers', 'list')).some((one: { type: string }) => one.type === 'openai'))
    assert.ok((await json('catalog', 'list')).length > 0)
  })

  test('explain shows the steps of a model name and where it leads', async () => {
    const env = { OPENAI_API_KEY: 'sk-1', OPENROUTER_API_KEY: 'sk-2' }
    const shown = await run(['explain', 'openrouter:openai/gpt-5-thinking?top_p=0.4', '--protocol', 'messages'], env)
    assert.equal(shown.code, 0, shown.error)
    assert.match(shown.out, /^thinking\s+yes$/m)
    assert.match(shown.out, /^backend prefix .* gpt-5$/m)
    assert.match(shown.out, /^openrouter +openai\/gpt-5 +passthrough/m)
    assert.doesNotMatch(shown.out, /sk-/)
    const told = JSON.parse((await run(['explain', 'gpt-5', '--json'], env)).out)
    assert.equal(told.endpoints[0].backend, 'openai')
    const unknown = await run(['explain', 'gpt-55'], env)
    assert.equal(unknown.code, 1)
    assert.match(unknown.error, /does not exist\. Did you mean "gpt-5/)
    assert.equal((await run(['explain', 'gpt-5', '--group', 'none'], env)).code, 1)
  })

  test('doctor names exactly what fails', async () => {
    const failing = async (extra: Record<string, string>) => {
      const ended = await run(['doctor', '--json'], { ...env(), ...extra })
      assert.equal(ended.code, 1)
      const found = JSON.parse(ended.out)
      return { found, named: ended.error.replace(/.*problems in |\.\n$/g, '') }
    }
    const unreachable = await failing({ GATEWAY_URL: 'http://127.0.0.1:9' })
    assert.equal(unreachable.named, 'catalog')
    assert.equal(unreachable.found.catalog.status, 'unreachable')
    const filtered = await failing({ GATEWAY_CATALOG_ROUTE_GROUPS: 'none' })
    assert.equal(filtered.found.catalog.status, 'filtered')
    const invalid = await failing({ GATEWAY_URL: 'nonsense' })
    assert.equal(invalid.named, 'config, catalog')
    assert.equal(invalid.found.catalog.status, 'unset')
    assert.equal((await failing({ DATA_DIR: CLI })).named, 'data_dir')
    const config = join(folder, 'no-key.yaml')
    await writeFile(config, 'backends:\n  mine:\n    type: openai\n')
    assert.match((await failing({ CONFIG_FILE: config })).named, /^backends/)
  })
})

describe('a running gateway', () => {
  test('listens, serves, is administered from outside, and ends cleanly', async () => {
    const dataDir = join(folder, 'running')
    const child = start(['--port', '0', '--data-dir', dataDir])
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    let out = ''
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (chunk) => {
        out += String(chunk)
        if (out.includes('Try it:') && out.includes('"content"')) resolve()
      })
      child.on('close', () => reject(new Error(`ended early: ${out}`)))
    })
    const url = /Page +(\S+)\//.exec(out)![1]!
    const masterKey = /Master key +(\S+)/.exec(out)![1]!
    const key = /API key +(\S+)/.exec(out)![1]!
    assert.match(out, new RegExp(`Bearer ${key}`))
    assert.equal((await fetch(`${url}/v1/models`, { headers: { 'x-api-key': key } })).status, 200)

    const env = { GATEWAY_URL: url, GATEWAY_MASTER_KEY: masterKey }
    const created = await run(['accounts', 'create', 'far@example.com', '--credit', '5', '--json'], env)
    assert.equal(JSON.parse(created.out).balance, '5')
    assert.equal(JSON.parse((await run(['keys', 'list', '--json'], env)).out).data.length, 1)
    assert.equal(JSON.parse((await run(['doctor', '--json'], env)).out).catalog.status, 'ok')
    const refused = await run(['keys', 'list'], { ...env, GATEWAY_MASTER_KEY: 'wrong' })
    assert.equal(refused.code, 1)
    assert.ok(oneLine(refused.error), refused.error)

    const owned = await run(['accounts', 'list', '--data-dir', dataDir])
    assert.equal(owned.code, 1)
    assert.match(owned.error, /GATEWAY_URL and GATEWAY_MASTER_KEY/)
    const second = await run(['serve', '--port', '0', '--data-dir', dataDir])
    assert.equal(second.code, 1)
    assert.ok(oneLine(second.error), second.error)

    child.kill('SIGTERM')
    assert.equal(await ended, 0)
  })

  test('the second start shows no secret again', async () => {
    const child = start(['serve', '--port', '0', '--data-dir', join(folder, 'running')])
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    let out = ''
    await new Promise<void>((resolve) => {
      child.stdout!.on('data', (chunk) => {
        out += String(chunk)
        if (out.includes('"content"')) resolve()
      })
      child.on('close', () => resolve())
    })
    child.kill('SIGINT')
    assert.equal(await ended, 0)
    assert.doesNotMatch(out, /Master key|sk-tv-/)
    assert.match(out, /\$TRIVIUM_API_KEY/)
  })
})
