import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { fetchAwsKeys, readProfile } from './aws-credentials.ts'

const KEYS = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'token' }
const EXPIRATION = '2030-01-02T03:04:05Z'
const AS_TOLD = { AccessKeyId: 'ASIAEXAMPLE', SecretAccessKey: 'secret', Token: 'token', Expiration: EXPIRATION }
const LEASE = { value: KEYS, expiresAtMs: Date.parse(EXPIRATION) }

const folder = mkdtempSync(join(tmpdir(), 'trivium-aws-'))
let upstream: Upstream
before(async () => (upstream = await startUpstream()))
after(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

function fileWith(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

test('a profile: the file of credentials stands before that of settings', async () => {
  const credentials = fileWith(
    'credentials',
    '[default]\naws_access_key_id = A\n\n[ work ]\r\naws_access_key_id=W # mine\r\naws_secret_access_key = s=/+\r\n',
  )
  const settings = fileWith(
    'config',
    '[profile work]\nregion = eu-west-1\naws_access_key_id = other\naws_session_token = t\ns3 =\n  region = nested\n',
  )
  const { value } = await fetchAwsKeys({
    from: 'profile',
    profile: 'work',
    files: [credentials, settings, join(folder, 'none')],
  })
  assert.deepEqual(value, { accessKeyId: 'W', secretAccessKey: 's=/+', sessionToken: 't' })
  assert.equal(
    readProfile('[profile work]\nregion = eu-west-1\ns3 =\n  region = nested', 'work')['region'],
    'eu-west-1',
  )
  await assert.rejects(fetchAwsKeys({ from: 'profile', profile: 'nobody', files: [credentials] }), /"nobody" has no/)
})

test('a token of the cluster becomes the keys of its role', async () => {
  const xml = `<AssumeRoleWithWebIdentityResponse xmlns="x"><AssumeRoleWithWebIdentityResult><Credentials>
    <SessionToken>token</SessionToken><SecretAccessKey>secret</SecretAccessKey>
    <Expiration>${EXPIRATION}</Expiration><AccessKeyId>ASIAEXAMPLE</AccessKeyId>
    </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
  upstream.script({ body: xml })
  const tokenFile = fileWith('token', 'cluster-token\n')
  const roleArn = 'arn:aws:iam::1:role/r'
  assert.deepEqual(await fetchAwsKeys({ from: 'web-identity', tokenFile, roleArn, stsUrl: `${upstream.url}/` }), LEASE)
  const form = Object.fromEntries(new URLSearchParams(upstream.received.at(-1)!.bytes.toString()))
  assert.deepEqual(form, {
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: 'trivium',
    WebIdentityToken: 'cluster-token',
  })
  upstream.script({ status: 403, body: '<Error>the token cluster-token is bad</Error>' })
  await assert.rejects(
    fetchAwsKeys({ from: 'web-identity', tokenFile, roleArn, stsUrl: `${upstream.url}/` }),
    (error: Error) => error.message.endsWith('answered 403'),
  )
})

test('the machine tells its role to who has a token of its own (IMDSv2)', async () => {
  upstream.script({ body: 'imds-token' }, { body: 'my-role\n' }, { body: AS_TOLD })
  const before = upstream.received.length
  assert.deepEqual(await fetchAwsKeys({ from: 'instance', url: upstream.url }), LEASE)
  const seen = upstream.received.slice(before)
  assert.deepEqual(
    seen.map(({ method, path, headers }) => [method, path, headers['x-aws-ec2-metadata-token']]),
    [
      ['PUT', '/latest/api/token', undefined],
      ['GET', '/latest/meta-data/iam/security-credentials/', 'imds-token'],
      ['GET', '/latest/meta-data/iam/security-credentials/my-role', 'imds-token'],
    ],
  )
  assert.equal(seen[0]!.headers['x-aws-ec2-metadata-token-ttl-seconds'], '21600')
})

test('a container is told its keys', async () => {
  upstream.script({ body: AS_TOLD })
  const url = `${upstream.url}/keys`
  assert.deepEqual(await fetchAwsKeys({ from: 'container', url, tokenFile: null, token: 'auth' }), LEASE)
  assert.equal(upstream.received.at(-1)!.headers.authorization, 'auth')
})

test('answers that are none', async () => {
  const ask = () => fetchAwsKeys({ from: 'container', url: upstream.url, tokenFile: null, token: null })
  for (const body of ['no json', { AccessKeyId: 'A' }, { ...AS_TOLD, Expiration: 'never' }, 'x'.repeat(70_000)]) {
    upstream.script({ body })
    await assert.rejects(ask(), /a source of/)
  }
  await assert.rejects(
    fetchAwsKeys({ from: 'container', url: 'http://127.0.0.1:1', tokenFile: null, token: null }),
    /cannot be reached/,
  )
  await assert.rejects(
    fetchAwsKeys({ from: 'container', url: upstream.url, tokenFile: join(folder, 'none'), token: null }),
    /cannot be read/,
  )
})
