import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { freePort } from '#test/faults/gateway.ts'
import { withoutSeals } from '#test/laws/bare.ts'
import { type Ids, signedReply, type SignerName, SIGNERS } from '#test/upstream/signers.ts'
import { AGENTS, send } from './agents.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { signedConfig, SIGNED_MODELS } from './signed-config.ts'

/**
 * Two turns with a tool and reasoning, on each surface in front of each upstream that signs: its signatures come back byte
 * for byte, also when the client drops everything that its protocol lets it drop (B3). The upstreams of `signers.ts` judge.
 */

type Client = keyof typeof AGENTS
const CLIENTS = Object.keys(AGENTS) as Client[]
const UPSTREAMS = Object.keys(SIGNERS) as SignerName[]

/** What speaks the client's own protocol passes as it stands: there the client keeps its seals itself. */
const NATIVE: Readonly<Partial<Record<Client, SignerName>>> = {
  'openai-responses': 'responses',
  'anthropic-messages': 'anthropic',
  gemini: 'gemini',
}

const USUAL: Readonly<Record<SignerName, Ids>> = {
  anthropic: ['toolu_01A', 'toolu_01B'],
  gemini: [null, null],
  responses: ['call_a', 'call_b'],
  converse: ['tooluse_a', 'tooluse_b'],
}

/** As hosts write them: with colons and dots, with spaces and worse, of a hundred characters that differ at the end, one for all. */
const STRANGE: readonly Ids[] = [
  ['functions.weather:0', 'functions.weather:1'],
  ['chatcmpl tool/é 🚀', 'chatcmpl tool/é 🚁'],
  [`call.${'x'.repeat(95)}`, `call.${'x'.repeat(94)}y`],
  [`call_${'x'.repeat(95)}`, `call_${'x'.repeat(94)}y`],
  ['weather', 'weather'],
]

let gateway: TestGateway
before(async () => {
  const port = await freePort()
  gateway = await startTestGateway({ config: signedConfig(`http://127.0.0.1:${port}`), upstream: { port } })
})
after(() => gateway.close())

/** Two turns; the second one is what the upstream says when it got everything back. */
async function converse(client: Client, upstream: SignerName, ids: Ids, how: { streamed: boolean; drops: boolean }) {
  const signer = SIGNERS[upstream]
  gateway.upstream.always((received) => signedReply(signer, ids, received))
  const agent = AGENTS[client]
  const model = SIGNED_MODELS[upstream]
  const asked = agent.question(model)
  const first = await send(gateway, agent, model, asked, how.streamed)
  assert.equal(first.status, 200, first.text)
  const next = agent.next(asked, agent.read(first, how.streamed))
  const second = await send(gateway, agent, model, how.drops ? withoutSeals(client, next) : next, how.streamed)
  assert.equal(second.status, 200, second.text)
  assert.match(JSON.stringify(agent.read(second, how.streamed)), /Hello/)
}

const WAYS = [false, true].flatMap((streamed) => [false, true].map((drops) => ({ streamed, drops })))
const nameOf = ({ streamed, drops }: (typeof WAYS)[number]): string =>
  `${streamed ? 'streamed' : 'whole'}, by a client that ${drops ? 'drops' : 'keeps'} what was signed`

for (const client of CLIENTS) {
  describe(`${client} in front of`, () => {
    for (const upstream of UPSTREAMS) {
      for (const way of WAYS) {
        if (way.drops && NATIVE[client] === upstream) continue
        test(`${upstream}: ${nameOf(way)}`, () => converse(client, upstream, USUAL[upstream], way))
      }
      if (NATIVE[client] === upstream) continue
      test(`${upstream}: ids of calls that the client's protocol does not take`, async () => {
        for (const ids of STRANGE) for (const way of WAYS) await converse(client, upstream, ids, way)
      })
    }
  })
}

test('what speaks the protocol of its client is left to its client', async () => {
  for (const [client, upstream] of Object.entries(NATIVE) as [Client, SignerName][]) {
    const way = { streamed: false, drops: true }
    await assert.rejects(converse(client, upstream, USUAL[upstream], way), /came back as/)
  }
})

test('switched off, nothing comes back', async () => {
  const port = await freePort()
  const config = { ...signedConfig(`http://127.0.0.1:${port}`), translation: { stash_seals: 'off' } }
  const usual = gateway
  await using silent = await startTestGateway({ config, upstream: { port } })
  try {
    gateway = silent
    const way = { streamed: false, drops: true }
    await assert.rejects(converse('openai-chat', 'gemini', USUAL.gemini, way), /came back as/)
    await converse('openai-chat', 'gemini', USUAL.gemini, { ...way, drops: false })
  } finally {
    gateway = usual
  }
})
