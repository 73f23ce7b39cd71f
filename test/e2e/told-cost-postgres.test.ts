/** R100, M2 where the store has to be asked: what a stream costs beyond its hold is told when it is known, and what nobody paid for is not shown. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { postgresSkip, startPostgres, type TestPostgres } from '#test/postgres.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received } from '#test/upstream/upstream.ts'
import { configFor, eventsOf, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

const HELLO = [{ role: 'user', content: 'Hello' }]
const WORDS = 'All work and no play makes a dull stream. '.repeat(10)
const PATH = '/v1/chat/completions'
const CENT = 10_000_000n

suite('streams beyond their hold on PostgreSQL', { skip: postgresSkip }, () => {
  let server: TestPostgres
  let gateway: TestGateway
  before(async () => {
    server = await startPostgres()
    gateway = await startTestGateway({
      env: { DATABASE_URL: await server.createDatabase('told') },
      config: (url) => ({
        models: configFor(url)['models'].map((model: Json) => ({
          ...model,
          ...(model.max_output && { max_output: 1000 }),
        })),
      }),
    })
  })
  after(async () => {
    await gateway?.close()
    await server?.stop()
  })

  for (const model of [MODELS.chat.id, MODELS.messages.id]) {
    test(`R100: ${model}: the streamed cost is the charged one, and the rest is absorbed`, async () => {
      const { key } = await gateway.fund({ credit: '0.05' })
      const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 1_000_000, reasoning: 0 }
      gateway.upstream.script((received: Received) => ({
        frames: answerNatively(received, { text: 'Hello there.', sold })!.frames!,
      }))
      const body = { model, messages: HELLO, max_tokens: 100, stream: true, stream_options: { include_usage: true } }
      const told = await gateway.ask(PATH, { key, body })
      assert.ok(told.text.includes('[DONE]'), told.text)
      assert.equal(eventsOf(told.text).findLast((event) => event.usage)!.usage.cost, 0.05)
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual([row.charged_cost, row.absorbed_cost], ['0.05', '14.95003'])
    })

    test(`M2: ${model}: the hold grows while there is money, all of a chunk comes in its order, and then it ends`, async () => {
      const { key, accountId } = await gateway.fund({ credit: '0.04' })
      const pieces = Array.from({ length: 60 }, (_, at) => `<${at}> ${WORDS}`)
      gateway.upstream.script((received: Received) => {
        const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
        const frames = answerNatively(received, { text: 'AaBb', sold })!.frames!
        const at = frames.findIndex((frame) => frame.includes('"Aa"'))
        const said = pieces.map((piece) => frames[at]!.replace('"Aa"', JSON.stringify(piece))).join('')
        return { frames: [...frames.slice(0, at), said, { text: '', waitFor: new Promise(() => {}) }] }
      })
      const body = { model, messages: HELLO, stream: true }
      const { text, headers } = await gateway.ask(PATH, { key, body })
      const seen = [...text.matchAll(/<(\d+)>/g)].map(([, at]) => Number(at))
      assert.deepEqual(
        seen,
        seen.map((_, at) => at),
      )
      assert.ok(seen.length > 10 && seen.length < 40, `${seen.length} pieces`)
      assert.equal(eventsOf(text).at(-1).error.code, 'insufficient_balance')
      const account = await gateway.account(accountId)
      assert.equal(account.held, '0')
      assert.ok(parseUsd(account.balance)! >= 0n && parseUsd(account.balance)! < CENT)
      const row = await gateway.log(headers.get('x-request-id')!)
      assert.deepEqual([row.status, row.error_code], ['rejected', 'insufficient_balance'])
    })
  }
})
