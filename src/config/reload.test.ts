import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { loadConfig, type LoadedConfig } from './load.ts'
import { createReloader, type Reloader } from './reload.ts'

interface Setup {
  readonly reloader: Reloader
  readonly file: string
  readonly applied: LoadedConfig[]
  readonly rejected: (readonly string[])[]
  readonly restart: (readonly string[])[]
  /** Resolves with the next thing that the reloader reports. */
  next(): Promise<'applied' | 'rejected'>
}

function setup(t: TestContext, yaml: string, apply: (loaded: LoadedConfig) => void = () => {}): Setup {
  const folder = mkdtempSync(join(tmpdir(), 'config-reload-'))
  const file = join(folder, 'config.yaml')
  writeFileSync(file, yaml)
  const load = (): LoadedConfig => loadConfig({ flags: { config: file }, env: {}, cwd: folder })
  const applied: LoadedConfig[] = []
  const rejected: (readonly string[])[] = []
  const restart: (readonly string[])[] = []
  const waiting: ((what: 'applied' | 'rejected') => void)[] = []
  const reloader = createReloader({
    initial: load(),
    load,
    apply(loaded) {
      apply(loaded)
      applied.push(loaded)
      waiting.shift()?.('applied')
    },
    rejected(lines) {
      rejected.push(lines)
      waiting.shift()?.('rejected')
    },
    restartNeeded: (paths) => restart.push(paths),
    debounceMs: 5,
  })
  t.after(() => {
    reloader.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { reloader, file, applied, rejected, restart, next: () => new Promise((resolve) => waiting.push(resolve)) }
}

const YAML = 'backends: { o: { type: ollama, models: [a] } }\nlogging: { level: info }\n'

test('a good file is applied, a broken one is reported and the old one stays', (t) => {
  const { reloader, file, applied, rejected } = setup(t, YAML)
  writeFileSync(file, YAML.replace('info', 'debug'))
  assert.equal(reloader.reload(), true)
  assert.equal(reloader.current.settings.logLevel, 'debug')
  assert.equal(applied.length, 1)
  writeFileSync(file, 'backends: [\n')
  assert.equal(reloader.reload(), false)
  assert.match(rejected[0]![0]!, /config\.yaml:\d+:\d+: /)
  assert.equal(reloader.current.settings.logLevel, 'debug')
  writeFileSync(file, YAML.replace('info', 'loud'))
  assert.equal(reloader.reload(), false)
  assert.deepEqual(rejected[1], ['logging.level: expected fatal, error, warn, info, debug, trace or silent'])
  rmSync(file)
  assert.equal(reloader.reload(), false)
  assert.match(rejected[2]![0]!, /no such file/)
})

test('host, port and database are reported and keep their running value, the rest is applied', (t) => {
  const { reloader, file, restart } = setup(t, YAML)
  writeFileSync(file, `${YAML.replace('info', 'warn')}server: { port: 9999, database_url: "postgres://h/d" }\n`)
  assert.equal(reloader.reload(), true)
  assert.deepEqual(restart, [['server.port', 'server.database_url']])
  assert.equal(reloader.current.settings.port, 8000)
  assert.equal(reloader.current.settings.databaseUrl, null)
  assert.equal(reloader.current.settings.logLevel, 'warn')
})

test('a file found by its place that is gone does not turn into zero config', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'config-gone-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'config.yaml'), YAML)
  const load = (): LoadedConfig => loadConfig({ flags: {}, env: {}, cwd: folder })
  const rejected: string[] = []
  const reloader = createReloader({
    initial: load(),
    load,
    apply: () => assert.fail('must not be applied'),
    rejected: (lines) => rejected.push(...lines),
    restartNeeded: () => {},
  })
  rmSync(join(folder, 'config.yaml'))
  assert.equal(reloader.reload(), false)
  assert.match(rejected[0]!, /config\.yaml: the configuration file moved/)
})

test('when taking over fails, the old configuration stays', (t) => {
  const { reloader, rejected } = setup(t, YAML, () => {
    throw new Error('catalog cannot be built')
  })
  const before = reloader.current
  assert.equal(reloader.reload(), false)
  assert.deepEqual(rejected, [['catalog cannot be built']])
  assert.equal(reloader.current, before)
})

test('the watched file is reloaded when written, replaced and broken', { timeout: 10_000 }, async (t) => {
  const { reloader, file, next } = setup(t, YAML)
  reloader.watch()
  let report = next()
  writeFileSync(file, YAML.replace('info', 'debug'))
  assert.equal(await report, 'applied')
  assert.equal(reloader.current.settings.logLevel, 'debug')
  report = next()
  writeFileSync(`${file}.new`, YAML.replace('info', 'error'))
  renameSync(`${file}.new`, file)
  assert.equal(await report, 'applied')
  assert.equal(reloader.current.settings.logLevel, 'error')
  report = next()
  writeFileSync(file, 'nonsense: true\n')
  assert.equal(await report, 'rejected')
  assert.equal(reloader.current.settings.logLevel, 'error')
})
