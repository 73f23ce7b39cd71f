import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cloud } from './cloud.ts'
import { type CloudAsk, cloudPath, cloudProtocols, isClaude } from './cloud-paths.ts'

const path = (cloud: Cloud, ask: Partial<CloudAsk>): string =>
  cloudPath(cloud, {
    protocol: 'openai-chat',
    operation: 'generate',
    model: 'm',
    geminiAction: null,
    stream: false,
    ...ask,
  })

test('Azure: dated versions name the deployment, the others do not', () => {
  const azure = (apiVersion: string | null, ask: Partial<CloudAsk>) => path({ kind: 'azure', apiVersion }, ask)
  const responses = { protocol: 'openai-responses' } as const
  const embeddings = { protocol: 'openai-embeddings' } as const
  assert.equal(
    azure('2024-10-21', { model: 'my gpt' }),
    '/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21',
  )
  assert.equal(azure('2024-10-21', embeddings), '/openai/deployments/m/embeddings?api-version=2024-10-21')
  // Azure has no Responses API below a deployment.
  assert.equal(azure('2025-04-01-preview', responses), '/openai/responses?api-version=2025-04-01-preview')
  assert.equal(azure(null, {}), '/openai/v1/chat/completions')
  assert.equal(azure(null, responses), '/openai/v1/responses')
  assert.equal(azure(null, embeddings), '/openai/v1/embeddings')
  assert.equal(azure('preview', responses), '/openai/v1/responses?api-version=preview')
  assert.equal(azure('v1', {}), '/openai/v1/chat/completions?api-version=v1')
})

test('Vertex: publishers, streams, express mode', () => {
  const cloud: Cloud = { kind: 'vertex', project: 'p-1', location: 'us-east5' }
  const place = '/v1/projects/p-1/locations/us-east5'
  const gemini = { protocol: 'gemini', model: 'gemini-3-pro' } as const
  const claude = { protocol: 'anthropic-messages', model: 'claude-sonnet-4-5@20250929' } as const
  assert.equal(path(cloud, gemini), `${place}/publishers/google/models/gemini-3-pro:generateContent`)
  assert.equal(
    path(cloud, { ...gemini, stream: true }),
    `${place}/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse`,
  )
  assert.equal(
    path(cloud, { ...gemini, geminiAction: 'countTokens' }),
    `${place}/publishers/google/models/gemini-3-pro:countTokens`,
  )
  assert.equal(path(cloud, claude), `${place}/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict`)
  assert.match(path(cloud, { ...claude, stream: true }), /@20250929:streamRawPredict$/)
  assert.match(path(cloud, { ...claude, operation: 'count' }), /\/models\/count-tokens:rawPredict$/)
  assert.equal(path(cloud, { model: 'meta/llama-4' }), `${place}/endpoints/openapi/chat/completions`)
  assert.match(path(cloud, { ...gemini, model: 'a/../b?c' }), /\/models\/a%2F\.\.%2Fb%3Fc:generateContent$/)
  assert.equal(
    path({ kind: 'vertex', project: null, location: 'global' }, gemini),
    '/v1/publishers/google/models/gemini-3-pro:generateContent',
  )
})

test('Bedrock: Converse, InvokeModel, ARNs as one segment', () => {
  const cloud: Cloud = { kind: 'bedrock' }
  const model = 'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v1:0'
  const segment = 'arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude-v1%3A0'
  const messages = { protocol: 'anthropic-messages', model } as const
  const converse = { protocol: 'bedrock-converse', model: 'n' } as const
  assert.equal(path(cloud, messages), `/model/${segment}/invoke`)
  assert.equal(path(cloud, { ...messages, stream: true }), `/model/${segment}/invoke-with-response-stream`)
  assert.equal(path(cloud, converse), '/model/n/converse')
  assert.equal(path(cloud, { ...converse, stream: true }), '/model/n/converse-stream')
  assert.equal(path(cloud, { ...converse, operation: 'embed' }), '/model/n/invoke')
})

test('which models are Claude', () => {
  for (const name of [
    'claude-sonnet-4-5',
    'anthropic/claude-opus-4.6',
    'anthropic.claude-3-haiku-20240307-v1:0',
    'us.anthropic.claude-sonnet-4-6',
    'arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-v1:0',
  ])
    assert.equal(isClaude(name, 'x'), true, name)
  for (const name of ['amazon.nova-lite-v1:0', 'gpt-5', 'judge-converse', 'not-claude'])
    assert.equal(isClaude(name, 'anthropic'), false, name)
  const opaque = 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc'
  assert.deepEqual([isClaude(opaque, 'anthropic'), isClaude(opaque, 'meta')], [true, false])
})

test("each model is spoken to in its own cloud's best protocol", () => {
  const bedrock = (model: string) =>
    cloudProtocols({ kind: 'bedrock' }, ['anthropic-messages', 'bedrock-converse'], model, '')
  assert.deepEqual(bedrock('us.anthropic.claude-sonnet-4-6'), ['anthropic-messages', 'bedrock-converse'])
  assert.deepEqual(bedrock('amazon.nova-lite-v1:0'), ['bedrock-converse'])
  const vertex = (model: string) =>
    cloudProtocols(
      { kind: 'vertex', project: 'p', location: 'global' },
      ['gemini', 'anthropic-messages', 'openai-chat'],
      model,
      '',
    )
  assert.deepEqual(vertex('claude-sonnet-4-5@20250929'), ['anthropic-messages'])
  assert.deepEqual(vertex('gemini-3-pro'), ['gemini', 'openai-chat'])
  assert.deepEqual(vertex('meta/llama-4'), ['openai-chat'])
})
