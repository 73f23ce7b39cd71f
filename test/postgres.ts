import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Client } from 'pg'

const START_ATTEMPTS_MAX = 20
const POLLS_MAX = 200
const START_POLL_MS = 100
const DEBIAN_ROOT = '/usr/lib/postgresql'

/**
 * After a crash the server syncs every file of its folder, one after another, before it answers: with a database for each test these
 * are tens of thousands, and a busy disk needs longer for them than the store's patience. One call for all does the same.
 */
const QUICK_RECOVERY = ['-c', 'recovery_init_sync_method=syncfs']

export interface TestPostgres {
  /** URL of the database `postgres`, as a superuser without a password. */
  readonly url: string
  /** Creates an empty database, or a copy of one that nobody is connected to, and gives its URL. */
  createDatabase(name: string, copied?: string): Promise<string>
  /** Kills the server as a power cut would, and starts it again on the same port. */
  crash(): Promise<void>
  stop(): Promise<void>
}

/** Where initdb and postgres are; undefined when this machine has none. */
function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT).toSorted().toReversed() : []
  const folders = [...versions.map((version) => path.join(DEBIAN_ROOT, version, 'bin')), ...searchPath()]
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name))))
}

const searchPath = (): string[] => (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean)

/** Why suites with a server are skipped; false: they are not. In CI a missing server is a failure, so that nothing is. */
export const postgresSkip =
  findPostgres() === undefined && !process.env['CI'] ? 'no PostgreSQL programs on this machine' : false

/** A PostgreSQL server of its own on a free port, in a temporary folder. `stop` removes both. */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = findPostgres()
  if (folder === undefined) throw new Error('CI needs the PostgreSQL programs initdb and postgres.')
  const owner = serverOwner()
  const root = mkdtempSync(path.join(tmpdir(), 'trivium-postgres-'))
  if (owner.uid !== undefined) chownSync(root, owner.uid, owner.gid!)
  const data = path.join(root, 'data')
  const as = { ...owner, cwd: root, stdio: 'ignore' } as const
  execFileSync(path.join(folder, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '-N'], as)
  const port = await freePort()
  const sql = async (text: string): Promise<void> => {
    const client = new Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' })
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  const launch = async (): Promise<ChildProcess> => {
    for (let attempt = 1; ; attempt++) {
      const started = spawn(
        path.join(folder, 'postgres'),
        ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', root, ...QUICK_RECOVERY],
        as,
      )
      if (await untilReady(started, () => sql('select 1'))) return started
      // After a crash the old backends may hold the shared memory a moment longer than the server lived.
      if (attempt === START_ATTEMPTS_MAX) throw new Error('PostgreSQL did not start.')
    }
  }
  let server = await launch()
  const end = async (signal: 'SIGQUIT' | 'SIGINT'): Promise<void> => {
    if (hasEnded(server)) return
    const exited = new Promise((resolve) => server.once('exit', resolve))
    server.kill(signal)
    await exited
  }
  const urlOf = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`
  return {
    url: urlOf('postgres'),
    async createDatabase(name, copied = 'template1') {
      await sql(`create database ${name} template ${copied}`)
      return urlOf(name)
    },
    async crash() {
      await end('SIGQUIT')
      server = await launch()
    },
    async stop() {
      await end('SIGINT')
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root; then it runs as the user of its package, or as nobody. */
function serverOwner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name], { stdio: 'pipe' })))
      return { uid: uid!, gid: gid! }
    } catch {
      // There is no such user; the next one may exist.
    }
  }
  throw new Error('As root, the tests need a user postgres or nobody to run PostgreSQL.')
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const probe = createServer()
  probe.once('error', reject)
  probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address() as AddressInfo
    probe.close(() => resolve(port))
  })
  return promise
}

const hasEnded = (server: ChildProcess): boolean => server.exitCode !== null || server.signalCode !== null

/** True once it answers, false when it ended instead. It gives no other signal of its readiness than an answer. */
async function untilReady(server: ChildProcess, connect: () => Promise<void>): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await connect()
      return true
    } catch (cause) {
      if (attempt === POLLS_MAX) throw cause
      await new Promise((resolve) => setTimeout(resolve, START_POLL_MS))
      if (hasEnded(server)) return false
    }
  }
}
