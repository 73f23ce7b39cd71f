/** Invariants 3 to 8 of ARCHITECTURE.md, on the outside of a real gateway: what clients and upstreams see, byte by byte. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { call, type Outcome } from './faults/client.ts'
import { Gateway } from './faults/gateway.ts'
import { faultConfig, modelOf, SURFACES, type ChatSurface, WIRES, WORD } from './faults/wire.ts'
import { type Reply, startUpstream, type Upstream } from './upstream/upstream.ts'

const TOKENS = { input: 10, output: 10 }
const PRICE = { input: 1, output: 2 }
/** Numbers that JSON.parse would round, keys that it would reorder, text that a re-encoder would change. */
const FRAGILE = String.raw`"x_unknown": {"b": 12345678901234567890, "10": 1.50, "2": [ ], "a": "\u00e9\/é"}`
const PROMPT = 'prompt-that-nobody-may-store'
const COMPLETION = 'completion-that-nobody-may-store'

let upstream: Upstream
let gateway: Gateway
let key: string

before(async () => {
  upstream = await startUpstream()
  gateway = await Gateway.start({ config: faultConfig(upstream.url, PRICE) })
  key = (await gateway.fund('reader@example.com', '100.00')).key
})

after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

/** What the gateway itself puts into an answer: the cost inside `usage`, and the model's public name. */
const withoutOurs = (text: string, surface: ChatSurface): string =>
  text.replaceAll(/"cost":[\d.]+,?/g, '').replaceAll(modelOf(surface), 'MODEL')

/** What an upstream says its model is called; the public name stands in its place in the answer. */
const upstreamModel = (surface: ChatSurface): string => `upstream-${surface}`
const named = (text: string, surface: ChatSurface): string => text.replaceAll(upstreamModel(surface), 'MODEL')

function send(surface: ChatSurface, stream: boolean, body: string, token = key): Promise<Outcome> {
  const path = WIRES[surface].path(modelOf(surface), stream)
  return call(gateway.port, { path, headers: { authorization: `Bearer ${token}` }, body })
}

function bodyOf(surface: ChatSurface, stream: boolean, prompt = 'Hello'): string {
  const body = JSON.stringify(WIRES[surface].body(modelOf(surface), stream, 100, prompt))
  return body.replace('{', `{ ${FRAGILE} , `)
}

function streamOf(surface: ChatSurface, words = 3): string {
  const wire = WIRES[surface]
  const model = upstreamModel(surface)
  return wire.begin(model) + wire.delta(model).repeat(words) + wire.finish(model, TOKENS)
}

const cutEvery = (text: string, bytes: number): Buffer[] => {
  const whole = Buffer.from(text)
  return Array.from({ length: Math.ceil(whole.length / bytes) }, (_, index) =>
    whole.subarray(index * bytes, (index + 1) * bytes),
  )
}

const frames = (list: readonly (string | Buffer)[], more: Partial<Reply> = {}): Reply => ({ frames: list, ...more })

