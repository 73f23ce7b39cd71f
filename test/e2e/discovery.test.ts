import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { runCli } from '#cli/program.ts'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, startTestGateway, type TestGateway } from './gateway.ts'

/** Models that an upstream lists become routes with prices; the file stands above them (R56, R58). */

const WAIT_MS = 5000
const listed = (id: string, prompt = '0.000003') => ({
  id,
  context_length: 1000,
  architecture: { input_modalities: ['text'], output_modalities: ['text'] },
  supported_parameters: ['tools'],
  pricing: { prompt, completion: '0.000015' },
})

/** A gateway whose OpenRouter lists `list` at the time it is asked. */
async function start(list: { current: Json[] }, rest: object = {}): Promise<TestGateway> {
  return startTestGateway({
    config: (url) => ({
      backends: { openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'sk-or-stub', ...rest } },
    }),
    upstream: {},
    always: (received) => (received.path.endsWith('/api/v1/models') ? { body: { data: list.current } } : undefined),
  })
}

/** The command on the running gateway's own files. */
const sync = (gateway: TestGateway, ...args: string[]) => syncOf('openrouter', gateway, ...args)

async function syncOf(
  backend: string,
  gateway: TestGateway,
  ...args: string[]
): Promise<{ code: number; out: Json; errors: string }> {
  const texts = { out: '', errors: '' }
  const code = await runCli({
    args: ['backends', 'sync', backend, '--json', ...args],
    env: {},
    cwd: join(gateway.configFile, '..'),
    out: (text) => void (texts.out += text),
    error: (text) => void (texts.errors += `${text}\n`),
  })
  return { code, out: texts.out === '' ? null : JSON.parse(texts.out), errors: texts.errors }
}

const idsOf = async (gateway: TestGateway): Promise<string[]> => {
  const { json } = await gateway.ask('/v1/models')
  return json.data.map(({ id }: Json) => id).filter((id: string) => id.includes('/'))
}
const serves = (gateway: TestGateway, ids: readonly string[]) =>
  eventually(`it serves ${ids.join(', ')}`, WAIT_MS, async () =>
    String((await idsOf(gateway)).sort()) === String(ids) ? true : undefined,
  )

