import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { FAULT_EVENTS, FAULT_STATUSES } from './faults.ts'
import { REQUEST_BYTES_MAX, SIMULATOR_MODELS, startSimulator } from './index.ts'
import { scriptOf } from './scripts.ts'

/** Starts a simulator and a promise of how its next request ends. */
async function start() {
  const ended = Promise.withResolvers<string>()
  const simulator = await startSimulator({ storyPaceMs: 0, onEnd: ended.resolve })
  const post = (path: string, body: object | string, signal?: AbortSignal) =>
    fetch(`${simulator.url}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal && { signal }),
    })
  return { ...simulator, ended: ended.promise, post, [Symbol.asyncDispose]: simulator.close }
}

const messages = [{ role: 'user', content: 'a' }]
const STREAMS = {
  '/v1/chat/completions': { messages, stream: true },
  '/v1/responses': { input: 'a', stream: true },
  '/v1/messages': { messages, max_tokens: 8192, stream: true },
} as const
const CONTENT = /"delta":\{"content":"[^"]|output_text\.delta"|text_delta/

const contentEvents = (text: string): number =>
  text.split('\n').filter((line) => line.startsWith('data:') && CONTENT.test(line)).length

/** Reads until the body ends or breaks. */
async function readAll(response: Response): Promise<{ text: string; broken: boolean }> {
  let text = ''
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
    return { text, broken: false }
  } catch {
    return { text, broken: true }
  }
}

describe('faults', () => {
  test('each status has each protocol’s error shape', async () => {
    await using simulator = await start()
    for (const status of FAULT_STATUSES) {
      for (const [path, body] of Object.entries(STREAMS)) {
        const response = await simulator.post(path, { ...body, model: `sim/fault-${status}` })
        const fields = (await response.json()) as { error: { message: string; type: string } }
        assert.equal(response.status, status)
        assert.ok(fields.error.message && fields.error.type)
        assert.equal(response.headers.get('retry-after'), status === 429 ? '1' : null)
      }
    }
  })

  for (const [path, body] of Object.entries(STREAMS)) {
    test(`cut, end and error come after ${FAULT_EVENTS} content events on ${path}`, async () => {
      await using simulator = await start()
      const play = async (fault: string) =>
        readAll(await simulator.post(path, { ...body, model: `sim/fault-${fault}` }))
      const cut = await play('cut')
      assert.deepEqual([cut.broken, contentEvents(cut.text)], [true, FAULT_EVENTS])
      const end = await play('end')
      assert.deepEqual([end.broken, contentEvents(end.text)], [false, FAULT_EVENTS])
      const error = await play('error')
      assert.equal(contentEvents(error.text), FAULT_EVENTS)
      assert.match(error.text.trim().split('\n\n').at(-1)!, /error/)
    })

    test(`stall stays silent after ${FAULT_EVENTS} content events on ${path} until the client leaves`, async () => {
      await using simulator = await start()
      const left = new AbortController()
      const response = await simulator.post(path, { ...body, model: 'sim/fault-stall' }, left.signal)
      let text = ''
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      while (contentEvents(text) < FAULT_EVENTS) text += (await reader.read()).value
      left.abort()
      assert.equal(await simulator.ended, 'aborted')
    })
  }

  test('hang never answers', async () => {
    await using simulator = await start()
    const left = new AbortController()
    const pending = simulator.post('/v1/messages', { ...STREAMS['/v1/messages'], model: 'sim/fault-hang' }, left.signal)
    left.abort()
    await assert.rejects(pending, { name: 'AbortError' })
  })

  test('a whole body breaks in its middle', async () => {
    await using simulator = await start()
    const response = await simulator.post('/v1/chat/completions', { messages, model: 'sim/fault-cut' })
    const { text, broken } = await readAll(response)
    assert.ok(broken && text.length > 0)
  })
})

describe('server', () => {
  test('a client that leaves stops a paced answer at once', async () => {
    const ended = Promise.withResolvers<string>()
    // A pace that no test run would wait for: only the client's leaving can end the answer.
    const simulator = await startSimulator({ storyPaceMs: 3_600_000, onEnd: ended.resolve })
    const left = new AbortController()
    const body = JSON.stringify({ ...STREAMS['/v1/chat/completions'], model: 'sim/story' })
    const options = { method: 'POST', body, signal: left.signal }
    await fetch(`${simulator.url}/v1/chat/completions`, options)
    left.abort()
    assert.equal(await ended.promise, 'aborted')
    await simulator.close()
  })

  test('close ends answers in progress', async () => {
    const simulator = await start()
    const body = { ...STREAMS['/v1/responses'], model: 'sim/fault-stall' }
    const response = await simulator.post('/v1/responses', body)
    await simulator.close()
    assert.equal((await readAll(response)).broken, true)
  })

  test('unknown paths, broken JSON and a missing model are native errors', async () => {
    await using simulator = await start()
    assert.equal((await simulator.post('/v1/nothing', {})).status, 404)
    assert.equal((await fetch(`${simulator.url}/v1/messages`)).status, 404)
    const broken = await simulator.post('/v1/messages', '{')
    assert.deepEqual([broken.status, ((await broken.json()) as { type: string }).type], [400, 'error'])
    assert.equal((await simulator.post('/v1/responses', { input: 'a' })).status, 400)
    assert.equal((await simulator.post('/v1/chat/completions', '[]')).status, 400)
  })

  test('a body one byte beyond the bound is refused, at the bound it is read', { timeout: 60_000 }, async () => {
    await using simulator = await start()
    const status = (bytes: number) =>
      new Promise<number | undefined>((resolve, reject) => {
        const sent = request(`${simulator.url}/v1/chat/completions`, { method: 'POST' }, (response) => {
          resolve(response.statusCode)
          response.destroy()
        })
        sent.on('error', reject)
        sent.end(Buffer.alloc(bytes, ' '))
      })
    assert.equal(await status(REQUEST_BYTES_MAX), 400)
    assert.equal(await status(REQUEST_BYTES_MAX + 1), 413)
  })

  test('every listed chat model has a script', () => {
    const chats = SIMULATOR_MODELS.filter((model) => model.kind === 'chat')
    assert.deepEqual(
      chats.filter((model) => !scriptOf(model.id)),
      [],
    )
    assert.equal(scriptOf('sim/constructor'), undefined)
  })
})
