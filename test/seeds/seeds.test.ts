import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { PROVIDER_OPTIONS } from '#config/options.ts'
import { freePort, PROGRAM } from '#test/faults/gateway.ts'
import { ROOT } from '#test/tidy/tree.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { PENDING } from './pending.ts'

/** Every command and configuration of the seeds runs as it is quoted, against stubs (R116). */

const SCRIPT_MS_MAX = 180_000
const FOLDER = join(ROOT, 'test/seeds')
const SCRIPTS = readdirSync(FOLDER).filter((name) => /^s\d\.sh$/.test(name))

let upstream: Upstream
let seen: Server

before(async () => {
  upstream = await startUpstream()
  const failing = new Set<string>()
  upstream.always((received) => (failing.has(String(received.fields['model'])) ? { status: 503 } : undefined))
  seen = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://stub')
    if (url.pathname === '/fail') failing.add(url.searchParams.get('model') ?? '')
    const last = upstream.received.at(-1)
    response.end(JSON.stringify(last && { path: last.path, headers: last.headers, body: last.fields }))
  })
  await new Promise<void>((done) => seen.listen(0, '127.0.0.1', done))
})

after(async () => {
  await upstream.close()
  seen.closeAllConnections()
  await new Promise((done) => seen.close(done))
})

interface Step {
  readonly name: string
  readonly ok: boolean
  readonly details: string
}

/** Runs a script and reads its report. */
async function run(script: string): Promise<Step[]> {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-seed-'))
  const noKeys = Object.fromEntries(PROVIDER_OPTIONS.map((option) => [option.env, '']))
  const { port } = seen.address() as AddressInfo
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...noKeys,
    TRIVIUM: PROGRAM,
    NODE: process.execPath,
    ROOT,
    PORT: String(await freePort()),
    FOLDER: folder,
    UPSTREAM: upstream.url,
    SEEN: `http://127.0.0.1:${port}`,
    no_proxy: '127.0.0.1',
  }
  delete env['NODE_TEST_CONTEXT']
  const child = spawn('sh', [join(FOLDER, script)], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  await new Promise((done, fail) => child.on('close', done).on('error', fail))
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  return output
    .split(/^(?=(?:not )?ok )/m)
    .filter((part) => /^(not )?ok /.test(part))
    .map((part) => {
      const [first = '', ...details] = part.split('\n')
      return { name: first.replace(/^(not )?ok /, ''), ok: first.startsWith('ok '), details: details.join('\n') }
    })
}

for (const script of SCRIPTS) {
  describe(script, () => {
    test('R116: every step', { timeout: SCRIPT_MS_MAX }, async (context) => {
      const steps = await run(script)
      assert.ok(steps.length >= 5, 'the script reports its steps')
      assert.equal(new Set(steps.map(({ name }) => name)).size, steps.length, 'each step has its own name')
      const failed: string[] = []
      for (const { name, ok, details } of steps) {
        const reason = PENDING[`${script}: ${name}`]
        if (reason !== undefined) context.diagnostic(`pending: ${name}: ${reason}`)
        if (reason === undefined && !ok) failed.push(`${name}\n${details}`)
        if (reason !== undefined && ok) failed.push(`${name} passes now: take it out of pending.ts`)
      }
      const known = new Set(steps.map(({ name }) => `${script}: ${name}`))
      const unknown = Object.keys(PENDING).filter((name) => name.startsWith(`${script}: `) && !known.has(name))
      assert.deepEqual([failed, unknown], [[], []], [...failed, ...unknown].join('\n'))
    })
  })
}

test('R116: there is a script for each seed', () => {
  assert.deepEqual(SCRIPTS, ['s0.sh', 's1.sh', 's2.sh', 's3.sh', 's4.sh'])
})
