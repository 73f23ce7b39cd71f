import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { eventually, Gateway, PROGRAM } from './faults/gateway.ts'
import { ROOT } from './tidy/tree.ts'

/** Plain JavaScript for an older Node.js; its path is built because '../' is banned. */
const scripts = pathToFileURL(join(ROOT, 'scripts', 'missing-packages.mjs')).href
const { findMissing } = (await import(scripts)) as { findMissing(folder: string, production: boolean): string[] }

const DEATH_MS_MAX = 2_000
const folder = mkdtempSync(join(tmpdir(), 'trivium-launcher-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** Runs with a PATH that has the tools of a shell and no Node.js. */
function run(program: string, flags: readonly string[], path = join(folder, 'tools')) {
  const { status, stdout, stderr } = spawnSync(program, flags, { cwd: folder, env: { PATH: path }, encoding: 'utf8' })
  return { status, output: stdout.trim(), errors: stderr.trim() }
}

describe('bin/trivium', () => {
  mkdirSync(join(folder, 'tools'))
  symlinkSync('/usr/bin/readlink', join(folder, 'tools', 'readlink'))

  test('needs no Node.js in PATH', () => {
    assert.deepEqual(run(PROGRAM, ['--version']), { status: 0, output: version, errors: '' })
  })

  test('finds its home through absolute and relative symbolic links', () => {
    symlinkSync(PROGRAM, join(folder, 'absolute'))
    symlinkSync('absolute', join(folder, 'relative'))
    assert.equal(run(join(folder, 'relative'), ['--version']).output, version)
    assert.equal(run('./relative', ['--version']).output, version)
  })

  test('passes arguments and the exit code on', () => {
    const { status, errors } = run(PROGRAM, ['serve', '--port', 'not a port'])
    assert.notEqual(status, 0)
    assert.match(errors, /not a port/)
  })

  test('runs as `node bin/trivium` too', () => {
    assert.equal(run(process.execPath, [PROGRAM, '--version']).output, version)
  })

  test('says in one line what to do without dependencies', () => {
    cpSync(join(ROOT, 'bin'), join(folder, 'bare', 'bin'), { recursive: true })
    const { status, errors } = run(join(folder, 'bare', 'bin', 'trivium'), ['serve'])
    assert.equal(status, 1)
    assert.equal(errors, `trivium: dependencies are missing; run npm install in ${join(folder, 'bare')}`)
    const direct = run(process.execPath, [join(folder, 'bare', 'bin', 'trivium')])
    assert.equal(direct.errors, errors)
  })

  test('an older Node.js in PATH is not used', () => {
    mkdirSync(join(folder, 'old'))
    writeFileSync(join(folder, 'old', 'node'), '#!/bin/sh\necho 20\n', { mode: 0o755 })
    mkdirSync(join(folder, 'bare', 'node_modules', 'fastify'), { recursive: true })
    const { status, errors } = run(join(folder, 'bare', 'bin', 'trivium'), ['serve'], join(folder, 'old'))
    assert.equal(status, 1)
    assert.match(errors, /^trivium: there is no pinned Node\.js for this platform and none >= 24 in PATH; [^\n]*$/)
  })

  test('becomes the gateway: kill -9 of the started process leaves nothing that serves', async () => {
    const gateway = await Gateway.start({ config: {} })
    try {
      process.kill(gateway.pid, 'SIGKILL')
      await eventually('the port is closed', DEATH_MS_MAX, async () =>
        (await accepts(gateway.port)) ? undefined : true,
      )
    } finally {
      await gateway.stop()
    }
  })
})

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection(port, '127.0.0.1')
    socket.on('connect', () => done(true)).on('error', () => done(false))
    socket.on('connect', () => socket.destroy())
  })
}

describe('what is still to be installed', () => {
  const project = join(folder, 'project')
  const lock = {
    packages: {
      '': { optionalDependencies: { 'node-here': '1.0.0', 'node-there': '1.0.0' } },
      'node_modules/run': { version: '1.0.0' },
      'node_modules/lint': { version: '2.0.0', dev: true },
      'node_modules/node-here': { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] },
      'node_modules/node-there': { version: '1.0.0', optional: true, os: ['nowhere'] },
      'node_modules/lint-binary': { version: '2.0.0', dev: true, optional: true },
    },
  }
  const write = (path: string, packages: unknown): void =>
    writeFileSync(join(project, path), JSON.stringify({ packages }))
  const add = (name: string): unknown => mkdirSync(join(project, 'node_modules', name), { recursive: true })

  test('everything that fits, in a fresh clone', () => {
    mkdirSync(join(project, 'node_modules'), { recursive: true })
    write('package-lock.json', lock.packages)
    const names = ['node_modules/run', 'node_modules/lint', 'node_modules/node-here']
    assert.deepEqual(findMissing(project, false), names)
    assert.deepEqual(findMissing(project, true), [names[0], names[2]])
  })

  test('development packages, after a production installation', () => {
    add('run')
    add('node-here')
    const installed = { ...lock.packages, 'node_modules/lint': undefined }
    write('node_modules/.package-lock.json', installed)
    assert.deepEqual(findMissing(project, true), [])
    assert.deepEqual(findMissing(project, false), ['node_modules/lint'])
  })

  test('nothing, after npm ci by hand', () => {
    add('lint')
    write('node_modules/.package-lock.json', lock.packages)
    assert.deepEqual(findMissing(project, false), [])
  })

  test('a package of another version, and one whose folder is gone', () => {
    write('package-lock.json', { ...lock.packages, 'node_modules/run': { version: '1.0.1' } })
    rmSync(join(project, 'node_modules', 'node-here'), { recursive: true })
    assert.deepEqual(findMissing(project, true), ['node_modules/run', 'node_modules/node-here'])
  })
})
