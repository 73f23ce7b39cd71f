import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from './load.ts'
import { mask, printJson, printYaml } from './print.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-print-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const SECRETS = [
  'sk-or-v1-abcdefghijkl',
  'very-secret-access',
  'hunter2-database',
  'Bearer inside-header',
  'master-0123456789',
]
const YAML = `backends:
  openrouter: { type: openrouter, api_key: ["${SECRETS[0]}"], headers: { authorization: "${SECRETS[3]}" } }
  aws: { type: bedrock, region: us-east-1, access_key_id: AKIAABCDEFGH, secret_access_key: ${SECRETS[1]} }
server: { database_url: "postgres://user:${SECRETS[2]}@db.example/t" }
`
writeFileSync(join(folder, 'config.yaml'), YAML)
const loaded = loadConfig({ flags: { port: '9009' }, env: { GATEWAY_MASTER_KEY: SECRETS[4] }, cwd: folder })

test('no secret is printed, in either form', () => {
  const text = printYaml(loaded) + JSON.stringify(printJson(loaded))
  for (const secret of SECRETS) assert.ok(!text.includes(secret), secret.slice(0, 6))
  assert.ok(!text.includes('AKIAABCDEFGH'))
})

test('each leaf has its value and its source', () => {
  const printed = printJson(loaded)
  assert.deepEqual(printed['server.port'], { value: 9009, source: 'flag' })
  assert.deepEqual(printed['server.host'], { value: '127.0.0.1', source: 'default' })
  assert.deepEqual(printed['auth.master_key'], { value: 'maste****', source: 'env' })
  assert.equal(printed['timeouts.ttft_timeout']?.source, 'default')
  assert.deepEqual(printed['backends.openrouter.api_key[0]'], { value: 'sk-or-****', source: 'file' })
  assert.deepEqual(printed['backends.aws.region'], { value: 'us-east-1', source: 'file' })
  assert.deepEqual(printed['reservation.min_output_tokens'], { value: 256, source: 'default' })
})

test("a key from the environment is shown in place of the file's, with its source", () => {
  const env = { OPENROUTER_API_KEY_1: 'sk-or-numbered-one', OPENROUTER_API_BASE_URL: 'http://127.0.0.1:9/v1' }
  const printed = printJson(loadConfig({ flags: {}, env, cwd: folder }))
  assert.deepEqual(printed['backends.openrouter.api_key[0]'], { value: 'sk-or-****', source: 'env' })
  assert.deepEqual(printed['backends.openrouter.api_url'], { value: 'http://127.0.0.1:9/v1', source: 'env' })
  assert.ok(!JSON.stringify(printed).includes('numbered'))
})

test('the YAML reads back to the same values and names the sources', () => {
  const text = printYaml(loaded)
  assert.match(text, /port: 9009 # flag/)
  assert.match(text, /^# file: .*config\.yaml/)
  const values = parse(text) as { server: { port: number; database_url: string } }
  assert.equal(values.server.port, 9009)
  assert.equal(values.server.database_url, 'postgres://user:****@db.example/t')
})

test('a mask shows at most a third and at most six characters', () => {
  assert.equal(mask('ab'), '****')
  assert.equal(mask('abcdefghi'), 'abc****')
  assert.equal(mask('abcdefghijklmnopqrstuvwxyz'), 'abcdef****')
  assert.equal(mask(''), '')
  assert.equal(mask('https://host/?key=1'), 'https://host/?****')
})
