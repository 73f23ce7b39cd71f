import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Backend } from '#catalog/types.ts'
import { backendOf } from '#data-plane/testbed.ts'
import { fetchModelList, MODEL_LIST_BYTES_MAX, MODEL_LIST_PAGES_MAX } from './fetch-model-list.ts'

/** A list behind a socket, and a backend that points there. */
async function withList(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  work: (backend: (rest?: Partial<Backend>) => Backend) => Promise<void>,
): Promise<void> {
  const server = createServer(answer)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    await work((rest = {}) => backendOf('b', { apiUrl: url, ...rest }))
  } finally {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  }
}

const json = (response: ServerResponse, value: unknown) => response.end(JSON.stringify(value))

test('each protocol has its list, credential and pages', async () => {
  const asked: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { authorization, 'x-api-key': key, 'x-goog-api-key': google, 'user-agent': agent } = request.headers
    assert.match(String(agent), /^Trivium\//)
    asked.push(`${request.url} ${authorization ?? key ?? google}`)
    if (request.url === '/models') return json(response, { data: [{ id: 'a' }] })
    if (request.url?.includes('after_id')) return json(response, { data: [{ id: 'c2' }], has_more: false })
    if (request.url?.includes('limit=')) return json(response, { data: [{ id: 'c1' }], has_more: true, last_id: 'c1' })
    if (request.url?.includes('pageToken')) return json(response, { models: [{ name: 'models/g2' }] })
    return json(response, { models: [{ name: 'models/g1' }], nextPageToken: 'n/1' })
  }
  await withList(answer, async (backend) => {
    assert.deepEqual(await fetchModelList(backend()), { shape: 'openai', entries: [{ id: 'a' }] })
    const anthropic = backend({ protocols: ['anthropic-messages'], auth: 'x-api-key' })
    assert.deepEqual((await fetchModelList(anthropic)).entries, [{ id: 'c1' }, { id: 'c2' }])
    const gemini = backend({ protocols: ['gemini'], auth: 'x-goog-api-key' })
    assert.deepEqual((await fetchModelList(gemini)).entries, [{ name: 'models/g1' }, { name: 'models/g2' }])
  })
  assert.deepEqual(asked, [
    '/models Bearer credential',
    '/v1/models?limit=1000 credential',
    '/v1/models?limit=1000&after_id=c1 credential',
    '/v1beta/models?pageSize=1000 credential',
    '/v1beta/models?pageSize=1000&pageToken=n%2F1 credential',
  ])
})

test('a list without end is left after its last page', async () => {
  let pages = 0
  const answer = (_: IncomingMessage, response: ServerResponse) => {
    pages++
    json(response, { models: [{ name: 'models/g' }], nextPageToken: 'again' })
  }
  await withList(answer, async (backend) => {
    const { entries } = await fetchModelList(backend({ protocols: ['gemini'] }))
    assert.deepEqual([entries.length, pages], [MODEL_LIST_PAGES_MAX, MODEL_LIST_PAGES_MAX])
  })
})

test('refusals, silence, size and nonsense are told without the credential', async () => {
  const answers: readonly [(response: ServerResponse) => void, RegExp][] = [
    [(response) => void response.writeHead(401).end('{"error":"credential"}'), /status 401$/],
    [(response) => void response.end('<html>'), /is not JSON$/],
    [(response) => void response.end('{"data":{}}'), /is no list$/],
    [() => {}, /no answer within 50 ms$/],
    [(response) => void response.end(Buffer.alloc(MODEL_LIST_BYTES_MAX + 1, ' ')), /larger than/],
  ]
  for (const [answer, reason] of answers) {
    await withList(
      (_, response) => answer(response),
      async (backend) => {
        const pageMs = String(reason).includes('within') ? 50 : 30_000
        await assert.rejects(fetchModelList(backend(), { pageMs }), (error: Error) => {
          assert.match(error.message, reason)
          assert.ok(!error.message.includes('credential'))
          return true
        })
      },
    )
  }
  const vertex = backendOf('b', { type: 'vertex', cloud: { kind: 'vertex', project: 'p', location: 'global' } })
  await assert.rejects(fetchModelList(vertex), /cannot be read; name its models/)
})

test('Azure tells its deployments, Cohere and Bedrock their models, signed where keys sign', async () => {
  const asked: string[] = []
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { authorization = '', 'api-key': key } = request.headers
    asked.push(`${request.url} ${key ?? authorization.replace(/\/\d{8}\//, '/DATE/').replace(/, Signed.*/, '')}`)
    if (request.url?.startsWith('/openai')) return json(response, { data: [{ id: 'd', model: 'gpt-5' }] })
    if (request.url?.startsWith('/v1/models')) return json(response, { models: [{ name: 'command' }] })
    if (request.url?.startsWith('/foundation')) return json(response, { modelSummaries: [{ modelId: 'a.b' }] })
    const isLast = request.url?.includes('nextToken') ?? false
    const inferenceProfileSummaries = [{ inferenceProfileId: isLast ? 'eu.a.b' : 'us.a.b' }]
    return json(response, { inferenceProfileSummaries, ...(isLast ? {} : { nextToken: 't' }) })
  }
  await withList(answer, async (backend) => {
    const azure = backend({ auth: 'api-key', cloud: { kind: 'azure', apiVersion: '2024-10-21' } })
    assert.deepEqual(await fetchModelList(azure), { shape: 'azure', entries: [{ id: 'd', model: 'gpt-5' }] })
    const cohere = backend({ protocols: ['cohere-chat'] })
    assert.deepEqual(await fetchModelList(cohere), { shape: 'cohere', entries: [{ name: 'command' }] })
    const aws = { region: 'us-east-1', accessKeyId: 'AKID', secretAccessKey: 's', sessionToken: null }
    const bedrock = backend({ auth: 'none', credentials: [], aws, cloud: { kind: 'bedrock' } })
    assert.deepEqual((await fetchModelList(bedrock)).entries, [
      { modelId: 'a.b' },
      { inferenceProfileId: 'us.a.b' },
      { inferenceProfileId: 'eu.a.b' },
    ])
  })
  const signature = 'AWS4-HMAC-SHA256 Credential=AKID/DATE/us-east-1/bedrock/aws4_request'
  assert.deepEqual(asked, [
    '/openai/deployments?api-version=2023-03-15-preview credential',
    '/v1/models?page_size=1000 Bearer credential',
    `/foundation-models ${signature}`,
    `/inference-profiles?maxResults=1000 ${signature}`,
    `/inference-profiles?maxResults=1000&nextToken=t ${signature}`,
  ])
})
