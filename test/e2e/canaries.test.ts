import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { browserAt, PASSWORD, person } from './browser.ts'
import { dumpOf } from './dump.ts'
import { MODELS, startTestGateway, UPSTREAM_KEYS } from './gateway.ts'

test('S13: no secret, prompt or completion is stored, logged, captured or told in an error', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trivium-canary-'))
  const [logFile, captureFile] = [join(folder, 'gateway.log'), join(folder, 'capture.jsonl')]
  const told: string[] = []
  let secrets: Record<string, string> = {}
  const prompt = 'canary-prompt-5f1c9a'
  const completion = 'canary-77b0e2'
  {
    await using gateway = await startTestGateway({
      env: { DATA_DIR: join(folder, 'data') },
      config: { logging: { level: 'trace', file: logFile, capture_file: captureFile } },
      // A stream cuts it in two: each half is one.
      upstream: { text: completion + completion },
    })
    const { key, hash } = await gateway.fund()
    const { key: administration } = await gateway.admin('POST', '/api/v1/keys', { name: 'm', kind: 'management' })
    const browser = browserAt(gateway.url)
    await browser.auth('/sign-up/email', person('canary@example.com'))
    const cookie = decodeURIComponent(browser.cookies.get('trivium.session_token')!)
    const messages = [{ role: 'user', content: prompt }]
    const bodies = [
      ['/v1/chat/completions', { model: MODELS.chat.id, messages }],
      ['/v1/chat/completions', { model: MODELS.chat.id, messages, stream: true }],
      ['/v1/messages', { model: MODELS.messages.id, max_tokens: 9, messages }],
      [`/v1beta/models/${MODELS.gemini.id}:generateContent`, { contents: [{ parts: [{ text: prompt }] }] }],
    ] as const
    const answers: string[] = []
    for (const [path, body] of bodies) answers.push((await gateway.ask(path, { key, body })).text)
    // The run is real: the client got what nobody else may have.
    assert.ok(answers.every((answer) => answer.includes(completion)))

    const fail = async (path: string, ask: object): Promise<void> => void told.push((await gateway.ask(path, ask)).text)
    for (const status of [400, 401, 429, 500]) {
      const error = { message: `refused ${UPSTREAM_KEYS.openai}`, type: 'x', code: 'x' }
      gateway.upstream.script({ status, body: { error } })
      await fail('/v1/chat/completions', { key, body: bodies[0][1] })
    }
    await fail('/v1/chat/completions', { key, body: `{"model":"${MODELS.chat.id}","messages":["${prompt}"` })
    await fail('/v1/chat/completions', { key: `${key.slice(0, -1)}!`, body: bodies[0][1] })
    await fail('/v1/chat/completions', { key: administration, body: bodies[0][1] })
    await fail(`/v1/chat/completions?key=${key}`, { key: null, body: bodies[0][1] })
    await fail('/api/admin/accounts', { key, body: {} })
    await fail('/api/auth/sign-in/email', {
      key: null,
      body: { email: 'canary@example.com', password: `${PASSWORD}x` },
    })
    told.push((await browser.ask('POST', '/api/v1/keys', { name: { x: prompt } })).text)
    const rotated = await gateway.admin('POST', `/api/v1/keys/${hash}/rotate`)
    told.push((await gateway.ask('/api/logs', { key: rotated.key })).text)
    told.push((await gateway.ask('/api/v1/keys', { key: administration })).text)
    secrets = {
      key,
      administration,
      rotated: rotated.key,
      master: gateway.masterKey,
      cookie,
      PASSWORD,
      ...UPSTREAM_KEYS,
    }
  }
  const places = {
    'the database': dumpOf(join(folder, 'data')),
    'the log': readFileSync(logFile, 'utf8'),
    'the capture': readFileSync(captureFile, 'utf8'),
    'an answer': told.join('\n'),
  }
  assert.ok(places['the capture'].split('\n').length > 4)
  assert.ok(places['the database'].includes('canary@example.com'))
  for (const [place, text] of Object.entries(places)) {
    for (const [name, secret] of Object.entries({ ...secrets, prompt, completion })) {
      assert.ok(!text.includes(secret), `${name} stands in ${place}`)
    }
  }
  rmSync(folder, { recursive: true, force: true })
})
