/** M5: requests with the same idempotency key are one upstream call and one charge. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { IDEMPOTENCY_KEY_CHARACTERS_MAX } from '#data-plane/idempotent.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const PATH = '/v1/chat/completions'
const bodyOf = (content: string, stream = false): object => ({
  model: MODELS.chat.id,
  messages: [{ role: 'user', content }],
  max_tokens: 50,
  ...(stream && { stream: true }),
})
const keyed = (name: string, key: string, body: object, at = gateway): Promise<Told> =>
  at.ask(PATH, { key, body, headers: { 'idempotency-key': name } })
const charges = async (accountId: string, at = gateway): Promise<Json[]> =>
  (await at.ledger(accountId)).filter(({ type }) => type === 'usage')

for (const stream of [false, true]) {
  test(`M5: 50 parallel requests with one key, ${stream ? 'streamed' : 'whole'}: one call, one charge, the same bytes`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    const calls = gateway.upstream.count()
    const told = await Promise.all(Array.from({ length: 50 }, () => keyed('order-1', key, bodyOf('a', stream))))
    assert.ok(told.every(({ status }) => status === 200))
    assert.equal(gateway.upstream.count() - calls, 1)
    assert.equal((await charges(accountId)).length, 1)
    assert.equal(new Set(told.map(({ text }) => text)).size, 1)
    assert.equal(new Set(told.map(({ headers }) => headers.get('x-request-id'))).size, 50)
    assert.equal(told.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 49)
    const later = await keyed('order-1', key, bodyOf('a', stream))
    assert.equal(later.text, told[0]!.text)
    assert.equal(gateway.upstream.count() - calls, 1)
    assert.equal((await charges(accountId)).length, 1)
  })
}

test('M5: the same key for another body is refused, and for another account it is another key', async () => {
  const [one, two] = [await gateway.fund({ credit: '1' }), await gateway.fund({ credit: '1' })]
  const calls = gateway.upstream.count()
  assert.equal((await keyed('k', one.key, bodyOf('a'))).status, 200)
  const other = await keyed('k', one.key, bodyOf('b'))
  assert.deepEqual([other.status, other.json.error.code], [400, 'idempotency_key_reused'])
  assert.equal((await keyed('k', two.key, bodyOf('b'))).status, 200)
  assert.equal(gateway.upstream.count() - calls, 2)
  assert.deepEqual([(await charges(one.accountId)).length, (await charges(two.accountId)).length], [1, 1])
})

test('M5: what failed runs again under its key, and is charged once', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  gateway.upstream.script({ status: 500 })
  assert.equal((await keyed('again', key, bodyOf('a'))).status, 502)
  assert.equal((await keyed('again', key, bodyOf('a'))).status, 200)
  assert.equal((await keyed('again', key, bodyOf('a'))).headers.get('idempotent-replayed'), 'true')
  assert.equal((await charges(accountId)).length, 1)
})

test('M5: a client that lost its connection gets the answer it paid for', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  const gate = Promise.withResolvers<void>()
  gateway.upstream.script({ waitFor: gate.promise })
  const calls = gateway.upstream.count()
  const left = new AbortController()
  const lost = gateway.open(PATH, {
    key,
    body: bodyOf('a', true),
    headers: { 'idempotency-key': 'lost' },
    signal: left.signal,
  })
  await gateway.upstream.whenReceived(calls + 1)
  left.abort()
  await assert.rejects(lost)
  const again = keyed('lost', key, bodyOf('a', true))
  gate.resolve()
  const told = await again
  assert.equal(told.headers.get('idempotent-replayed'), 'true')
  assert.ok(told.text.includes('[DONE]'))
  assert.equal(gateway.upstream.count() - calls, 1)
  assert.equal((await charges(accountId)).length, 1)
})

test('M5: ids that a client makes up never change what is charged', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  const headers = {
    'x-request-id': 'req_forged',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  }
  for (let at = 0; at < 3; at++) await gateway.ask(PATH, { key, body: bodyOf('a'), headers })
  assert.equal((await charges(accountId)).length, 3)
})

test('M5: a key has at most so many characters', async () => {
  const { key } = await gateway.fund({ credit: '1' })
  assert.equal((await keyed('k'.repeat(IDEMPOTENCY_KEY_CHARACTERS_MAX), key, bodyOf('a'))).status, 200)
  const long = await keyed('k'.repeat(IDEMPOTENCY_KEY_CHARACTERS_MAX + 1), key, bodyOf('a'))
  assert.deepEqual([long.status, long.json.error.param], [400, 'idempotency-key'])
})

test('M5: after a restart what was charged is not charged again, and what was not runs', async () => {
  const data = mkdtempSync(join(tmpdir(), 'trivium-idempotent-'))
  try {
    const start = () => startTestGateway({ flags: { 'data-dir': data } })
    let [key, accountId] = ['', '']
    {
      await using first = await start()
      ;({ key, accountId } = await first.fund({ credit: '1' }))
      assert.equal((await keyed('charged', key, bodyOf('a'), first)).status, 200)
      first.upstream.script({ status: 500 })
      await keyed('failed', key, bodyOf('a'), first)
    }
    await using second = await start()
    const told = await keyed('charged', key, bodyOf('a'), second)
    assert.deepEqual([told.status, told.json.error.code], [409, 'idempotency_answered'])
    assert.equal((await keyed('charged', key, bodyOf('b'), second)).status, 400)
    assert.equal(second.upstream.count(), 0)
    assert.equal((await keyed('failed', key, bodyOf('a'), second)).status, 200)
    assert.equal((await charges(accountId, second)).length, 2)
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
})
