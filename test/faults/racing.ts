/** One race of many requests for a balance that pays for a few (M1), at one gateway or at several that share their database. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { amountOf, eventually, type Gateway } from './gateway.ts'
import { type Answer, chatBytes, type Lanes } from './lanes.ts'
import { quantileOf } from '#test/quantiles.ts'
import { randomOf } from './random.ts'
import type { Call, Upstream } from './upstream.ts'
import { SURFACES } from './wire.ts'

/** With input free and output at 5 USD per million, 1000 tokens cost at most 0.005. */
export const RACE_PRICE = { input: 0, output: 5 }
export const OUTPUT_TOKENS = 1000
const WORST_CASE = amountOf('0.005')

export const CLIENTS = 1000
export const PAID_FOR = 50
export const BALANCE = '0.25'
/** More than are paid for, so that the admitted ones do not keep the others from being refused. */
export const CONNECTIONS = 64
const DECIDED_MS_MAX = 30_000
export const REFUSED_MS_MAX = 50

export interface Racers {
  readonly gateways: readonly Gateway[]
  /** Of each gateway. */
  readonly lanes: readonly Lanes[]
  readonly upstream: Upstream
  readonly accountId: string
  readonly keys: readonly string[]
  readonly seed: number
}

export interface Finish {
  /** Milliseconds that each refusal took. */
  readonly refusedMs: readonly number[]
  /** Milliseconds that the host of a virtual machine took from its processors meanwhile. */
  readonly stolenMs: number
}

/** An account with the balance of the race, and so many keys. */
export async function enter(
  gateway: Gateway,
  name: string,
  keys: number,
): Promise<{ accountId: string; keys: string[] }> {
  const { accountId, key } = await gateway.fund(`${name}@fault.test`, BALANCE)
  const all = [key]
  while (all.length < keys) {
    const wish = { name: `key ${all.length}`, account_id: accountId }
    all.push((await gateway.admin<{ key: string }>('POST', '/api/v1/keys', wish)).key)
  }
  return { accountId, keys: all }
}

/**
 * Sends all at once, over all surfaces, whole and streamed, and holds the outcome against the figures of M1. With an even
 * seed the upstream answers only after every request was admitted or refused; with an odd one as they come.
 */
export async function race({ gateways, lanes, upstream, accountId, keys, seed }: Racers): Promise<Finish> {
  const next = randomOf(seed)
  upstream.reset()
  const waiting: Call[] = []
  const holdsBack = seed % 2 === 0
  upstream.answer = (call) => void (holdsBack ? waiting.push(call) : finish(call))
  let refused = 0
  const stolenBefore = stolenMs()
  const requests = Array.from({ length: CLIENTS }, () => {
    const at = Math.floor(next() * gateways.length)
    const surface = SURFACES[Math.floor(next() * SURFACES.length)]!
    const key = keys[Math.floor(next() * keys.length)]!
    return { lane: lanes[at]!, bytes: chatBytes(key, surface, next() < 0.5, OUTPUT_TOKENS) }
  })
  const answers = Promise.all(
    requests.map(async ({ lane, bytes }) => {
      const answer = await lane.send(bytes)
      if (answer.status !== 200) refused++
      return answer
    }),
  )
  if (holdsBack) {
    const decided = async () => (waiting.length + refused >= CLIENTS ? true : undefined)
    await eventually(`${CLIENTS} are admitted or refused`, DECIDED_MS_MAX, decided)
    const { available, held } = await gateways[0]!.account(accountId)
    assert.deepEqual([available, amountOf(held)], ['0', amountOf(BALANCE)], 'all of the balance is held, and no more')
    for (const call of waiting) finish(call)
  }
  const told = await answers
  const stolen = stolenMs() - stolenBefore
  assert.equal(upstream.calls, PAID_FOR, 'upstream calls')
  await checkBooks(gateways[0]!, accountId)
  return { refusedMs: checkAnswers(told), stolenMs: stolen }
}

/** Of all processors since the start; 0 where the system does not tell. The kernel counts hundredths of a second (proc(5)). */
function stolenMs(): number {
  if (!existsSync('/proc/stat')) return 0
  return Number(readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/)[8] ?? 0) * 10
}

/** Uses its bound up exactly. */
function finish(call: Call): void {
  const tokens = { input: 10, output: OUTPUT_TOKENS }
  if (call.stream) call.streamOut(2, 1, tokens)
  else call.reply(tokens)
}

function checkAnswers(answers: readonly Answer[]): number[] {
  const count = (status: number): number => answers.filter((one) => one.status === status).length
  assert.deepEqual([count(200), count(402)], [PAID_FOR, CLIENTS - PAID_FOR])
  return answers.filter(({ status }) => status === 402).map(({ ms }) => ms)
}

/** After every entry the balance, less what was still held for the others, is not below zero. */
async function checkBooks(gateway: Gateway, accountId: string): Promise<void> {
  const { balance, sum, usage } = await gateway.settledBooks(accountId)
  assert.equal(usage.length, PAID_FOR)
  assert.deepEqual([balance, sum], [0n, 0n], 'requests at the bound use the balance up exactly')
  let funds = 0n
  let open = PAID_FOR
  for (const { type, amount } of (await gateway.ledger(accountId)).toReversed()) {
    funds += amountOf(amount)
    if (type === 'usage') open--
    assert.ok(funds - WORST_CASE * BigInt(open) >= 0n, `${funds} with ${open} open`)
  }
}

export function describeTimes(times: readonly number[]): string {
  const [half, most, all] = [0.5, 0.99, 1].map((share) => quantileOf(times, share).toFixed(1))
  return `${times.length} x 402: half within ${half} ms, 99 % within ${most} ms, all within ${all} ms`
}