for (const surface of SURFACES) {
  describe(surface, () => {
    let seen: number
    beforeEach(() => {
      seen = upstream.count()
    })

    test('a request arrives as it was sent, but for the name of the model', async () => {
      const body = bodyOf(surface, false)
      assert.equal((await send(surface, false, body)).status, 200)
      const { bytes, fields } = upstream.received[seen]!
      const expected = fields.model === undefined ? body : body.replace(modelOf(surface), String(fields.model))
      assert.equal(bytes.toString(), expected)
    })

    test('an answer arrives as it was sent, but for the name of the model and the cost', async () => {
      const text = JSON.stringify(WIRES[surface].unary(upstreamModel(surface), TOKENS)).replace('{', `{ ${FRAGILE} , `)
      upstream.script({ body: text, headers: { 'content-type': 'application/json' } })
      const outcome = await send(surface, false, bodyOf(surface, false))
      assert.equal(outcome.status, 200, outcome.text)
      assert.equal(withoutOurs(outcome.text, surface), named(text, surface))
    })

    test('how the bytes of a stream were cut changes nothing', async () => {
      const text = streamOf(surface).replaceAll(WORD, `wörd \u{1F40C} `)
      const outcomes: string[] = []
      for (const size of [1, 2, 7, 64, text.length * 4]) {
        upstream.script(frames(cutEvery(text, size)))
        const outcome = await send(surface, true, bodyOf(surface, true))
        assert.equal(outcome.status, 200, outcome.text)
        outcomes.push(outcome.text)
      }
      assert.ok(outcomes[0]!.includes(WIRES[surface].endMark))
      for (const each of outcomes) assert.equal(each, outcomes[0])
    })

    test('a stream that breaks after content is not repeated and ends as a failure', async () => {
      const wire = WIRES[surface]
      const model = upstreamModel(surface)
      upstream.script(frames([wire.begin(model), wire.delta(model), wire.delta(model)], { cutAfterFrames: 3 }))
      const outcome = await send(surface, true, bodyOf(surface, true))
      assert.equal(upstream.count() - seen, 1)
      assert.ok(outcome.text.includes(WORD), outcome.text)
      assert.match(outcome.text, /error|response\.failed/)
      assert.ok(!outcome.text.includes(wire.endMark) || surface === 'openai-chat', 'the normal end was sent')
      assert.ok(!outcome.text.includes('"finish_reason":"stop"'))
    })

    test('an account without money, a suspended one and a disabled key reach no upstream', async () => {
      const poor = await gateway.fund(`poor-${surface}@example.com`, '0')
      assert.equal((await send(surface, false, bodyOf(surface, false), poor.key)).status, 402)
      const limited = await gateway.admin<{ key: string }>('POST', '/api/v1/keys', { name: 'limited', limit: 0 })
      assert.equal((await send(surface, false, bodyOf(surface, false), limited.key)).status, 402)
      const late = await gateway.fund(`late-${surface}@example.com`, '5')
      await gateway.admin('PATCH', `/api/admin/accounts/${late.accountId}`, { status: 'suspended' })
      assert.equal((await send(surface, false, bodyOf(surface, false), late.key)).status, 403)
      const off = await gateway.fund(`off-${surface}@example.com`, '5')
      await gateway.admin('PATCH', `/api/v1/keys/${off.hash}`, { disabled: true })
      assert.equal((await send(surface, false, bodyOf(surface, false), off.key)).status, 403)
      assert.equal(upstream.count(), seen)
    })

    test('prompts, completions and keys are in no log and no file', async () => {
      upstream.script(
        { text: COMPLETION },
        { status: 400, body: { error: { message: `no ${key} for upstream-secret` } } },
      )
      const good = await send(surface, false, bodyOf(surface, false, PROMPT))
      assert.ok(good.text.includes(COMPLETION), good.text)
      await send(surface, false, bodyOf(surface, false, PROMPT))
      const rows = JSON.stringify(await gateway.logs())
      const folder = join(gateway.folder, 'data')
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name)).toString('latin1'))
      for (const secret of [PROMPT, COMPLETION, key]) {
        for (const text of [rows, gateway.log, ...files]) assert.ok(!text.includes(secret), `${secret} was stored`)
      }
      assert.ok(!rows.includes(gateway.masterKey) && !gateway.log.includes(gateway.masterKey))
    })
  })
}

test('one account sees neither requests nor keys nor money of another', async () => {
  const [mine, theirs] = [await gateway.fund('mine@example.com', '5'), await gateway.fund('theirs@example.com', '7')]
  assert.equal((await send('openai-chat', false, bodyOf('openai-chat', false), theirs.key)).status, 200)
  const read = async (path: string, token: string) => {
    const reply = await fetch(`${gateway.baseUrl}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return { status: reply.status, text: await reply.text() }
  }
  const rows = (await gateway.logs()).filter((row) => row['account_id'] === theirs.accountId)
  assert.ok(rows.length > 0)
  for (const { request_id } of rows) {
    assert.equal((await read(`/api/logs/${request_id}`, theirs.key)).status, 200)
    assert.equal((await read(`/api/logs/${request_id}`, mine.key)).status, 404)
    assert.equal((await read(`/api/v1/generation?id=${request_id}`, mine.key)).status, 404)
  }
  const all = await read(`/api/logs?account_id=${theirs.accountId}`, mine.key)
  assert.ok(!all.text.includes(theirs.accountId), all.text)
  const me = await read('/v1/me', mine.key)
  assert.equal((JSON.parse(me.text) as { balance: string }).balance, '5')
  const management = await gateway.admin<{ key: string }>('POST', '/api/v1/keys', {
    name: 'manager',
    account_id: mine.accountId,
    kind: 'management',
  })
  assert.equal((await read(`/api/v1/keys/${theirs.hash}`, management.key)).status, 404)
  assert.ok(!(await read('/api/v1/keys', management.key)).text.includes(theirs.hash))
})