describe('backends sync', () => {
  test('R56: proposes, and writes only what is accepted; a running gateway takes it over with its prices', async () => {
    const list = { current: ['a/one', 'a/two', 'b/three'].map((id) => listed(id)) }
    await using gateway = await start(list)
    const first = await sync(gateway)
    assert.deepEqual([first.code, first.out.listed, first.out.accepted], [0, 3, []])
    assert.deepEqual(
      first.out.proposals.map(({ id, change }: Json) => [id, change]),
      [
        ['a/one', 'new'],
        ['a/two', 'new'],
        ['b/three', 'new'],
      ],
    )
    assert.deepEqual((await sync(gateway)).out.proposals.length, 3, 'looking changes nothing')

    assert.deepEqual((await sync(gateway, '--accept', 'a/one')).out.accepted, ['a/one'])
    await serves(gateway, ['a/one'])
    assert.deepEqual((await sync(gateway, '--accept', 'all')).out.accepted, ['a/two', 'b/three'])
    await serves(gateway, ['a/one', 'a/two', 'b/three'])
    const body = { model: 'b/three', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
    const told = await gateway.ask('/v1/chat/completions', { body })
    assert.deepEqual([told.status, gateway.upstream.received.at(-1)?.fields['model']], [200, 'b/three'])
    // The stub bills 10 tokens in and 5 out: 10 x 3 + 5 x 15 millionths of a dollar.
    assert.equal(told.headers.get('x-gateway-cost'), '0.000105')
  })

  test('R56: what vanishes upstream becomes inactive and is kept; what returns is proposed again', async () => {
    const list = { current: [listed('a/one'), listed('a/two')] }
    await using gateway = await start(list)
    await sync(gateway, '--accept', 'all')
    await serves(gateway, ['a/one', 'a/two'])
    list.current = [listed('a/one', '0.000004')]
    const { out } = await sync(gateway, '--accept', 'all')
    assert.deepEqual(
      out.proposals.map(({ id, change }: Json) => [id, change]),
      [
        ['a/one', 'changed'],
        ['a/two', 'vanished'],
      ],
    )
    await serves(gateway, ['a/one'])
    const file = readFileSync(join(gateway.running.dataDir, 'discovered', 'openrouter.yaml'), 'utf8')
    assert.match(file, /id: a\/two[\s\S]*status: disabled/)
    assert.ok(!file.includes('sk-or'))
    list.current.push(listed('a/two'))
    assert.deepEqual((await sync(gateway)).out.proposals[0].change, 'returned')
  })

  test('faults are one line and change nothing', async () => {
    const list = { current: [] as Json[] }
    await using gateway = await start(list)
    const empty = await sync(gateway, '--accept', 'all')
    assert.deepEqual([empty.code, empty.out], [1, null])
    assert.match(empty.errors, /names no model that can be served/)
    list.current = [listed('a/one')]
    const unknown = await sync(gateway, '--accept', 'a/two')
    assert.equal(unknown.code, 1)
    assert.match(unknown.errors, /nothing is proposed for a\/two/)
    assert.deepEqual((await sync(gateway)).out.proposals.length, 1)
  })
})

test('auto_sync follows the list by itself from the start', async () => {
  const list = { current: [listed('a/one'), listed('a/two')] }
  await using gateway = await start(list, { auto_sync: true })
  await serves(gateway, ['a/one', 'a/two'])
})

test('the file stands above what was discovered, and a broken generated file is told and left alone', async () => {
  const list = { current: [listed('a/one'), listed('a/two')] }
  await using gateway = await start(list)
  await sync(gateway, '--accept', 'all')
  const config = JSON.parse(readFileSync(gateway.configFile, 'utf8')) as Json
  config.models.push({ id: 'a/one', price: { input: 9, output: 9 } })
  config.routes.push({ model: 'a/one', backend: 'openrouter', upstream_model: 'a/one-of-the-file' })
  writeFileSync(gateway.configFile, JSON.stringify(config))
  const body = { model: 'a/one', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }
  await eventually('the file is in force', WAIT_MS, async () => {
    const told = await gateway.ask('/v1/chat/completions', { body })
    return told.headers.get('x-gateway-cost') === '0.000135' || undefined
  })
  assert.equal(gateway.upstream.received.at(-1)?.fields['model'], 'a/one-of-the-file')
  writeFileSync(join(gateway.running.dataDir, 'discovered', 'openrouter.yaml'), 'models: 3\n')
  // The second is the upstream's own name, by which a key may call it as well (R27).
  await serves(gateway, ['a/one', 'a/one-of-the-file'])
})

test('R56: deployments of Azure and profiles of Bedrock become routes that can be called', async () => {
  const deployments = { data: [{ id: 'our-chat', model: 'gpt-5', status: 'succeeded' }] }
  const models = {
    modelSummaries: [
      { modelId: 'amazon.nova-lite-v1:0', outputModalities: ['TEXT'], inferenceTypesSupported: ['ON_DEMAND'] },
    ],
  }
  await using gateway = await startTestGateway({
    flags: { 'disable-auth': true },
    config: (url) => ({
      backends: {
        azure: { type: 'azure', api_url: url, api_key: 'azure-key-0123456789', api_version: '2024-10-21' },
        bedrock: {
          type: 'bedrock',
          api_url: url,
          region: 'us-east-1',
          access_key_id: 'AKIDEXAMPLE',
          secret_access_key: 'secret-0123456789',
        },
      },
    }),
    always: ({ path }) => {
      if (path === '/openai/deployments') return { body: deployments }
      if (path === '/foundation-models') return { body: models }
      if (path === '/inference-profiles') return { body: { inferenceProfileSummaries: [] } }
      return undefined
    },
  })
  for (const name of ['azure', 'bedrock']) {
    const { code, out } = await syncOf(name, gateway, '--accept', 'all')
    assert.deepEqual([code, out.accepted.length], [0, 1], name)
  }
  await eventually('both are listed', WAIT_MS, async () => {
    const { json } = await gateway.ask('/v1/models', { key: null })
    const ids = json.data.map(({ id }: Json) => id)
    return (ids.includes('gpt-5') && ids.includes('amazon.nova-lite-v1')) || undefined
  })
  const messages = [{ role: 'user', content: 'hi' }]
  const told = await gateway.ask('/v1/chat/completions', { key: null, body: { model: 'gpt-5', messages } })
  assert.equal(told.json.model, 'gpt-5')
  assert.equal(gateway.upstream.received.at(-1)!.path, '/openai/deployments/our-chat/chat/completions')
  await gateway.ask('/v1/chat/completions', { key: null, body: { model: 'amazon.nova-lite-v1', messages } })
  assert.equal(gateway.upstream.received.at(-1)!.path, '/model/amazon.nova-lite-v1%3A0/converse')
})
