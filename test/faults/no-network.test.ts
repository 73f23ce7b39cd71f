import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite, test } from 'node:test'

/** R65: nothing but what is configured is talked to. The tests of the whole run where nothing else can be reached. */

const root = resolve(import.meta.dirname, '..', '..')
const hook = join(import.meta.dirname, 'connect-log.ts')
const e2e = join(root, 'test', 'e2e')

/** All of them take minutes; these start and configure all that may ever talk to somebody. */
const SOME = ['auth', 'openai-sdk', 'openrouter-backend', 'routing']
/** It is its matter to look for addresses that are not there. */
const SEEKING = ['remote-media', 'clouds', 'limits-nodes', 'alerts']

const files = (): readonly string[] => {
  const names = readdirSync(e2e)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.slice(0, -'.test.ts'.length))
  const all = process.env['TRIVIUM_FAULTS'] === 'full'
  return names.filter((name) => (all ? !SEEKING.includes(name) : SOME.includes(name))).map((name) => `${name}.test.ts`)
}

/** A network of its own. Whoever is not root gets it as root of a namespace of users, where PostgreSQL, which wants to be somebody else, cannot run. */
const UNSHARE = process.getuid?.() === 0 ? ['-n'] : ['-rn']

function hasNamespaces(): boolean {
  try {
    execFileSync('unshare', [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const skip = hasNamespaces() ? false : 'no network namespaces on this machine'

/** Runs Node.js where only the loopback interface is, and tells whom it wanted to talk to. */
async function runAlone(args: readonly string[]): Promise<{ code: number; output: string; sought: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-alone-'))
  const log = join(folder, 'connects')
  writeFileSync(log, '')
  const env: NodeJS.ProcessEnv = { ...process.env, TRIVIUM_CONNECT_LOG: log, NODE_OPTIONS: `--import ${hook}` }
  for (const name of ['NODE_TEST_CONTEXT', 'CI', 'TRIVIUM_FAULTS']) delete env[name]
  const child = spawn(
    'unshare',
    [...UNSHARE, 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', process.execPath, ...args],
    { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => output.push(bytes))
  const code = await new Promise<number>((done) => child.once('close', (status) => done(status ?? -1)))
  const sought = readFileSync(log, 'utf8').split('\n').filter(Boolean)
  rmSync(folder, { recursive: true, force: true })
  return { code, output: Buffer.concat(output).toString(), sought }
}

const LOOPBACK = /^(?:connect|lookup|send) (?:127\.\d+\.\d+\.\d+|::1|localhost|\/.*)$/

suite('R65: without a network', { skip }, () => {
  test('what is not there cannot be reached, and the log says that it was wanted', async () => {
    const script = "require('net').connect(80, '192.0.2.1').on('error', ({ code }) => console.log(code))"
    const { output, sought } = await runAlone(['-e', script])
    assert.match(output, /ENETUNREACH/)
    assert.deepEqual(sought, ['connect 192.0.2.1'])
  })

  test('R65: the tests of the whole pass, and nobody but the mocks was ever sought', async () => {
    const paths = files().map((name) => join('test', 'e2e', name))
    assert.ok(paths.length >= SOME.length)
    const { code, output, sought } = await runAlone(['--test', '--test-concurrency=1', ...paths])
    assert.equal(code, 0, output.slice(-4000))
    assert.deepEqual([...new Set(sought.filter((line) => !LOOPBACK.test(line)))], [])
    // Each file has a gateway and its mocks, that is some connections at least.
    assert.ok(sought.length > 2 * paths.length, `the log works: ${sought.length}`)
  })
})
