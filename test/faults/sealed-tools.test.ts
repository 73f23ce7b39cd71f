/** B3: what upstreams signed is there again after the process ended, for clients that drop it, and only encrypted. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { AGENTS, send } from '#test/e2e/agents.ts'
import { configFor, ENVIRONMENT, type Json, type Told } from '#test/e2e/gateway.ts'
import { signedConfig, SIGNED_MODELS } from '#test/e2e/signed-config.ts'
import { withoutSeals } from '#test/laws/bare.ts'
import { type Ids, signedReply, SIGNERS, type SignerName } from '#test/upstream/signers.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { Gateway } from './gateway.ts'

type Client = keyof typeof AGENTS
const NAMES = Object.keys(SIGNERS) as SignerName[]
const PAIRS = (Object.keys(AGENTS) as Client[]).flatMap((client) =>
  NAMES.filter((upstream) => !(client === 'openai-responses' && upstream === 'responses'))
    .filter((upstream) => !(client === 'anthropic-messages' && upstream === 'anthropic') && client !== upstream)
    .map((upstream) => [client, upstream] as const),
)

let upstream: Upstream
before(async () => {
  upstream = await startUpstream()
  upstream.always((received) => {
    const model = String(received.fields['model'] ?? decodeURIComponent(received.path))
    // The longest name first: one is part of another.
    const names = NAMES.toSorted((left, right) => SIGNED_MODELS[right].length - SIGNED_MODELS[left].length)
    const name = names.find((each) => model.includes(SIGNED_MODELS[each]))!
    const ids: Ids = [`functions.${asked}:0`, `functions.${asked}:1`]
    return signedReply(SIGNERS[name], ids, received)
  })
})
after(() => upstream.close())
/** Ids of calls are new in each answer. */
let asked = 0

/** As `ask` of the gateways of this process. */
const asker = (gateway: Gateway, key: string) => ({
  async ask(path: string, { body }: { body?: unknown } = {}): Promise<Told> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const reply = await fetch(gateway.baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await reply.text()
    const isJson = (reply.headers.get('content-type') ?? '').includes('json')
    return { status: reply.status, headers: reply.headers, text, json: isJson ? JSON.parse(text) : undefined }
  },
})

async function startGateway(translation: object = {}): Promise<Gateway> {
  const config = { ...configFor(upstream.url, signedConfig(upstream.url)), translation }
  return Gateway.start({ config, env: { ...ENVIRONMENT } })
}

/** The second requests of conversations on all pairs, without anything that was signed; each is sent to its model. */
async function beginAll(gateway: Gateway, key: string) {
  const begun: { client: Client; model: string; body: Json; streamed: boolean }[] = []
  for (const [at, [client, name]] of PAIRS.entries()) {
    const model = SIGNED_MODELS[name]
    const agent = AGENTS[client]
    const streamed = at % 2 === 1
    asked++
    const question = agent.question(model)
    const told = await send(asker(gateway, key), agent, model, question, streamed)
    assert.equal(told.status, 200, told.text)
    begun.push({
      client,
      model,
      body: withoutSeals(client, agent.next(question, agent.read(told, streamed))),
      streamed,
    })
  }
  return begun
}

async function statusesOf(
  gateway: Gateway,
  key: string,
  begun: Awaited<ReturnType<typeof beginAll>>,
): Promise<number[]> {
  const statuses: number[] = []
  for (const { client, model, body, streamed } of begun)
    statuses.push((await send(asker(gateway, key), AGENTS[client], model, body, streamed)).status)
  return statuses
}

test('after a restart every conversation goes on, for its own account', async () => {
  const gateway = await startGateway()
  try {
    const { key } = await gateway.fund('seals@fault.test', '100')
    const begun = await beginAll(gateway, key)
    await gateway.kill('SIGTERM')
    const folder = join(gateway.folder, 'data')
    const stored = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
    assert.ok(stored.some((text) => text.includes('tool_seals')))
    for (const secret of ['EqQBCkYI', 'Look it up', 'In both cities'])
      assert.ok(!stored.some((text) => text.includes(secret)))
    await gateway.run()
    assert.deepEqual(new Set(await statusesOf(gateway, key, begun)), new Set([200]), gateway.log)
    const other = await gateway.fund('other@fault.test', '100')
    assert.deepEqual(new Set(await statusesOf(gateway, other.key, begun)), new Set([400]))
  } finally {
    await gateway.stop()
  }
})

test('kept in memory, they end with the process', async () => {
  const gateway = await startGateway({ stash_seals: 'memory' })
  try {
    const { key } = await gateway.fund('memory@fault.test', '100')
    const begun = await beginAll(gateway, key)
    assert.deepEqual(new Set(await statusesOf(gateway, key, begun)), new Set([200]))
    await gateway.kill('SIGTERM')
    await gateway.run()
    assert.deepEqual(new Set(await statusesOf(gateway, key, begun)), new Set([400]))
  } finally {
    await gateway.stop()
  }
})
