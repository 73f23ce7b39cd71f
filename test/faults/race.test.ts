/** M1, R94: a prepaid balance and more parallel requests than it pays for. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { amountOf, eventually, Gateway } from './gateway.ts'
import { chat, type Outcome } from './client.ts'
import { Upstream, type Call } from './upstream.ts'
import { faultConfig, SURFACES, type ChatSurface } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const CLIENTS = 50
const PAID_FOR = 2
/** With input free and output at 5 USD per million, 1000 tokens cost at most 0.005, and the balance pays for two. */
const PRICE = { input: 0, output: 5 }
const BALANCE = '0.01'
const OUTPUT_TOKENS = 1000
const ROUNDS = FULL ? 100 : 5
const ANSWER_MS_MAX = 10_000

let upstream: Upstream
let gateway: Gateway

before(async () => {
  upstream = await Upstream.start()
  gateway = await Gateway.start({ config: faultConfig(upstream.url, PRICE) })
})

after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

/** Sends all clients at once; the upstream answers only after every one of them was admitted or refused. */
async function race(
  key: string,
  surface: ChatSurface,
  stream: boolean,
  reportedTokens: number,
): Promise<{ outcomes: Outcome[]; reached: number }> {
  upstream.reset()
  const waiting: Call[] = []
  let decided = 0
  const decide = (): void => {
    if (++decided < CLIENTS) return
    for (const call of waiting) {
      const tokens = { input: 10, output: reportedTokens }
      if (stream) call.streamOut(2, 1, tokens)
      else call.reply(tokens)
    }
  }
  upstream.answer = (call) => {
    waiting.push(call)
    decide()
  }
  const outcomes = Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const outcome = await chat(gateway, key, surface, { stream, maxTokens: OUTPUT_TOKENS })
      if (outcome.status !== 200) decide()
      return outcome
    }),
  )
  await eventually(`${CLIENTS} requests admitted or refused, ${decided} were`, ANSWER_MS_MAX, async () =>
    decided >= CLIENTS ? true : undefined,
  )
  return { outcomes: await outcomes, reached: upstream.calls }
}

for (let round = 0; round < ROUNDS; round++) {
  const surface = SURFACES[round % SURFACES.length]!
  const stream = round % 2 === 1
  const kind = stream ? 'streams' : 'requests'

  test(`round ${round}: ${CLIENTS} ${surface} ${kind} race for a balance that pays for ${PAID_FOR}`, async () => {
    const { accountId, key } = await gateway.fund(`race-${round}@fault.test`, BALANCE)
    const { outcomes, reached } = await race(key, surface, stream, OUTPUT_TOKENS)
    const refused = outcomes.filter((outcome) => outcome.status === 402)
    assert.equal(reached, PAID_FOR)
    assert.equal(outcomes.filter((outcome) => outcome.status === 200).length, PAID_FOR)
    assert.equal(refused.length, CLIENTS - PAID_FOR)
    const books = await gateway.settledBooks(accountId)
    assert.equal(books.usage.length, PAID_FOR)
    assert.equal(books.balance, books.sum)
    assert.equal(books.balance, 0n, 'two requests at the bound use the balance up exactly')
  })
}

test('an upstream that counts more than the bound is paid as far as the balance reaches', async () => {
  const { accountId, key } = await gateway.fund('absorbed@fault.test', BALANCE)
  const { outcomes, reached } = await race(key, 'openai-chat', false, OUTPUT_TOKENS * 5)
  assert.equal(reached, PAID_FOR)
  assert.equal(outcomes.filter((outcome) => outcome.status === 200).length, PAID_FOR)
  const books = await gateway.settledBooks(accountId)
  assert.equal(books.balance, 0n)
  assert.equal(books.sum, 0n)
  const rows = (await gateway.logs(CLIENTS * 2)).filter(
    (row) => row['account_id'] === accountId && row.status_code === 200,
  )
  assert.equal(rows.length, PAID_FOR)
  const sum = (column: string): bigint => rows.reduce((total, row) => total + amountOf(String(row[column] ?? '0')), 0n)
  const cost = amountOf('0.025') * BigInt(PAID_FOR)
  assert.equal(sum('absorbed_cost') + sum('charged_cost'), cost)
  assert.equal(sum('absorbed_cost'), cost - amountOf(BALANCE))
})

test('many keys of one account share its balance', async () => {
  const { accountId, key } = await gateway.fund('keys@fault.test', BALANCE)
  const keys = [key]
  for (let made = 0; made < 9; made++) {
    const { key: another } = await gateway.admin<{ key: string }>('POST', '/api/v1/keys', {
      name: `key ${made}`,
      account_id: accountId,
    })
    keys.push(another)
  }
  upstream.reset()
  upstream.answer = (call) => call.reply({ input: 10, output: OUTPUT_TOKENS })
  const outcomes = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      chat(gateway, keys[index % keys.length]!, 'openai-chat', { maxTokens: OUTPUT_TOKENS }),
    ),
  )
  assert.equal(upstream.calls, PAID_FOR)
  assert.equal(outcomes.filter((outcome) => outcome.status === 402).length, CLIENTS - PAID_FOR)
  const books = await gateway.settledBooks(accountId)
  assert.equal(books.balance, 0n)
  assert.equal(books.sum, 0n)
})
