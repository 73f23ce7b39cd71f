import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import type { GoogleAccess } from './cloud.ts'
import { fetchGoogleToken } from './google-token.ts'

const folder = mkdtempSync(join(tmpdir(), 'trivium-google-'))
let upstream: Upstream
before(async () => (upstream = await startUpstream()))
after(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

const TOKEN = { body: { access_token: 'ya29.x', expires_in: 3600 } }

function accessWith(file: object | string | null, change: Partial<GoogleAccess> = {}): GoogleAccess {
  const path = join(folder, file === null ? 'none.json' : 'credentials.json')
  if (file !== null) writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file))
  return {
    kind: 'google',
    files: [path],
    isFileNamed: false,
    tokenUrl: `${upstream.url}/token`,
    metadataUrl: upstream.url,
    ...change,
  }
}

test('a user’s own credentials', async () => {
  upstream.script(TOKEN)
  const file = { type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' }
  const { value, expiresAtMs } = await fetchGoogleToken(accessWith(file))
  assert.equal(value, 'ya29.x')
  assert.ok(expiresAtMs > Date.now() + 3_500_000)
  const { path, bytes } = upstream.received.at(-1)!
  assert.equal(path, '/token')
  assert.deepEqual(Object.fromEntries(new URLSearchParams(bytes.toString())), {
    grant_type: 'refresh_token',
    client_id: 'i',
    client_secret: 's',
    refresh_token: 'r',
  })
})

test('without a file the machine is asked', async () => {
  upstream.script(TOKEN)
  assert.equal((await fetchGoogleToken(accessWith(null))).value, 'ya29.x')
  const { method, path, headers } = upstream.received.at(-1)!
  assert.deepEqual(
    [method, path, headers['metadata-flavor']],
    ['GET', '/computeMetadata/v1/instance/service-accounts/default/token', 'Google'],
  )
})

test('what cannot be used is told without what it holds', async () => {
  const account = { type: 'service_account', client_email: 'a', private_key: 'top-secret' }
  await assert.rejects(fetchGoogleToken(accessWith(account)), (error: Error) => {
    assert.match(error.message, /private key of the service account cannot be used/)
    assert.doesNotMatch(`${error.message}${String(error.cause)}`, /top-secret/)
    return true
  })
  await assert.rejects(fetchGoogleToken(accessWith(null, { isFileNamed: true })), /cannot be read/)
  await assert.rejects(fetchGoogleToken(accessWith({ type: 'external_account' })), /service_account or authorized_user/)
  await assert.rejects(fetchGoogleToken(accessWith({ type: 'authorized_user' })), /have no client_id/)
  await assert.rejects(fetchGoogleToken(accessWith('[')), /no JSON object/)
  upstream.script({ status: 400, body: { error: 'invalid_grant', error_description: 'Token r was revoked.' } })
  const file = { type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' }
  await assert.rejects(fetchGoogleToken(accessWith(file)), /answered 400 invalid_grant$/)
  upstream.script({ body: { access_token: '' } })
  await assert.rejects(fetchGoogleToken(accessWith(file)), /no token/)
})
