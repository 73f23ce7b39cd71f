/**
 * B1: whatever happens, no scope is passed. Parallel clients at one process with SQLite, and at three that share one
 * PostgreSQL; random prices, balances, limits of keys, budgets and agent sessions (B14), which half of the clients
 * belong to; one upstream call in ten fails, and processes are killed. TRIVIUM_FAULTS=full plays
 * more rounds; TRIVIUM_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { HOLD_TTL_MS } from '#ledger/ledger.ts'
import { chat } from './client.ts'
import { amountOf, eventually, Gateway, PROGRAM } from './gateway.ts'
import { postgresSkip } from '#test/postgres.ts'
import { type Nodes, setDatabaseClock, startNodes } from './nodes.ts'
import { randomOf } from './random.ts'
import { Upstream } from './upstream.ts'
import { faultConfig, modelOf, SURFACES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
const CLIENTS = [2, 10, 200]
const ROUNDS = FULL ? 8 : 1
const REQUESTS_PER_CLIENT_MAX = 10
const OUTPUT_TOKENS = 100
const FAILING_SHARE = 0.1
/** Of the rounds of many clients; short runs kill once. */
const KILLED_SHARE = FULL ? 0.3 : 1
/** A dead process's holds are released so long after their lease at the latest. */
const RESOLVED_MS_MAX = 30_000

let upstream: Upstream

before(async () => {
  upstream = await Upstream.start()
})
after(() => upstream?.close())

/** The models of all surfaces, each at a price of its own. */
function priced(random: () => number): object {
  const config = faultConfig(upstream.url) as { models: object[] }
  const price = () => Math.ceil(random() * 100)
  return { ...config, models: config.models.map((model) => ({ ...model, price: { input: price(), output: price() } })) }
}

const someUsd = (random: () => number): string => (0.05 + Math.floor(random() * 450) / 1000).toFixed(3)

interface Scopes {
  readonly accountId: string
  readonly key: string
  readonly hash: string
  readonly limit: string
  /** What the clients of the session say. */
  readonly session: Readonly<Record<string, string>>
}

async function openScopes(gateway: Gateway, name: string, random: () => number): Promise<Scopes> {
  const { accountId, key, hash } = await gateway.fund(`${name}@fault.test`, someUsd(random))
  const limit = someUsd(random)
  await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { limit: Number(limit) })
  const model = modelOf(SURFACES[Math.floor(random() * SURFACES.length)]!)
  for (const budget of [{ scope: 'account' }, { scope: 'key', target: hash }, { scope: 'model', target: model }])
    await gateway.admin('POST', `/api/v1/budgets?account_id=${accountId}`, { ...budget, max_usd: someUsd(random) })
  const session = { 'x-session-id': name, 'x-gateway-session-budget': someUsd(random) }
  return { accountId, key, hash, limit, session }
}

/** Clients that ask until they are refused; a process may be killed under them. */
async function playRound(
  gateways: readonly Gateway[],
  { key, session }: Scopes,
  clients: number,
  random: () => number,
) {
  const statuses = new Map<number, number>()
  let running: Promise<unknown> = Promise.resolve()
  const client = async (_: unknown, at: number) => {
    const headers = at % 2 === 0 ? session : {}
    for (let count = 0; count < REQUESTS_PER_CLIENT_MAX; count++) {
      const gateway = gateways[Math.floor(random() * gateways.length)]!
      const surface = SURFACES[Math.floor(random() * SURFACES.length)]!
      const { status } = await chat(gateway, key, surface, {
        stream: random() < 0.5,
        maxTokens: OUTPUT_TOKENS,
        headers,
      })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 402) return
      // Who is not answered asks again when there is somebody to ask.
      if (status === 0) await running
    }
  }
  const kill = async () => {
    if (clients < CLIENTS.at(-1)! || random() >= KILLED_SHARE) return
    const dying = gateways[Math.floor(random() * gateways.length)]!
    const before = upstream.calls
    await eventually('the upstream is asked', 10_000, async () => upstream.calls > before || undefined)
    running = dying.kill('SIGKILL').then(() => dying.run())
    await running
  }
  await Promise.all([kill(), ...Array.from({ length: clients }, client)])
  return statuses
}

