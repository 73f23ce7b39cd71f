import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeAwsSegment, type RequestToSign, signRequest } from './aws-signature.ts'

const HOST = 'bedrock-runtime.us-east-1.amazonaws.com'

/** AWS's own example credentials, which open nothing. */
const sign = (request: Partial<RequestToSign>) =>
  signRequest({
    method: 'POST',
    host: HOST,
    path: '/',
    query: {},
    headers: {},
    body: Buffer.alloc(0),
    region: 'us-east-1',
    service: 'bedrock',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: null,
    at: new Date('2026-01-02T03:04:05.678Z'),
    ...request,
  })

const authorization = (scope: string, names: string, signature: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}/aws4_request, SignedHeaders=${names}, Signature=${signature}`

test("AWS's published example", () => {
  const headers = sign({
    method: 'GET',
    host: 'iam.amazonaws.com',
    query: { Version: '2010-05-08', Action: 'ListUsers' },
    headers: { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' },
    service: 'iam',
    at: new Date('2015-08-30T12:36:00Z'),
  })
  assert.deepEqual(headers, {
    'x-amz-date': '20150830T123600Z',
    authorization: authorization(
      '20150830/us-east-1/iam',
      'content-type;host;x-amz-date',
      '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    ),
  })
})

// The signatures below were computed with @smithy/signature-v4 5.7.5, which the AWS SDKs use.

test('a model id with a colon is encoded once in the path and twice in what is signed', () => {
  const path = `/model/${encodeAwsSegment('us.anthropic.claude-3-7-sonnet-20250219-v1:0')}/converse`
  assert.equal(path, '/model/us.anthropic.claude-3-7-sonnet-20250219-v1%3A0/converse')
  assert.deepEqual(sign({ path, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"a":1}') }), {
    'x-amz-date': '20260102T030405Z',
    authorization: authorization(
      '20260102/us-east-1/bedrock',
      'content-type;host;x-amz-date',
      '0c509c8d35bd9ae6db6eec1748cac8d0fefd88111af389e81a7d2d4cc7369826',
    ),
  })
})

test('an ARN, temporary credentials, and headers that hops may change', () => {
  const segment = encodeAwsSegment('arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x (1)*')
  const headers = sign({
    path: `/model/${segment}/converse-stream`,
    headers: { 'Content-Type': 'application/json', 'x-note': '  two   words ', 'User-Agent': 'x', accept: 'y' },
    body: Buffer.from('{"text":"日本 🚀"}'),
    sessionToken: 'session/token==',
  })
  assert.deepEqual(headers, {
    'x-amz-date': '20260102T030405Z',
    'x-amz-security-token': 'session/token==',
    authorization: authorization(
      '20260102/us-east-1/bedrock',
      'content-type;host;x-amz-date;x-amz-security-token;x-note',
      'c6b9a2d9edd6e775033bbc5f15d313574d7a78a75431316d88676900594e4d6b',
    ),
  })
})

test('a query is sorted and encoded; another host, region, service and day', () => {
  const headers = sign({
    host: 'localhost:8080',
    query: { b: 'x y/z', a: "1'*", B: '~-_.' },
    region: 'eu-central-1',
    service: 'sts',
    at: new Date('2026-12-31T23:59:59.999Z'),
  })
  assert.equal(
    headers['authorization'],
    authorization(
      '20261231/eu-central-1/sts',
      'host;x-amz-date',
      '2bdf1f36730d4425b17f337e3098f73c46299ba00ccd697c684b1a42cbc42a59',
    ),
  )
})

test('a path that was sent unencoded', () => {
  const { authorization: value } = sign({ path: '/model/us.x-v1:0/converse', body: Buffer.from('{}') })
  assert.match(value!, /Signature=8742a048c3c0c30860b917ef73c062c137fa31fd22b2242f77cbc05214045f6c$/)
})

test('everything that is signed changes the signature', () => {
  const usual = sign({})['authorization']
  const others: Partial<RequestToSign>[] = [
    { method: 'PUT' },
    { host: 'h' },
    { path: '/x' },
    { query: { a: '' } },
    { headers: { 'content-type': 'x' } },
    { body: Buffer.from('x') },
    { region: 'r' },
    { service: 's' },
    { secretAccessKey: 'k' },
    { sessionToken: 't' },
    { at: new Date('2026-01-02T03:04:06Z') },
  ]
  const seen = others.map((other) => sign(other)['authorization'])
  assert.equal(new Set([usual, ...seen]).size, others.length + 1)
  assert.equal(sign({ path: '' })['authorization'], usual)
  // The host is told once, whatever spelling the headers have for it.
  assert.equal(sign({ headers: { Host: 'other', 'User-Agent': 'x', Authorization: 'y' } })['authorization'], usual)
})

test('a segment keeps only what RFC 3986 calls unreserved', () => {
  assert.equal(encodeAwsSegment("aZ0-_.~ /:!'()*é"), 'aZ0-_.~%20%2F%3A%21%27%28%29%2A%C3%A9')
})
