import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { signRequest } from '#providers/aws-signature.ts'
import type { Received, Upstream } from '#test/upstream/upstream.ts'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { type Clouds, SECRET, startClouds } from './clouds.ts'
import { eventsOf, type Json, type TestGateway } from './gateway.ts'

/** Bedrock (R4, R61): signatures, InvokeModel, Converse, streams and embeddings, over real sockets. */

let clouds: Clouds
let upstream: Upstream
let gateway: TestGateway

before(async () => {
  clouds = await startClouds()
  ;({ upstream, gateway } = clouds)
})
after(() => clouds.close())

const last = (): Received => clouds.last()
const ask: Clouds['ask'] = (...asked) => clouds.ask(...asked)
const askClaude: Clouds['askClaude'] = (...asked) => clouds.askClaude(...asked)

/** The signature that AWS would compute for what arrived. */
function expectedSignature({ method, path, bytes, headers }: Received): string {
  const time = String(headers['x-amz-date'])
  const at = new Date(time.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'))
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization!)![1]!.split(';')
  const signed = signRequest({
    method,
    host: headers.host!,
    path,
    query: {},
    headers: Object.fromEntries(
      names.filter((name) => name !== 'x-amz-security-token').map((name) => [name, String(headers[name])]),
    ),
    body: bytes,
    region: 'eu-west-1',
    service: 'bedrock',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: SECRET,
    sessionToken: String(headers['x-amz-security-token']),
    at,
  })
  return signed['authorization']!
}

const AWS_STREAM = { 'content-type': 'application/vnd.amazon.eventstream' }
const chunk = (event: object): Buffer =>
  writeAwsMessage(
    { ':event-type': 'chunk', ':message-type': 'event' },
    Buffer.from(JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString('base64'), p: 'abc' })),
  )
const CLAUDE_STREAM = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-x',
      content: [],
      stop_reason: null,
      usage: { input_tokens: 11, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'lo' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: 11 } },
].map(chunk)