/** No scope has spent more than it has. */
async function checkScopes(gateway: Gateway, { accountId, key, hash, limit, session }: Scopes): Promise<void> {
  const { balance, sum, usage } = await gateway.books(accountId)
  assert.ok(balance >= 0n && balance === sum, `${balance} ${sum}`)
  const spent = usage.reduce((total, { amount }) => total - amountOf(amount), 0n)
  const { data } = await gateway.admin<{ data: { usage: number } }>('GET', `/api/v1/keys/${hash}`)
  assert.equal(BigInt(Math.round(data.usage * 1e9)), spent)
  assert.ok(spent <= amountOf(limit), 'the limit of the key')
  const path = `/api/v1/budgets?account_id=${accountId}`
  const { data: budgets } = await gateway.admin<{ data: { scope: string; max_usd: string; spent: string }[] }>(
    'GET',
    path,
  )
  assert.equal(budgets.length, 3)
  for (const { scope, max_usd: max, spent: counted } of budgets) {
    assert.ok(amountOf(counted) <= amountOf(max), `the budget of the ${scope}`)
    if (scope !== 'model') assert.equal(amountOf(counted), spent, scope)
  }
  await checkSession(gateway, accountId, session['x-gateway-session-budget']!, spent)
  const calls = upstream.calls
  assert.equal((await chat(gateway, key, 'openai-chat', { maxTokens: 8000, prompt: 'x'.repeat(50_000) })).status, 402)
  assert.equal(upstream.calls, calls)
}

/** The session is one part of what the account has spent, within its own budget. */
async function checkSession(gateway: Gateway, accountId: string, budget: string, spent: bigint): Promise<void> {
  const path = `/api/sessions?account_id=${accountId}`
  const { data: sessions } = await gateway.admin<{ data: { spent: string }[] }>('GET', path)
  assert.equal(sessions.length, 1)
  const own = amountOf(sessions[0]!.spent)
  assert.ok(own <= amountOf(budget) && own <= spent, `the session has spent ${own}`)
}

async function play(gateways: readonly Gateway[], random: () => number): Promise<string> {
  upstream.answer = (call) => {
    if (random() < FAILING_SHARE) return void call.response.writeHead(500).end('{}')
    const tokens = { input: 10, output: 1 + Math.floor(random() * OUTPUT_TOKENS) }
    if (call.stream) call.streamOut(3, 1, tokens)
    else setTimeout(() => call.reply(tokens), random() * 10)
  }
  const all = new Map<number, number>()
  for (let round = 0; round < ROUNDS; round++) {
    for (const clients of CLIENTS) {
      const scopes = await openScopes(gateways[0]!, `scopes-${round}-${clients}`, random)
      const statuses = await playRound(gateways, scopes, clients, random)
      for (const [status, count] of statuses) all.set(status, (all.get(status) ?? 0) + count)
      await checkScopes(gateways[0]!, scopes)
    }
  }
  assert.ok((all.get(200) ?? 0) > 0 && (all.get(402) ?? 0) > 0)
  return [...all].map(([status, count]) => `${count} x ${status}`).join(', ')
}

/** `trivium doctor --ledger` finds nothing, and nothing is held. */
async function checkDoctor({ folder }: Gateway, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const args = [
    'doctor',
    '--ledger',
    '--json',
    '--config',
    join(folder, 'config.yaml'),
    '--data-dir',
    join(folder, 'data'),
  ]
  const { stdout } = await promisify(execFile)(PROGRAM, args, { cwd: folder, env: { ...process.env, ...env } })
  const { ok, ledger } = JSON.parse(stdout)
  assert.deepEqual([ok, ledger.problems], [true, []])
  assert.match(ledger.detail, / 0 open holds/)
}

test(`B1: no scope is passed at one process (seed ${SEED})`, async (t) => {
  const random = randomOf(SEED)
  const gateway = await Gateway.start({ config: priced(random) })
  try {
    t.diagnostic(await play([gateway], random))
    await gateway.kill('SIGTERM')
    await checkDoctor(gateway)
  } finally {
    await gateway.stop()
  }
})

test(
  `B1: no scope is passed at three processes on one PostgreSQL (seed ${SEED})`,
  { skip: postgresSkip },
  async (t) => {
    const random = randomOf(SEED)
    let nodes: Nodes | undefined
    try {
      nodes = await startNodes(3, { config: priced(random) }, undefined, (url) => setDatabaseClock(url, 0))
      const { gateways, url } = nodes
      t.diagnostic(await play(gateways, random))
      await setDatabaseClock(url, HOLD_TTL_MS)
      await eventually('the leases of the dead are over', RESOLVED_MS_MAX, async () => {
        const { data } = await gateways[0]!.admin<{ data: { held: string }[] }>('GET', '/api/admin/accounts?limit=100')
        return data.every(({ held }) => held === '0') || undefined
      })
      await checkDoctor(gateways[0]!, { DATABASE_URL: url })
    } finally {
      await nodes?.close()
    }
  },
)
