/** A real gateway process for the fault tests and the bench: start, wait until it answers, administer, kill. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseUsd, type NanoUsd } from '#base/money.ts'

const READY_MS_MAX = 20_000
const STOP_MS_MAX = 35_000
const POLL_MS = 20
const LOG_CHARACTERS_MAX = 20_000
const PAGE_ROWS = 500
const PAGES_MAX = 10_000
export const PROGRAM = resolve(import.meta.dirname, '..', '..', 'bin', 'trivium')

export interface GatewayOptions {
  /** The configuration as an object: JSON is valid YAML. */
  readonly config: unknown
  /** Data folder of an earlier run, to restart on. */
  readonly folder?: string
  readonly port?: number
  readonly masterKey?: string
  /** CPU to pin to, with `taskset`; needs the program to be on the path. */
  readonly cpu?: number
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface LedgerLine {
  readonly id: string
  readonly type: string
  readonly amount: string
  readonly request_id: string | null
}

export interface AccountView {
  readonly id: string
  readonly balance: string
  readonly held: string
  readonly available: string
}

/** An account's money at one moment. */
export interface Books {
  readonly balance: NanoUsd
  readonly held: NanoUsd
  /** Of all entries; equal to `balance` or the books are wrong. */
  readonly sum: NanoUsd
  readonly usage: readonly LedgerLine[]
}

/** A decimal amount as the gateway writes it. Throws on anything else, a number for instance. */
export function amountOf(text: string): NanoUsd {
  const amount = typeof text === 'string' ? parseUsd(text) : undefined
  if (amount === undefined) throw new Error(`not an amount: ${JSON.stringify(text)}`)
  return amount
}

/** The rows of `GET /api/logs`, as far as the tests read them. */
export interface LogRow {
  readonly request_id: string
  readonly status: string
  readonly status_code: number
  readonly error_code: string | null
  readonly path: string
  readonly [column: string]: unknown
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return address !== null && typeof address === 'object' ? address.port : 0
}

/** Calls `probe` until it returns something else than undefined. Throws `what` when `limitMs` has passed. */
export async function eventually<T>(what: string, limitMs: number, probe: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + limitMs
  for (;;) {
    const found = await probe()
    if (found !== undefined) return found
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await wait(POLL_MS)
  }
}

function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env }
  // NODE_TEST_CONTEXT would make the child print as a test does; the others would change what is measured.
  for (const name of Object.keys(env))
    if (/^((https?|all)_proxy|NODE_OPTIONS|NODE_TEST_CONTEXT)$/i.test(name)) delete env[name]
  return { ...env, ...extra }
}

/** Gateways of this process that run. They are groups of their own, so nothing else would end them with it. */
const running = new Set<Gateway>()
const EXIT_TERMINATED = 143

let guarded = false

