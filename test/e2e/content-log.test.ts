import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CONTENT_BYTES_MAX } from '#observe/content-log.ts'
import { OpenRouter } from '@openrouter/sdk'
import { postgresSkip, startPostgres, type TestPostgres } from '#test/postgres.ts'
import { browserAt, person } from './browser.ts'
import { dumpOf, dumpOfPostgres } from './dump.ts'
import { type Funded, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** What keys ask and are answered, kept for who wants it and for nobody else (R101, S14), on both databases. */

const DAY_MS = 86_400_000
const PROMPT = 'canary-prompt-21f0'
const COMPLETION = 'canary-said-7be1'
const messages = [{ role: 'user', content: PROMPT }]
const chat = { model: MODELS.chat.id, messages }
const SURFACES = [
  ['/v1/chat/completions', chat],
  ['/v1/chat/completions', { ...chat, stream: true }],
  ['/v1/responses', { model: MODELS.chat.id, input: PROMPT, store: false }],
  ['/v1/messages', { model: MODELS.messages.id, max_tokens: 9, messages }],
  ['/v1/messages', { model: MODELS.messages.id, max_tokens: 9, messages, stream: true }],
  [`/v1beta/models/${MODELS.gemini.id}:generateContent`, { contents: [{ parts: [{ text: PROMPT }] }] }],
  [`/v1beta/models/${MODELS.gemini.id}:streamGenerateContent`, { contents: [{ parts: [{ text: PROMPT }] }] }],
  // Another protocol than the upstream's.
  ['/v1/chat/completions', { ...chat, model: MODELS.messages.id, stream: true }],
  ['/v1/embeddings', { model: MODELS.embedding.id, input: PROMPT }],
  ['/api/v1/chat/completions', { ...chat, stream: true }],
] as const

const ENGINES = [
  { name: 'SQLite', skip: false },
  { name: 'PostgreSQL', skip: postgresSkip },
] as const

for (const { name, skip: left } of ENGINES) {
  describe(`R101: content on ${name}`, { skip: left }, () => {
    let gateway: TestGateway
    let server: TestPostgres | undefined
    let dump: () => Promise<string>
    let lateMs = 0
    const data = mkdtempSync(join(tmpdir(), 'trivium-content-'))
    before(async () => {
      server = name === 'PostgreSQL' ? await startPostgres() : undefined
      const url = await server?.createDatabase('contents')
      gateway = await startTestGateway({
        env: { DATA_DIR: data, ...(url && { DATABASE_URL: url }) },
        upstream: { text: COMPLETION + COMPLETION },
        now: () => Date.now() + lateMs,
      })
      dump = async () => dumpOf(data) + (url ? await dumpOfPostgres(url) : '')
    })
    after(async () => {
      await gateway.close()
      await server?.stop()
      rmSync(data, { recursive: true, force: true })
    })

    const call = async (
      { key }: { key: string },
      [path, body]: readonly [string, object] = SURFACES[0],
      headers = {},
    ) => {
      const told = await gateway.ask(path, { key, body, headers })
      return { ...told, id: told.headers.get('x-request-id')! }
    }
    const read = (id: string, key: string) => gateway.ask(`/api/logs/${id}/content`, { key })
    const wanting = (content_log: object | null) => gateway.fund({ newKey: { content_log } })
    const full = (): Promise<Funded> => wanting({ mode: 'full', retention_days: 3 })
    const managerOf = async ({ accountId }: Funded): Promise<string> =>
      (await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })).key

    test('nothing is kept of a key that wants nothing, and nothing of any of it stands anywhere', async () => {
      const plain = await gateway.fund()
      for (const surface of SURFACES) {
        const told = await call(plain, surface)
        assert.equal(told.status, 200, surface[0])
        assert.equal((await read(told.id, plain.key)).status, 404)
      }
      const text = await dump()
      assert.ok(text.includes(plain.accountId))
      for (const canary of [PROMPT, COMPLETION, plain.key]) assert.ok(!text.includes(canary), canary)
    })

    test('full: both texts as the client sent and received them, on every surface, and unreadable in the database', async () => {
      const owner = await full()
      for (const surface of SURFACES) {
        const told = await call(owner, surface)
        const { status, json } = await read(told.id, owner.key)
        assert.equal(status, 200, surface[0])
        assert.deepEqual([json.mode, json.request_id], ['full', told.id])
        assert.equal(json.request.text, JSON.stringify(surface[1]))
        assert.equal(json.response.text, told.text)
        assert.deepEqual([json.response.bytes, json.response.cut], [Buffer.byteLength(told.text), false])
        assert.equal(Date.parse(json.expires_at) - Date.parse(json.created_at), 3 * DAY_MS)
      }
      const text = await dump()
      for (const canary of [PROMPT, COMPLETION]) assert.ok(!text.includes(canary), canary)
    })

    test('an error is kept as it was told; a body that is no request is not', async () => {
      const owner = await full()
      gateway.upstream.script({ status: 500, body: { error: { message: 'broken' } } })
      const failed = await call(owner)
      assert.equal(failed.status, 502)
      assert.equal((await read(failed.id, owner.key)).json.response.text, failed.text)
      const odd = await gateway.ask('/v1/chat/completions', { key: owner.key, body: `{"model":"${PROMPT}"` })
      assert.equal(odd.status, 400)
      assert.equal((await read(odd.headers.get('x-request-id')!, owner.key)).status, 404)
    })

    test("OpenRouter's SDK reads what was said, whatever protocol it was said in", async () => {
      const owner = await full()
      const { generations } = new OpenRouter({ apiKey: owner.key, serverURL: `${gateway.url}/api/v1` })
      for (const surface of SURFACES) {
        const { id } = await call(owner, surface)
        const { data } = await generations.listGenerationContent({ id })
        if (!surface[0].includes('embeddings'))
          assert.deepEqual(data.output, { completion: COMPLETION + COMPLETION, reasoning: null }, surface[0])
        assert.ok(JSON.stringify(data.input).includes(PROMPT))
        assert.equal(data.error, null)
      }
      gateway.upstream.script({ status: 429, body: { error: { message: 'slow' } } })
      const { data } = await generations.listGenerationContent({ id: (await call(owner)).id })
      assert.deepEqual([data.error?.status, data.output.completion], [429, null])
      const meta = await wanting({ mode: 'metadata' })
      const told = await gateway.ask(`/api/v1/generation/content?id=${(await call(meta)).id}`, { key: meta.key })
      assert.equal(told.status, 404)
    })

    test('metadata: sizes and digests, no text', async () => {
      const owner = await wanting({ mode: 'metadata' })
      const [one, same, other] = [await call(owner), await call(owner), await call(owner, SURFACES[1])]
      const [first, second, third] = await Promise.all(
        [one, same, other].map(async ({ id }) => (await read(id, owner.key)).json),
      )
      assert.deepEqual([first.mode, first.request.text, first.response.text], ['metadata', null, null])
      assert.equal(first.request.bytes, JSON.stringify(chat).length)
      assert.equal(first.request.digest, second.request.digest)
      assert.notEqual(first.request.digest, third.request.digest)
    })

    test('B13: a request that nobody may keep is not kept', async () => {
      const owner = await full()
      for (const provider of [{ data_collection: 'deny' }, { zdr: true }]) {
        const told = await call(owner, ['/api/v1/chat/completions', { ...chat, provider }])
        assert.equal((await read(told.id, owner.key)).status, 404, JSON.stringify(provider))
      }
      const told = await call(owner, ['/api/v1/chat/completions', { ...chat, provider: { data_collection: 'allow' } }])
      assert.equal((await read(told.id, owner.key)).status, 200)
    })

    test('an account may want it for all its keys; a key decides for itself; both can be changed', async () => {
      const owner = await gateway.fund()
      const manager = await managerOf(owner)
      const put = (content_log: object | null) =>
        gateway.ask('/api/v1/content-log', { method: 'PATCH', key: manager, body: { content_log } })
      assert.equal((await put({ mode: 'full', retention_days: 1 })).status, 200)
      const { json } = await gateway.ask('/api/v1/content-log', { key: manager })
      assert.deepEqual(json.content_log, { mode: 'full', retention_days: 1 })
      assert.equal((await read((await call(owner)).id, owner.key)).status, 200)
      const change = (content_log: object | null) =>
        gateway.ask(`/api/v1/keys/${owner.hash}`, { method: 'PATCH', key: manager, body: { content_log } })
      assert.equal((await change({ mode: 'none' })).json.data.content_log.mode, 'none')
      assert.equal((await read((await call(owner)).id, owner.key)).status, 404)
      assert.equal((await change(null)).json.data.content_log, null)
      assert.equal((await read((await call(owner)).id, owner.key)).status, 200)
      assert.equal((await put(null)).status, 200)
      assert.equal((await read((await call(owner)).id, owner.key)).status, 404)
      for (const wrong of [
        { mode: 'some' },
        { mode: 'full', retention_days: 0 },
        { mode: 'full', retention_days: 366 },
      ])
        assert.equal((await change(wrong)).status, 400, JSON.stringify(wrong))
      const audit: Json = await gateway.admin(
        'GET',
        `/api/audit?account_id=${owner.accountId}&action=content_log.update`,
      )
      assert.deepEqual([audit.data.length, audit.data[1].after.content_log.mode], [2, 'full'])
    })

    test('only its owner reads it, and every look is in the audit log', async () => {
      const owner = await full()
      const manager = await managerOf(owner)
      const sibling = await gateway.admin('POST', '/api/v1/keys', { name: 's', account_id: owner.accountId })
      const stranger = await gateway.fund({ newKey: { kind: 'management' } })
      const { id } = await call(owner)
      for (const key of [sibling.key, stranger.key, gateway.masterKey]) assert.equal((await read(id, key)).status, 404)
      assert.equal((await gateway.ask(`/api/logs/${id}/content`, { key: null })).status, 401)
      assert.equal((await read(id, manager)).status, 200)
      assert.equal((await read(id, owner.key)).status, 200)
      const { data }: Json = await gateway.admin('GET', `/api/audit?account_id=${owner.accountId}&action=content.read`)
      assert.deepEqual(
        data.map((one: Json) => [one.target_id, one.account_id]),
        [id, id].map((target) => [target, owner.accountId]),
      )
      assert.notEqual(data[0].actor, data[1].actor)
      assert.ok(!JSON.stringify(data).includes(PROMPT))
      const browser = browserAt(gateway.url)
      await browser.auth('/sign-up/email', person(`reader-${name.toLowerCase()}@example.com`))
      assert.equal((await browser.ask('GET', `/api/logs/${id}/content`)).status, 404)
    })

    test('one, all of a key and all of an account are deleted; a user key deletes nothing', async () => {
      const owner = await full()
      const manager = await managerOf(owner)
      const stranger = await gateway.fund({ newKey: { kind: 'management' } })
      const remove = (path: string, key = manager) => gateway.ask(path, { method: 'DELETE', key })
      const [one, two, three] = [await call(owner), await call(owner), await call(owner)]
      assert.equal((await remove(`/api/logs/${one.id}/content`, owner.key)).status, 403)
      assert.equal((await remove(`/api/logs/${one.id}/content`, stranger.key)).status, 404)
      assert.equal((await remove('/api/logs/content', stranger.key)).json.deleted, 0)
      assert.equal((await remove(`/api/logs/${one.id}/content`)).json.deleted, 1)
      assert.equal((await remove(`/api/logs/${one.id}/content`)).status, 404)
      assert.equal((await read(two.id, owner.key)).status, 200)
      assert.equal((await remove(`/api/logs/content?key_id=${owner.hash}`)).json.deleted, 2)
      assert.equal((await read(three.id, owner.key)).status, 404)
      const last = await call(owner)
      assert.equal((await remove('/api/logs/content')).json.deleted, 1)
      assert.equal((await read(last.id, owner.key)).status, 404)
      // The rows themselves stay.
      assert.equal((await gateway.logs(owner.accountId)).length, 4)
    })

    test('what is long is cut at its bound and says so; secrets in it are cut', async () => {
      const owner = await full()
      const content = `sk-or-v1-0123456789abcdef ${'x'.repeat(CONTENT_BYTES_MAX)}`
      const told = await call(owner, ['/v1/chat/completions', { ...chat, messages: [{ role: 'user', content }] }])
      const { request } = (await read(told.id, owner.key)).json
      assert.deepEqual([request.cut, request.bytes > CONTENT_BYTES_MAX], [true, true])
      assert.ok(request.text.includes('sk-or-v1****') && !request.text.includes('0123456789abcdef'))
      assert.ok(Buffer.byteLength(request.text) < CONTENT_BYTES_MAX)
    })

    test('when its days are over it is not there any more', async () => {
      const owner = await full()
      const { id } = await call(owner)
      try {
        lateMs = 3 * DAY_MS - 60_000
        assert.equal((await read(id, owner.key)).status, 200)
        lateMs = 3 * DAY_MS
        assert.equal((await read(id, owner.key)).status, 404)
      } finally {
        lateMs = 0
      }
    })
  })
}
