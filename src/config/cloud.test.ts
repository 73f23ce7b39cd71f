import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { findPreset } from '#providers/presets.ts'
import { readCloud } from './cloud.ts'
import type { BackendFile } from './schema.ts'

const folder = mkdtempSync(join(tmpdir(), 'trivium-cloud-'))
after(() => rmSync(folder, { recursive: true }))

/** A home without anything in it, so that nothing of the machine is found. */
const EMPTY = { HOME: join(folder, 'nobody') }

const read = (type: string, entry: BackendFile, env: Record<string, string> = {}, hasKey = false) =>
  readCloud(entry, findPreset(type)!, { ...EMPTY, ...env }, hasKey)

const awsSource = (entry: BackendFile, env: Record<string, string> = {}) => {
  const { access } = read('bedrock', { region: 'us-east-1', ...entry }, env)
  return access?.kind === 'aws' ? access.source : null
}

test('Azure: a key, or an application of Entra', () => {
  assert.deepEqual(read('azure', { api_version: '2024-10-21' }, {}, true).cloud, {
    kind: 'azure',
    apiVersion: '2024-10-21',
  })
  assert.deepEqual(read('azure', {}, {}, true).cloud, { kind: 'azure', apiVersion: null })
  const entra = { tenant_id: 't', client_id: 'c', client_secret: 's' }
  const tokenUrl = 'https://login.microsoftonline.com/t/oauth2/v2.0/token'
  assert.deepEqual(read('azure', entra).access, { kind: 'entra', tokenUrl, clientId: 'c', clientSecret: 's' })
  assert.equal(read('azure', entra, {}, true).access, null)
  assert.equal(read('azure', { client_id: 'c', client_secret: 's' }).access, null)
})

test('Vertex: place and credentials, from the file or from what Google’s tools read', () => {
  assert.deepEqual(read('vertex', {}).cloud, { kind: 'vertex', project: null, location: 'global' })
  const env = {
    GOOGLE_CLOUD_PROJECT: 'p',
    GOOGLE_CLOUD_LOCATION: 'europe-west4',
    GOOGLE_APPLICATION_CREDENTIALS: '/c.json',
  }
  const found = read('vertex', {}, env)
  assert.deepEqual(found.cloud, { kind: 'vertex', project: 'p', location: 'europe-west4' })
  assert.deepEqual(found.access, {
    kind: 'google',
    files: ['/c.json'],
    isFileNamed: true,
    tokenUrl: null,
    metadataUrl: 'http://metadata.google.internal',
  })
  assert.deepEqual(read('vertex', { project: 'own', location: 'us-east5' }, env).cloud, {
    kind: 'vertex',
    project: 'own',
    location: 'us-east5',
  })
  const file = join(folder, 'account.json')
  writeFileSync(file, JSON.stringify({ type: 'service_account', project_id: 'of-the-account' }))
  const named = read('vertex', { credentials_file: file }).cloud
  assert.ok(named?.kind === 'vertex' && named.project === 'of-the-account')
  const usual = read('vertex', { project: 'p' }).access
  assert.ok(usual?.kind === 'google' && !usual.isFileNamed)
  assert.match(usual.files[0]!, /gcloud.application_default_credentials\.json$/)
  assert.equal(read('vertex', {}, env, true).access, null)
})

test('Bedrock: written keys, then variables, then files, then the machine', () => {
  const keys = { AWS_ACCESS_KEY_ID: 'E', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't', AWS_REGION: 'eu-west-1' }
  const fromEnv = read('bedrock', {}, keys)
  assert.deepEqual(
    [fromEnv.region, fromEnv.accessKeyId, fromEnv.secretAccessKey, fromEnv.sessionToken, fromEnv.access],
    ['eu-west-1', 'E', 's', 't', null],
  )
  const written = read('bedrock', { region: 'us-east-1', access_key_id: 'W', secret_access_key: 'w' }, keys)
  assert.deepEqual([written.accessKeyId, written.secretAccessKey, written.sessionToken], ['W', 'w', null])
  assert.equal(read('bedrock', { region: 'us-east-1', access_key_id: 'W' }, keys).secretAccessKey, null)
  assert.equal(read('bedrock', {}, keys, true).accessKeyId, null)
  const profile = awsSource({ profile: 'work' }, keys)
  assert.deepEqual([profile?.from, profile?.from === 'profile' && profile.profile], ['profile', 'work'])
  const cluster = { AWS_WEB_IDENTITY_TOKEN_FILE: '/t', AWS_ROLE_ARN: 'r' }
  assert.deepEqual(awsSource({}, cluster), {
    from: 'web-identity',
    tokenFile: '/t',
    roleArn: 'r',
    stsUrl: 'https://sts.us-east-1.amazonaws.com/',
  })
  assert.deepEqual(awsSource({}, { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/x' }), {
    from: 'container',
    url: 'http://169.254.170.2/v2/x',
    tokenFile: null,
    token: null,
  })
  assert.deepEqual(awsSource({}), { from: 'instance', url: 'http://169.254.169.254' })
  assert.equal(read('bedrock', {}).access, null)
})

test('Bedrock: the default profile counts when it has keys, and any profile tells its region', () => {
  const file = join(folder, 'credentials')
  writeFileSync(file, '[default]\naws_access_key_id = A\naws_secret_access_key = s\nregion = ap-south-1\n')
  const found = read('bedrock', {}, { AWS_SHARED_CREDENTIALS_FILE: file })
  assert.equal(found.region, 'ap-south-1')
  assert.ok(found.access?.kind === 'aws' && found.access.source.from === 'profile')
})