function guardExit(): void {
  guarded = true
  process.once('exit', () => {
    for (const gateway of running) gateway.signal('SIGKILL')
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(EXIT_TERMINATED))
}

export class Gateway {
  readonly #options: GatewayOptions
  readonly folder: string
  readonly port: number
  readonly masterKey: string
  readonly baseUrl: string
  #child: ChildProcess | undefined
  #exit: Promise<void> = Promise.resolve()
  #exited = true
  #log = ''

  private constructor(options: GatewayOptions, port: number) {
    this.#options = options
    this.port = port
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), 'trivium-test-'))
    this.masterKey = options.masterKey ?? `master-${randomBytes(16).toString('hex')}`
    this.baseUrl = `http://127.0.0.1:${port}`
  }

  /** Starts `bin/trivium serve` in a folder of its own and resolves when it answers. Throws with its output when it does not. */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const gateway = new Gateway(options, options.port ?? (await freePort()))
    writeFileSync(join(gateway.folder, 'config.yaml'), JSON.stringify(options.config, null, 2))
    await gateway.run()
    return gateway
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get alive(): boolean {
    return !this.#exited
  }

  /** The last part of what the process printed. */
  get log(): string {
    return this.#log
  }

  /** Starts the process, also again after `kill`, on the same folder and port. Returns the milliseconds until it answered. */
  async run(): Promise<number> {
    const serve = [PROGRAM, 'serve', '--config', join(this.folder, 'config.yaml'), '--port', String(this.port)]
    const pinned = this.#options.cpu === undefined ? [] : ['taskset', '-c', String(this.#options.cpu)]
    const [command, ...rest] = [...pinned, ...serve, '--data-dir', join(this.folder, 'data')]
    this.#log = ''
    const startedMs = performance.now()
    const child = spawn(command!, [...rest, ...(this.#options.flags ?? [])], {
      cwd: this.folder,
      env: environment({ GATEWAY_MASTER_KEY: this.masterKey, ...this.#options.env }),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    this.#exited = false
    if (!guarded) guardExit()
    running.add(this)
    this.#exit = new Promise((done) => {
      child.on('error', (error) => {
        this.#log += error.message
        this.#exited = true
        done()
      })
      child.on('exit', () => {
        this.#exited = true
        running.delete(this)
        done()
      })
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#log = (this.#log + data.toString()).slice(-LOG_CHARACTERS_MAX)
      })
    }
    await eventually('gateway answers /health', READY_MS_MAX, async () => {
      if (this.#exited) throw new Error(`the gateway ended before it listened:\n${this.#log}`)
      return fetch(`${this.baseUrl}/health`).then(
        (reply) => (reply.ok ? true : undefined),
        () => undefined,
      )
    })
    return performance.now() - startedMs
  }

  /** Ends the whole process group; with SIGKILL nothing gets the chance to say goodbye. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#exited || this.pid === 0) return
    const late = setTimeout(() => this.signal('SIGKILL'), STOP_MS_MAX)
    this.signal(signal)
    await this.#exit
    clearTimeout(late)
  }

  /** Stops the process and removes its folder. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM')
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  /** Sends a signal to the whole group. */
  signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal)
    } catch {
      // It is gone, which is what was wanted.
    }
  }

  /** One call of the management API with the master key. Throws on a status of 400 and above. */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const reply = await fetch(`${this.baseUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.masterKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text.slice(0, 500)}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }

  /** An account with credit (decimal USD) and one key of it. */
  async fund(
    email: string,
    credit: string,
    mode = 'prepaid',
  ): Promise<{ accountId: string; key: string; hash: string }> {
    const account = await this.admin<{ id: string }>('POST', '/api/admin/accounts', { email, mode, credit })
    const made = await this.admin<{ key: string; data: { hash: string } }>('POST', '/api/v1/keys', {
      name: email,
      account_id: account.id,
    })
    return { accountId: account.id, key: made.key, hash: made.data.hash }
  }

  async account(id: string): Promise<AccountView> {
    const found = await this.admin<AccountView & { data?: AccountView }>('GET', `/api/admin/accounts/${id}`)
    return found.data ?? found
  }

  /** All entries of an account, by paging. */
  async ledger(accountId: string): Promise<LedgerLine[]> {
    return this.#pages<LedgerLine>(`/api/admin/ledger?account_id=${accountId}`)
  }

  async books(accountId: string): Promise<Books> {
    const entries = await this.ledger(accountId)
    const account = await this.account(accountId)
    return {
      balance: amountOf(account.balance),
      held: amountOf(account.held),
      sum: entries.reduce((total, entry) => total + amountOf(entry.amount), 0n),
      usage: entries.filter((entry) => entry.type === 'usage'),
    }
  }

  /** The books once nothing is held any more; throws when that takes longer than `limitMs`. */
  async settledBooks(accountId: string, limitMs = 5000): Promise<Books> {
    await eventually(`no hold of ${accountId} is open`, limitMs, async () =>
      amountOf((await this.account(accountId)).held) === 0n ? true : undefined,
    )
    return this.books(accountId)
  }

  /** The request rows, newest first, at least `rowsMax` of them where there are so many; of one account or of all. */
  async logs(rowsMax = Number.POSITIVE_INFINITY, accountId?: string): Promise<LogRow[]> {
    return this.#pages<LogRow>(`/api/logs?${accountId === undefined ? '' : `account_id=${accountId}`}`, rowsMax)
  }

  async #pages<T>(path: string, rowsMax = Number.POSITIVE_INFINITY): Promise<T[]> {
    const rows: T[] = []
    let cursor: string | null | undefined
    for (let page = 0; page < PAGES_MAX && rows.length < rowsMax; page++) {
      const at = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
      const answer = await this.admin<{ data: T[]; next_cursor?: string | null }>(
        'GET',
        `${path}&limit=${Math.min(PAGE_ROWS, rowsMax)}${at}`,
      )
      rows.push(...answer.data)
      cursor = answer.next_cursor
      if (!cursor || answer.data.length === 0) return rows
    }
    return rows
  }
}
