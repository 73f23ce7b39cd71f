import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import { ForbiddenResponseError } from '@openrouter/sdk/models/errors'
import { MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** Keys, credits and the PKCE flow as OpenRouter's own SDK knows them (openrouter-api.md section 7). */

let gateway: TestGateway
let administration: string
let accountId: string
before(async () => {
  gateway = await startTestGateway()
  accountId = (await gateway.fund({ credit: '10' })).accountId
  administration = (
    await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  ).key
})
after(() => gateway.close())

const client = (apiKey = administration): OpenRouter => new OpenRouter({ apiKey, serverURL: `${gateway.url}/api/v1` })
const chat = (key: string) =>
  client(key).chat.send({ chatRequest: { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] } })
const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url')

test('keys are made, listed, changed and deleted by the SDK, and credits are read', async () => {
  const made = await client().apiKeys.create({ requestBody: { name: 'sdk', limit: 2.5, limitReset: 'daily' } })
  assert.deepEqual([made.data.limit, made.data.limitReset, made.data.disabled], [2.5, 'daily', false])
  await chat(made.key)
  const { data } = await client().apiKeys.list()
  const listed = data.find(({ hash }) => hash === made.data.hash)!
  assert.ok(listed.usage > 0)
  assert.ok(!JSON.stringify(data).includes(made.key))
  const current = await client(made.key).apiKeys.getCurrentKeyMetadata()
  assert.equal(current.data.limitRemaining, 2.5 - listed.usage)
  const credits = await client().credits.getCredits()
  assert.deepEqual([credits.data.totalCredits, credits.data.totalUsage], [10, listed.usage])
  const changed = await client().apiKeys.update({
    hash: made.data.hash,
    requestBody: { name: 'renamed', disabled: true },
  })
  assert.deepEqual([changed.data.name, changed.data.disabled], ['renamed', true])
  await assert.rejects(chat(made.key))
  assert.equal((await client().apiKeys.get({ hash: made.data.hash })).data.name, 'renamed')
  assert.equal((await client().apiKeys.delete({ hash: made.data.hash })).deleted, true)
})

test('PKCE: an application gets a key of the user who allowed it, once', async () => {
  const verifier = randomBytes(32).toString('base64url')
  const requestBody = {
    callbackUrl: 'https://app.example/done',
    codeChallenge: challengeOf(verifier),
    codeChallengeMethod: 'S256' as const,
    limit: 1,
    usageLimitType: 'weekly' as const,
    keyLabel: 'my app',
  }
  const { data } = await client().oAuth.createAuthCode({ requestBody })
  const app = new OpenRouter({ apiKey: '', serverURL: `${gateway.url}/api/v1` })
  const exchange = (codeVerifier: string) =>
    app.oAuth.exchangeAuthCodeForAPIKey({ requestBody: { code: data.id, codeVerifier, codeChallengeMethod: 'S256' } })
  const { key, userId } = await exchange(verifier)
  assert.equal(userId, accountId)
  await chat(key)
  const made = (await client().apiKeys.list()).data.find(({ name }) => name === 'my app')!
  assert.deepEqual([made.limit, made.limitReset], [1, 'weekly'])
  const row = (await gateway.logs(accountId))[0]
  assert.equal(row.system, 'app.example')
  await assert.rejects(exchange(verifier), ForbiddenResponseError)
})

test('PKCE: a wrong or missing verifier gets nothing and ends the code', async () => {
  const verifier = randomBytes(32).toString('base64url')
  const body = {
    callback_url: 'http://localhost:3000/',
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
  }
  for (const wrong of [{}, { code_verifier: 'x' }, { code_verifier: challengeOf(verifier) }]) {
    const made = await gateway.ask('/api/v1/auth/keys/code', { key: administration, body })
    const code = made.json.data.id
    assert.equal((await gateway.ask('/api/v1/auth/keys', { key: null, body: { code, ...wrong } })).status, 403)
    const late = { code, code_verifier: verifier }
    assert.equal((await gateway.ask('/api/v1/auth/keys', { key: null, body: late })).status, 403)
  }
})

test('PKCE: of many who bring one code, one gets a key', async () => {
  const made = await gateway.ask('/api/v1/auth/keys/code', {
    key: administration,
    body: { callback_url: 'https://a.example' },
  })
  const exchange = () => gateway.ask('/api/v1/auth/keys', { key: null, body: { code: made.json.data.id } })
  const told = await Promise.all(Array.from({ length: 20 }, exchange))
  assert.equal(told.filter(({ status }) => status === 200).length, 1)
})

test('PKCE: where a code may be sent, and who may ask for one', async () => {
  const ask = (body: object, key: string = administration) => gateway.ask('/api/v1/auth/keys/code', { key, body })
  for (const callback_url of [
    'http://evil.example',
    'javascript:alert(1)',
    'ftp://localhost',
    'x',
    `https://a.example/${'x'.repeat(2048)}`,
  ]) {
    assert.equal((await ask({ callback_url })).status, 400, callback_url)
  }
  assert.equal((await ask({})).status, 400)
  assert.equal((await ask({ code_challenge: 'abc' })).status, 200)
  assert.equal((await ask({ callback_url: 'https://a.example', workspace_id: gateway.accountId })).status, 403)
  assert.equal((await ask({ callback_url: 'https://a.example' }, gateway.key)).status, 403)
})
