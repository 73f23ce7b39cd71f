import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { MODELS, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'
import { interleaved, sameDistribution } from './timing-statistics.ts'

/**
 * S6: nobody learns by the clock what somebody else has asked. One account asks some bodies; another one then asks these and as
 * many that nobody has asked, mixed. TRIVIUM_FAULTS=full takes 1,000 of each.
 */

const isFull = process.env['TRIVIUM_FAULTS'] === 'full'
const SAMPLES = isFull ? 1000 : 250
const SEED = Number(process.env['TRIVIUM_SEED'] ?? 6)
const P_MIN = 0.01
/** A difference by chance, one in a hundred, does not come back. */
const ROUNDS_MAX = 3
const PATHS = ['/v1/chat/completions', '/v1/messages'] as const

let gateway: TestGateway
let other: string

before(async () => {
  gateway = await startTestGateway()
  other = (await gateway.fund()).key
})
after(() => gateway.close())

function bodyOf(path: (typeof PATHS)[number], stream: boolean, text: string): object {
  const messages = [{ role: 'user', content: text }]
  if (path === '/v1/messages') return { model: MODELS.messages.id, max_tokens: 9, stream, messages }
  return { model: MODELS.chat.id, stream, messages }
}

async function ask(path: (typeof PATHS)[number], stream: boolean, text: string, key: string): Promise<number> {
  const body = bodyOf(path, stream, text)
  const begun = performance.now()
  const told = await gateway.ask(path, { key, body })
  const ms = performance.now() - begun
  assert.equal(told.status, 200, told.text)
  return ms
}

/** Milliseconds of bodies that somebody else has asked before, and of new ones. */
async function timesOf(path: (typeof PATHS)[number], stream: boolean, round: number): Promise<[number[], number[]]> {
  const textOf = (kind: string, at: number) => `${kind} ${path} ${stream} ${round} ${at}`
  for (let at = 0; at < SAMPLES; at++) await ask(path, stream, textOf('old', at), other)
  const times: [number[], number[]] = [[], []]
  for (const kind of interleaved(2, SAMPLES, SEED + round)) {
    const text = textOf(kind === 0 ? 'old' : 'new', times[kind]!.length)
    times[kind]!.push(await ask(path, stream, text, gateway.key))
  }
  return times
}

describe('S6: what others have asked', () => {
  for (const path of PATHS) {
    for (const stream of [false, true]) {
      test(`${path}, ${stream ? 'streamed' : 'whole'}: is not to be seen by the clock`, async (context) => {
        const seen: number[] = []
        for (let round = 0; round < ROUNDS_MAX; round++) {
          const [old, fresh] = await timesOf(path, stream, round)
          const probability = sameDistribution(old, fresh)
          seen.push(probability)
          if (probability <= P_MIN) continue
          // The same answers a quarter faster, as from a cache, would have been seen.
          const faster = old.map((ms) => ms * 0.75)
          assert.ok(sameDistribution(faster, fresh) <= P_MIN, 'the times scatter too much to tell anything')
          context.diagnostic(`${SAMPLES} of each, p ${seen.map((one) => one.toFixed(3)).join(', ')}`)
          return
        }
        assert.fail(`the times differ: p ${seen.join(', ')}`)
      })
    }
  }
})
