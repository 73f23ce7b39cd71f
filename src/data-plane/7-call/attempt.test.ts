import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { EventRole } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import { StreamBrokenError } from '#data-plane/failures.ts'
import { FACTS } from '#data-plane/testbed.ts'
import {
  Attempt,
  type AttemptLimits,
  type AttemptOutcome,
  ERROR_BODY_BYTES_MAX,
  HELD_BYTES_MAX,
  HELD_EVENTS_MAX,
} from './attempt.ts'
import { UpstreamPools } from './pools.ts'

/** The upstream: what it does is set by each test. */
let serve: (response: ServerResponse) => void = () => {}
let requests = 0
const server = createServer((request, response) => {
  requests++
  request.resume()
  request.on('end', () => serve(response))
})
const pools = new UpstreamPools()
let origin = ''

before(async () => {
  await new Promise<void>((accept) => server.listen(0, '127.0.0.1', accept))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

after(async () => {
  await pools.close()
  server.closeAllConnections()
  await new Promise((accept) => server.close(accept))
})

const LIMITS: AttemptLimits = {
  bodyBytesMax: 1000,
  eventBytesMax: 1024 * 1024,
  firstContentMs: 0,
  idleMs: 0,
  totalMs: 0,
}
const EVENT_STREAM = { 'content-type': 'text/event-stream' }
const JSON_BODY = { 'content-type': 'application/json' }
const ROLE = 'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
const HELLO = 'data: {"model":"m","choices":[{"delta":{"content":"hello"}}]}\n\n'
const FINISH = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
const DONE = 'data: [DONE]\n\n'
const FAILURE = 'data: {"error":{"message":"boom","code":429}}\n\n'

function start(options: { stream?: boolean; limits?: Partial<AttemptLimits> } = {}): Attempt {
  const reader = options.stream === false ? null : PASSTHROUGH['openai-chat'].openStream(FACTS)
  return new Attempt(reader, { ...LIMITS, ...options.limits })
}

function dispatch(attempt: Attempt): Promise<AttemptOutcome> {
  pools.for(origin, 2000).dispatch({ origin, path: '/', method: 'POST', headers: [], body: '{}' }, attempt)
  return attempt.outcome
}

/** Answers at once with these bytes. */
function answer(body: string | Buffer, headers: Record<string, string> = EVENT_STREAM, status = 200) {
  serve = (response) => {
    response.writeHead(status, headers)
    response.end(body)
  }
}

async function outcomeOf<Kind extends AttemptOutcome['kind']>(
  kind: Kind,
  options: Parameters<typeof start>[0] = {},
): Promise<Extract<AttemptOutcome, { kind: Kind }>> {
  const outcome = await dispatch(start(options))
  assert.equal(outcome.kind, kind, JSON.stringify(outcome.kind === 'failed' ? outcome.failure : null))
  return outcome as Extract<AttemptOutcome, { kind: Kind }>
}

interface Drained {
  readonly text: string
  readonly roles: readonly EventRole[]
  readonly models: readonly string[]
  readonly error: Error | null
}

/** Reads a committed stream to its end. */
function drain(outcome: Extract<AttemptOutcome, { kind: 'stream' }>): Promise<Drained> {
  const events: Buffer[] = []
  const roles: EventRole[] = []
  const models: string[] = []
  return new Promise((accept) => {
    outcome.events.attach({
      onEvent: (event, role, { modelStart, modelEnd }) => {
        events.push(event)
        roles.push(role)
        if (modelStart >= 0) models.push(event.toString('utf8', modelStart, modelEnd))
      },
      onPause: () => {},
      onEnd: (error) => accept({ text: Buffer.concat(events).toString(), roles, models, error }),
    })
  })
}

test('a whole answer, with the id that the upstream gave it', async () => {
  answer('{"a":1}', { ...JSON_BODY, 'x-request-id': 'up-1' })
  const outcome = await outcomeOf('whole', { stream: false })
  assert.equal(outcome.body.toString(), '{"a":1}')
  assert.deepEqual([outcome.status, outcome.upstreamRequestId], [200, 'up-1'])
})

test('a stream commits with its first content; what was held back comes first and in order', async () => {
  const lead = `: hi\n\n${ROLE}${ROLE}`
  answer(`${lead}${HELLO}${FINISH}${DONE}`)
  const drained = await drain(await outcomeOf('stream'))
  assert.equal(drained.text, `${lead}${HELLO}${FINISH}${DONE}`)
  assert.deepEqual(drained.roles, ['noise', 'lifecycle', 'lifecycle', 'content', 'content', 'terminal'])
  assert.deepEqual(drained.models, ['"m"'])
  assert.equal(drained.error, null)
})

test('a stream whose last event has no empty line is read to its end', async () => {
  answer(`${HELLO}data: [DONE]`)
  assert.deepEqual((await drain(await outcomeOf('stream'))).roles, ['content', 'terminal'])
})

test('a bounded number of events is held back', async () => {
  answer(ROLE.repeat(HELD_EVENTS_MAX - 1))
  assert.equal((await outcomeOf('failed')).failure.code, 'upstream_bad_response')
  answer(ROLE.repeat(HELD_EVENTS_MAX))
  assert.equal((await drain(await outcomeOf('stream'))).roles.length, HELD_EVENTS_MAX)
})

test('a bounded number of bytes is held back', async () => {
  const event = (bytes: number) => `:${'x'.repeat(bytes - 3)}\n\n`
  answer(event(HELD_BYTES_MAX - 1))
  assert.equal((await outcomeOf('failed')).failure.code, 'upstream_bad_response')
  answer(event(HELD_BYTES_MAX))
  assert.equal((await drain(await outcomeOf('stream'))).text.length, HELD_BYTES_MAX)
})

test('a failure before the first content can still be retried; after it it is an event', async () => {
  answer(`${ROLE}${FAILURE}`)
  const { failure } = await outcomeOf('failed')
  assert.deepEqual([failure.status, failure.message], [429, 'boom'])
  answer(`${HELLO}${FAILURE}`)
  assert.deepEqual((await drain(await outcomeOf('stream'))).roles, ['content', 'failure'])
})

test('an upstream that packs its answer is unpacked', async () => {
  const packed: [string, Buffer][] = [
    ['gzip', gzipSync('{"a":1}')],
    ['GZIP ', gzipSync('{"a":1}')],
    ['deflate', deflateSync('{"a":1}')],
    ['br', brotliCompressSync('{"a":1}')],
    ['zstd', zstdCompressSync('{"a":1}')],
    ['identity', Buffer.from('{"a":1}')],
  ]
  for (const [encoding, body] of packed) {
    answer(body, { ...JSON_BODY, 'content-encoding': encoding })
    assert.equal((await outcomeOf('whole', { stream: false })).body.toString(), '{"a":1}', encoding)
  }
  answer(gzipSync(HELLO + DONE), { ...EVENT_STREAM, 'content-encoding': 'gzip' })
  assert.equal((await drain(await outcomeOf('stream'))).text, HELLO + DONE)
  answer(gzipSync('{"error":{"message":"packed"}}'), { ...JSON_BODY, 'content-encoding': 'gzip' }, 400)
  assert.equal((await outcomeOf('failed')).failure.message, 'packed')
})

test('what cannot be unpacked is no answer', async () => {
  for (const encoding of ['gzip, gzip', 'compress', 'constructor', 'toString']) {
    answer('{}', { ...JSON_BODY, 'content-encoding': encoding })
    const { failure } = await outcomeOf('failed', { stream: false })
    assert.deepEqual([failure.status, failure.code], [502, 'upstream_bad_response'], encoding)
  }
  answer('this is not gzip', { ...JSON_BODY, 'content-encoding': 'gzip' })
  assert.equal((await outcomeOf('failed', { stream: false })).failure.code, 'upstream_bad_response')
})

test('a whole answer has a largest size, also when it comes packed', async () => {
  answer('x'.repeat(1000), JSON_BODY)
  assert.equal((await outcomeOf('whole', { stream: false })).body.length, 1000)
  answer('x'.repeat(1001), JSON_BODY)
  assert.match((await outcomeOf('failed', { stream: false })).failure.message, /1000 bytes/)
  answer(gzipSync('x'.repeat(1001)), { ...JSON_BODY, 'content-encoding': 'gzip' })
  assert.match((await outcomeOf('failed', { stream: false })).failure.message, /1000 bytes/)
})

test('an event has a largest size, before the first content and after it', async () => {
  const limits = { eventBytesMax: 100 }
  const event = (bytes: number) => `data: "${'x'.repeat(bytes - 8)}"`
  answer(`${HELLO}${event(100)}`)
  assert.equal((await drain(await outcomeOf('stream', { limits }))).error, null)
  answer(event(101))
  assert.match((await outcomeOf('failed', { limits })).failure.message, /too large/)
  serve = (response) => {
    response.writeHead(200, EVENT_STREAM)
    response.write(HELLO)
    response.write(event(101))
  }
  const outcome = await dispatch(start({ limits }))
  if (outcome.kind === 'failed') assert.match(outcome.failure.message, /too large/)
  else assert.ok(outcome.kind === 'stream' && (await drain(outcome)).error instanceof StreamBrokenError)
})

test('an error is read from its body, as far as it is worth reading', async () => {
  answer(
    '{"error":{"message":"slow down","type":"t"}}',
    { ...JSON_BODY, 'retry-after': '7', 'request-id': 'up-2' },
    429,
  )
  const { failure, retryAfter, upstreamRequestId } = await outcomeOf('failed')
  assert.deepEqual([failure.status, failure.message, failure.upstreamType], [429, 'slow down', 't'])
  assert.deepEqual([retryAfter, upstreamRequestId], ['7', 'up-2'])
  answer('x'.repeat(ERROR_BODY_BYTES_MAX * 3), { 'content-type': 'text/plain' }, 500)
  const long = (await outcomeOf('failed')).failure
  assert.equal(long.status, 500)
  assert.match(long.message, /^x{1000}/)
  answer('', {}, 503)
  assert.equal((await outcomeOf('failed', { stream: false })).failure.message, 'The upstream answered 503.')
})

test('a stream that was asked for and does not come is a whole answer', async () => {
  answer('{"choices":[]}', JSON_BODY)
  assert.equal((await outcomeOf('whole')).body.toString(), '{"choices":[]}')
})

test('a stream that ends without content is no answer, unless it says that it is whole', async () => {
  answer(ROLE)
  assert.equal((await outcomeOf('failed')).failure.code, 'upstream_bad_response')
  answer('')
  assert.equal((await outcomeOf('failed')).failure.code, 'upstream_bad_response')
  answer(DONE)
  assert.deepEqual((await drain(await outcomeOf('stream'))).roles, ['terminal'])
})

test('a connection that breaks is a failure before the content and a broken stream after it', async () => {
  serve = (response) => response.destroy()
  assert.deepEqual((await outcomeOf('failed')).failure.code, 'upstream_unavailable')
  let upstream: ServerResponse | undefined
  serve = (response) => {
    upstream = response
    response.writeHead(200, EVENT_STREAM)
    response.write(HELLO)
  }
  const outcome = await outcomeOf('stream')
  const drained = drain(outcome)
  upstream!.destroy()
  const { error, text } = await drained
  assert.ok(error instanceof StreamBrokenError)
  assert.equal(error.failure.code, 'upstream_unavailable')
  assert.equal(text, HELLO)
})

test('an attempt that is aborted before its dispatch never reaches the upstream', async () => {
  const seen = requests
  answer('{}', JSON_BODY)
  const attempt = start({ stream: false })
  attempt.abort()
  const outcome = await dispatch(attempt)
  assert.ok(outcome.kind === 'failed' && outcome.failure.code === 'client_closed_request')
  await outcomeOf('whole', { stream: false })
  assert.equal(requests, seen + 1)
})

test('an abort ends the upstream request, and the sink hears nothing more', async () => {
  const closed = new Promise<void>((accept) => {
    serve = (response) => {
      response.on('close', accept)
      response.writeHead(200, EVENT_STREAM)
      response.write(HELLO)
    }
  })
  const outcome = await outcomeOf('stream')
  let ended = false
  outcome.events.attach({ onEvent: () => {}, onPause: () => {}, onEnd: () => (ended = true) })
  outcome.events.abort()
  await closed
  assert.equal(ended, false)
})

test('silence has its limits', async () => {
  serve = () => {}
  const { failure } = await outcomeOf('failed', { limits: { firstContentMs: 1 } })
  assert.deepEqual([failure.status, failure.code], [504, 'upstream_timeout'])
  serve = (response) => {
    response.writeHead(200, EVENT_STREAM)
    response.write(HELLO)
  }
  const { error } = await drain(await outcomeOf('stream', { limits: { idleMs: 1 } }))
  assert.ok(error instanceof StreamBrokenError)
  assert.equal(error.failure.code, 'streaming_timeout')
})
