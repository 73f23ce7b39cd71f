/** Money faults in short forms: parameters that are no numbers (M13), clients that leave (M3), ten keys of one account (M1), leaks (M18). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received, Script } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { eventually } from '#test/faults/gateway.ts'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const nano = (amount: string): bigint => parseUsd(amount)!
const HELLO = [{ role: 'user', content: 'Hello' }]
const SURFACES = {
  chat: ['/v1/chat/completions', { model: MODELS.chat.id, messages: HELLO }, 'max_tokens'],
  responses: ['/v1/responses', { model: MODELS.chat.id, input: 'Hello' }, 'max_output_tokens'],
  messages: ['/v1/messages', { model: MODELS.messages.id, messages: HELLO }, 'max_tokens'],
} as const
const LIMITS = ['-1', '0.5', '1e400', '"10"', '9223372036854775808', '{}', '[]', 'true']

for (const [name, [path, body, member]] of Object.entries(SURFACES)) {
  test(`M13: ${name}: an output limit that is no count is refused, costs nothing and reaches no upstream`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    const calls = gateway.upstream.count()
    for (const limit of LIMITS) {
      const text = `${JSON.stringify(body).slice(0, -1)},"${member}":${limit}}`
      const told = await gateway.ask(path, { key, body: text, headers: { 'content-type': 'application/json' } })
      assert.equal(told.status, 400, `${limit}: ${told.status} ${told.text}`)
    }
    assert.equal(gateway.upstream.count(), calls)
    const account = await gateway.account(accountId)
    assert.deepEqual([account.balance, account.held], ['1', '0'])
  })
}

test('M13: a million candidates are more than any balance, and no upstream hears of them', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  const calls = gateway.upstream.count()
  const told = await gateway.ask('/v1/chat/completions', { key, body: { ...SURFACES.chat[1], max_tokens: 5, n: 1e6 } })
  assert.ok(told.status === 400 || told.status === 402, told.text)
  assert.equal(gateway.upstream.count(), calls)
  assert.equal((await gateway.account(accountId)).held, '0')
})

test('M1: ten keys of one account race for a balance that pays for five calls', async () => {
  const { key, accountId } = await gateway.fund({ credit: '0.03' })
  const keys = [key]
  while (keys.length < 10) {
    const made = await gateway.admin('POST', '/api/v1/keys', { name: `k${keys.length}`, account_id: accountId })
    keys.push(made.key)
  }
  const calls = gateway.upstream.count()
  const gate = Promise.withResolvers<void>()
  gateway.upstream.always({ waitFor: gate.promise })
  // A bound of about 0.0055 each: 330 tokens of output and a prompt of some 110 bytes.
  const body = { ...SURFACES.chat[1], max_tokens: 330 }
  let refused = 0
  const told = await Promise.all(
    Array.from({ length: 200 }, async (_, at) => {
      const one = await gateway.ask('/v1/chat/completions', { key: keys[at % 10]!, body })
      if (one.status === 402 && ++refused === 195) gate.resolve()
      return one.status
    }),
  )
  gateway.upstream.always(undefined)
  assert.equal(told.filter((status) => status === 200).length, 5)
  assert.equal(gateway.upstream.count() - calls, 5)
  const account = await gateway.account(accountId)
  assert.ok(nano(account.balance) >= 0n)
  assert.equal(account.held, '0')
})

/** Stops behind its first pieces until the client has gone. */
const halfway: Script = (received: Received) => {
  const sold = { input: 1000, cacheRead: 0, cacheWrite: 0, output: 50, reasoning: 0 }
  const frames = [...answerNatively(received, { text: 'Some words that were delivered.', sold })!.frames!]
  const said = 1 + frames.findIndex((frame) => frame.includes('Some'))
  return { frames: [...frames.slice(0, said), { text: '', waitFor: new Promise(() => {}) }] }
}

for (const [name, [path, body]] of Object.entries(SURFACES)) {
  test(`M3, M18: ${name}: who leaves in the middle pays a flagged estimate, once, and nothing stays held`, async () => {
    // Enough for the holds of all rounds: what they delivered is counted in a thread that may have to start first.
    const { key, accountId } = await gateway.fund({ credit: '10' })
    const aborted = gateway.upstream.aborted
    const ROUNDS = 10
    for (let round = 0; round < ROUNDS; round++) {
      gateway.upstream.script(halfway)
      const left = new AbortController()
      const ask = { key, body: { ...body, stream: true }, signal: left.signal }
      const response = await gateway.open(path, ask)
      assert.equal(response.status, 200)
      await response.body!.getReader().read()
      left.abort()
      await gateway.upstream.whenAborted(aborted + round + 1)
    }
    const rows: Json[] = await eventually('a row each', 5000, async () => {
      const found = await gateway.logs(accountId)
      return found.length === ROUNDS ? found : undefined
    })
    for (const row of rows) {
      assert.deepEqual([row.status, row.usage_source], ['client_cancelled', 'estimated'])
      assert.ok(nano(row.charged_cost) > 0n)
    }
    const account = await gateway.account(accountId)
    assert.equal(account.held, '0')
    const charged = rows.reduce((sum, row) => sum + nano(row.charged_cost), 0n)
    assert.equal(nano(account.balance), 10_000_000_000n - charged)
  })

  test(`M3: ${name}: who leaves before anything was said pays nothing`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    const [calls, aborted] = [gateway.upstream.count(), gateway.upstream.aborted]
    gateway.upstream.script({ hang: true })
    const left = new AbortController()
    const asked = gateway.open(path, { key, body: { ...body, stream: true }, signal: left.signal })
    await gateway.upstream.whenReceived(calls + 1)
    left.abort()
    await assert.rejects(asked)
    await gateway.upstream.whenAborted(aborted + 1)
    const account = await eventually('the hold is void', 5000, async () => {
      const found = await gateway.account(accountId)
      return found.held === '0' ? found : undefined
    })
    assert.equal(account.balance, '1')
  })
}
