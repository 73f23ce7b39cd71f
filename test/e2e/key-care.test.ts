import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DEMANDS_MAX } from '#accounts/key-policy.ts'
import { OVERLAP_SECONDS_MAX } from '#control-plane/keys.ts'
import { MODELS, startTestGateway, type TestGateway } from './gateway.ts'

const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
const surfaces = [
  ['/v1/chat/completions', chat],
  ['/v1/messages', { model: MODELS.messages.id, max_tokens: 9, messages: chat.messages }],
  [`/v1beta/models/${MODELS.gemini.id}:generateContent`, { contents: [{ parts: [{ text: 'hi' }] }] }],
] as const

describe('keys are cared for', () => {
  let gateway: TestGateway
  before(async () => void (gateway = await startTestGateway()))
  after(() => gateway.close())

  const status = async (key: string): Promise<number> =>
    (await gateway.ask('/v1/chat/completions', { key, body: chat })).status
  const rotate = (hash: string, body: object = {}) => gateway.admin('POST', `/api/v1/keys/${hash}/rotate`, body)

  test('R15: after a rotation both secrets work, and they are one key with one limit and one history', async () => {
    const { key, hash, accountId } = await gateway.fund({ newKey: { limit: 5, system: 'crm' } })
    assert.equal(await status(key), 200)
    const rotated = await rotate(hash)
    assert.match(rotated.key, /^sk-tv-/)
    assert.notEqual(rotated.data.hash, hash)
    assert.deepEqual([rotated.data.limit, rotated.data.system], [5, 'crm'])
    assert.deepEqual([await status(key), await status(rotated.key)], [200, 200])
    const rows = await gateway.logs(accountId)
    assert.equal(new Set(rows.map((row) => row.key_id)).size, 1)
    const shown = await gateway.admin('GET', `/api/v1/keys/${rotated.data.hash}`)
    assert.ok(shown.data.usage > 0)
    assert.ok(!JSON.stringify(shown).includes(rotated.key))
  })

  test('R15: without overlap the old secret ends at once; of three, the first ends with the second rotation', async () => {
    const first = await gateway.fund()
    assert.equal(await status(first.key), 200)
    const second = await rotate(first.hash, { overlap_seconds: 0 })
    assert.deepEqual([await status(first.key), await status(second.key)], [401, 200])
    const third = await rotate(second.data.hash)
    const fourth = await rotate(third.data.hash)
    assert.deepEqual([await status(second.key), await status(third.key), await status(fourth.key)], [401, 200, 200])
  })

  test('R15: an overlap has bounds', async () => {
    const { hash } = await gateway.fund()
    for (const overlap of [-1, 0.5, OVERLAP_SECONDS_MAX + 1]) {
      await assert.rejects(rotate(hash, { overlap_seconds: overlap }), /400/)
    }
    await rotate(hash, { overlap_seconds: OVERLAP_SECONDS_MAX })
  })

  test('R15: a key answers to its networks only, on every surface and before any upstream call', async () => {
    const away = await gateway.fund({ newKey: { ip_allow: ['203.0.113.0/24', '2001:db8::/32'] } })
    const home = await gateway.fund({ newKey: { ip_allow: '127.0.0.0/8, ::1' } })
    const shunned = await gateway.fund({ newKey: { ip_allow: ['127.0.0.0/8'], ip_deny: ['127.0.0.1'] } })
    const before = gateway.upstream.count()
    for (const { key } of [away, shunned]) {
      for (const [path, body] of surfaces) {
        const spoofed = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7', forwarded: 'for=203.0.113.7' }
        assert.equal((await gateway.ask(path, { key, body, headers: spoofed })).status, 403, path)
      }
      assert.equal((await gateway.ask('/v1/me', { key })).status, 403)
      assert.equal((await gateway.ask('/v1/models', { key })).status, 403)
    }
    assert.equal(gateway.upstream.count(), before)
    assert.equal(await status(home.key), 200)
    await gateway.admin('PATCH', `/api/v1/keys/${away.hash}`, { ip_allow: ['127.0.0.1'] })
    assert.equal(await status(away.key), 200)
  })

  test('R15: what is no network is refused, and so are too many', async () => {
    for (const ip_allow of [['localhost'], ['10.0.0.0/33'], ['1.2.3'], Array(DEMANDS_MAX + 1).fill('10.0.0.1')]) {
      await assert.rejects(gateway.fund({ newKey: { ip_allow } }), /400/)
    }
  })

  test('R17: expiry and system of a key can be changed', async () => {
    const { key, hash } = await gateway.fund()
    const later = new Date(Date.now() + 60_000).toISOString()
    const changed = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { expires_at: later, system: 'search' })
    assert.deepEqual([changed.data.expires_at, changed.data.system], [later, 'search'])
    assert.equal(await status(key), 200)
    await assert.rejects(gateway.admin('PATCH', `/api/v1/keys/${hash}`, { expires_at: '2020-01-01T00:00:00Z' }), /400/)
    const cleared = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { expires_at: null, system: null })
    assert.deepEqual([cleared.data.expires_at, cleared.data.system], [null, null])
  })
})
