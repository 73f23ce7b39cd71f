import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** S28: no spelling of a request, its key or its sender counts anew. Two nodes at once are in limits-nodes.test.ts. */

const RPM = 5
const BODY = JSON.stringify({ model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] })

/** One request over a connection of its own, as bytes; gives the status. */
function raw(gateway: TestGateway, head: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () => {
      socket.write(`${head}content-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`)
    })
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (/^HTTP\/1\.[01] \d{3}/.test(text)) socket.end()
    })
    socket.on('close', () => resolve(Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0)))
    socket.on('error', reject)
  })
}

const PATHS = ['/v1/chat/completions', '/api/v1/chat/completions', '/v1/chat/completions?x=1', '/v1/chat/completions?']

/** How one key may be sent, and who may say to have sent it. */
const spellings = (key: string, host: string): readonly string[] => {
  const credentials = [
    `authorization: Bearer ${key}`,
    `Authorization: bearer ${key}`,
    `AUTHORIZATION:   BEARER   ${key}  `,
    `authorization: ${key}`,
    `x-api-key: ${key}`,
    `X-API-KEY: ${key}`,
    `x-goog-api-key: ${key}`,
  ]
  const senders = [
    '',
    'x-forwarded-for: 203.0.113.7\r\n',
    'x-real-ip: 203.0.113.8\r\n',
    'forwarded: for=203.0.113.9\r\n',
    'cf-connecting-ip: 203.0.113.10\r\n',
    'true-client-ip: 203.0.113.11\r\n',
    'x-client-ip: 203.0.113.12\r\nx-forwarded-for: 1.1.1.1, 2.2.2.2\r\n',
    'x-trivium-peer: 203.0.113.13\r\n',
    'user-agent: other\r\nx-request-id: other\r\n',
  ]
  return PATHS.flatMap((path) =>
    credentials.flatMap((credential) =>
      senders.map(
        (sender) => `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${credential}\r\n${sender}connection: close\r\n`,
      ),
    ),
  ).concat(credentials.map((credential) => `POST ${PATHS[0]} HTTP/1.0\r\n${credential}\r\n`))
}

async function passes(gateway: TestGateway, heads: readonly string[]): Promise<{ passed: number; refused: number }> {
  const statuses = await Promise.all(heads.map((head) => raw(gateway, head)))
  assert.deepEqual(
    [...new Set(statuses)].filter((status) => status !== 200 && status !== 429),
    [],
  )
  return {
    passed: statuses.filter((status) => status === 200).length,
    refused: statuses.filter((status) => status === 429).length,
  }
}

test('S28: a key has one count, however it is spelled and whoever says to send it, all at once', async () => {
  await using gateway = await startTestGateway()
  const { key } = await gateway.fund({ newKey: { rpm: RPM } })
  const heads = spellings(key, new URL(gateway.url).host)
  assert.ok(heads.length >= 250)
  const { passed, refused } = await passes(gateway, heads)
  assert.deepEqual([passed, refused], [RPM, heads.length - RPM])
  assert.equal(gateway.upstream.count(), RPM)
})

test('S28: an address has one count, whatever headers say of it and whatever keys it brings', async () => {
  await using gateway = await startTestGateway({ config: { limits: { ip: { rpm: RPM } } } })
  const host = new URL(gateway.url).host
  const owners = await Promise.all(Array.from({ length: 4 }, () => gateway.fund()))
  const heads = owners.flatMap(({ key }) => spellings(key, host).filter((_, at) => at % 4 === 0))
  const { passed } = await passes(gateway, heads)
  assert.equal(passed, RPM)
  // Keys that do not exist are counted as well, and wait for nobody.
  assert.equal(await raw(gateway, `POST ${PATHS[0]} HTTP/1.1\r\nhost: ${host}\r\nx-api-key: nonsense\r\n`), 429)
})
