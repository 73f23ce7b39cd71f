import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cloudBody } from './cloud-body.ts'

const BEDROCK = { kind: 'bedrock' } as const
const VERTEX = { kind: 'vertex', project: 'p', location: 'global' } as const

const write = (
  cloud: typeof BEDROCK | typeof VERTEX,
  body: string,
  betas = '',
  operation: 'generate' | 'count' = 'generate',
) => cloudBody(cloud, 'anthropic-messages', operation, Buffer.from(body), betas).toString()

const BEDROCK_VERSION = '"anthropic_version":"bedrock-2023-05-31"'
const VERTEX_VERSION = '"anthropic_version":"vertex-2023-10-16"'

test('the version goes in, the model out, and every other byte stays', () => {
  assert.equal(
    write(VERTEX, '{"model":"m", "stream": true,"seed":9007199254740993 , "a" : [1.0, {"model":"x"}]}'),
    `{${VERTEX_VERSION},"stream": true,"seed":9007199254740993 , "a" : [1.0, {"model":"x"}]}`,
  )
  assert.equal(
    write(BEDROCK, '{"messages":[],"stream":true,"max_tokens":1,"model":"m"}'),
    `{${BEDROCK_VERSION},"messages":[],"max_tokens":1}`,
  )
})

test('members may stand anywhere, with any space', () => {
  const wanted = `{${BEDROCK_VERSION},"a":1}`
  for (const body of [
    '{"model":"m","stream":false,"a":1}',
    '{"stream":false,"a":1,"model":"m"}',
    '{"a":1,"model":"m","stream":false}',
    '{"a":1,"stream":null,"model":"m"}',
    String.raw`{"a":1,"\u006dodel":"m","stream":true}`,
  ])
    assert.deepEqual(JSON.parse(write(BEDROCK, body)), JSON.parse(wanted), body)
  for (const body of ['{ "model" : "m" ,\n "stream" : true }', '{"model":"m"}', '{}'])
    assert.deepEqual(JSON.parse(write(BEDROCK, body)), { anthropic_version: 'bedrock-2023-05-31' }, body)
})

test('what the client says itself is left alone', () => {
  assert.equal(write(VERTEX, '{"anthropic_version":"x","a":1}'), '{"anthropic_version":"x","a":1}')
})

test('betas are a list in the body on Bedrock and stay a header on Vertex', () => {
  const betas = 'context-1m-2025-08-07, other'
  assert.deepEqual(JSON.parse(write(BEDROCK, '{"model":"m"}', betas)).anthropic_beta, [
    'context-1m-2025-08-07',
    'other',
  ])
  assert.equal(JSON.parse(write(VERTEX, '{"model":"m"}', betas)).anthropic_beta, undefined)
  assert.deepEqual(JSON.parse(write(BEDROCK, '{"anthropic_beta":["own"]}', betas)).anthropic_beta, ['own'])
})

test("Vertex's counter reads the model", () => {
  assert.equal(JSON.parse(write(VERTEX, '{"model":"m"}', '', 'count')).model, 'm')
})

test('other protocols pass', () => {
  const body = Buffer.from('{"model":"m"}')
  assert.equal(cloudBody(BEDROCK, 'bedrock-converse', 'generate', body, ''), body)
  assert.equal(cloudBody({ kind: 'azure', apiVersion: null }, 'openai-chat', 'generate', body, ''), body)
})