describe('Bedrock', () => {
  test('R61: Claude through InvokeModel, signed, with the betas in the body', async () => {
    upstream.script({
      body: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude-x',
        content: [{ type: 'text', text: 'Hi' }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 5, output_tokens: 2 },
      },
    })
    const { status, json } = await askClaude(
      'claude-aws',
      { stream: false },
      { 'anthropic-beta': 'context-1m-2025-08-07,unknown-2020-01-01' },
    )
    assert.deepEqual([status, json.model, json.usage.input_tokens], [200, 'claude-aws', 5])
    const { path, headers, fields } = last()
    assert.equal(path, '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke')
    assert.deepEqual(fields, {
      anthropic_version: 'bedrock-2023-05-31',
      anthropic_beta: ['context-1m-2025-08-07'],
      max_tokens: 50,
      messages: [{ role: 'user', content: 'hi' }],
    })
    assert.match(headers.authorization!, /Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/bedrock\/aws4_request/)
    assert.equal(headers.authorization, expectedSignature(last()))
    assert.deepEqual([headers['x-amz-security-token'], headers['anthropic-beta']], ['temporary', undefined])
  })

  test('R61: the stream is native on every surface', async () => {
    const frames = {
      frames: [Buffer.concat(CLAUDE_STREAM.slice(0, 3)), Buffer.concat(CLAUDE_STREAM.slice(3))],
      headers: AWS_STREAM,
    }
    upstream.script(frames, frames, frames, frames)
    const messages = await askClaude('claude-aws', { stream: true })
    assert.match(messages.headers.get('content-type')!, /text\/event-stream/)
    assert.match(last().path, /\/invoke-with-response-stream$/)
    assert.equal(last().fields['stream'], undefined)
    const events = eventsOf(messages.text)
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        'message_start',
        'content_block_start',
        'content_block_delta',
        'content_block_delta',
        'content_block_stop',
        'message_delta',
        'message_stop',
      ],
    )
    assert.equal(events[0].message.model, 'claude-aws')
    const chat = eventsOf((await ask('claude-aws', { stream: true })).text)
    assert.equal(chat.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello')
    const responses = eventsOf(
      (await gateway.ask('/v1/responses', { body: { model: 'claude-aws', input: 'hi', stream: true } })).text,
    )
    assert.equal(responses.at(-1).response.usage.input_tokens, 11)
    const gemini = await gateway.ask('/v1beta/models/claude-aws:streamGenerateContent?alt=sse', {
      body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    })
    assert.equal(
      eventsOf(gemini.text)
        .map((each) => each.candidates[0].content?.parts[0]?.text ?? '')
        .join(''),
      'Hello',
    )
  })

  test('an exception before the answer is an error with its status, after it the stream breaks', async () => {
    const thrown = (name: string) =>
      writeAwsMessage({ ':exception-type': name, ':message-type': 'exception' }, Buffer.from('{"message":"slow down"}'))
    upstream.script({ frames: [thrown('throttlingException')], headers: AWS_STREAM })
    const early = await askClaude('claude-aws', { stream: true })
    assert.deepEqual(
      [early.status, early.json.error.type, early.json.error.message],
      [429, 'rate_limit_error', 'slow down'],
    )
    upstream.script({
      frames: [...CLAUDE_STREAM.slice(0, 4), thrown('modelStreamErrorException')],
      headers: AWS_STREAM,
    })
    const late = eventsOf((await askClaude('claude-aws', { stream: true })).text)
    assert.equal(late.at(-1).type, 'error')
    upstream.script({ status: 429, body: { message: 'Too many requests' } })
    assert.equal((await ask('claude-aws')).status, 429)
  })

  test('an ARN is one segment, and an API key is a bearer', async () => {
    upstream.script({ status: 400, body: { message: 'no' } })
    await askClaude('claude-arn')
    assert.equal(
      last().path,
      '/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude-v1%3A0/invoke',
    )
    assert.equal(last().headers.authorization, 'Bearer bedrock-api-key-0123456789')
  })

  test('R61: other models go through Converse', async () => {
    upstream.script({
      body: {
        output: { message: { role: 'assistant', content: [{ text: 'Hi' }] } },
        stopReason: 'end_turn',
        usage: { inputTokens: 3, outputTokens: 1, totalTokens: 4 },
      },
    })
    const { status, json } = await askClaude('nova')
    assert.deepEqual([status, json.content[0].text], [200, 'Hi'])
    assert.equal(last().path, '/model/amazon.nova-lite-v1%3A0/converse')
    assert.equal(last().headers.authorization, expectedSignature(last()))
  })

  test('embeddings: Titan takes one text a call, Cohere a list', async () => {
    const before = upstream.received.length
    upstream.always(({ fields }) => ({
      body: { embedding: [String(fields['inputText']).length, 0.5], inputTextTokenCount: 4 },
    }))
    const titan = await gateway.ask('/v1/embeddings', {
      body: { model: 'titan-embed', input: ['a', 'bb', 'ccc'], dimensions: 2 },
    })
    upstream.always(undefined)
    assert.equal(titan.status, 200, titan.text)
    assert.deepEqual(
      titan.json.data.map(({ embedding }: Json) => embedding),
      [
        [1, 0.5],
        [2, 0.5],
        [3, 0.5],
      ],
    )
    assert.equal(titan.json.usage.prompt_tokens, 12)
    assert.deepEqual(
      clouds.from(before).map(({ fields }) => fields['dimensions']),
      [2, 2, 2],
    )
    assert.equal(last().path, '/model/amazon.titan-embed-text-v2%3A0/invoke')
    upstream.script({ body: { embeddings: { float: [[1], [2]] } } })
    const cohere = await gateway.ask('/v1/embeddings', {
      body: { model: 'cohere-embed', input: ['a', 'b'], input_type: 'search_query' },
    })
    assert.deepEqual(
      cohere.json.data.map(({ embedding }: Json) => embedding),
      [[1], [2]],
    )
    assert.deepEqual(last().fields, { texts: ['a', 'b'], input_type: 'search_query', truncate: 'NONE' })
    upstream.script({ body: { embedding: [1], inputTextTokenCount: 1 } }, { status: 429, body: { message: 'slow' } })
    const failed = await gateway.ask('/v1/embeddings', { body: { model: 'titan-embed', input: ['a', 'b'] } })
    assert.equal(failed.status, 429)
  })
})
