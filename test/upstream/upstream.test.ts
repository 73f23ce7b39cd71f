import assert from 'node:assert/strict'
import { test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { startUpstream } from './upstream.ts'
import type { UpstreamOptions } from './upstream.ts'

async function start(options?: UpstreamOptions) {
  const upstream = await startUpstream(options)
  const post = (body: object, signal?: AbortSignal, path = '/v1/chat/completions') =>
    fetch(`${upstream.url}${path}`, { method: 'POST', body: JSON.stringify(body), ...(signal && { signal }) })
  return Object.assign(upstream, { post, [Symbol.asyncDispose]: upstream.close })
}

const messages = [{ role: 'user' as const, content: 'hi' }]
const STREAM = { model: 'm', messages, stream: true }

test('every protocol has a default answer that its SDK accepts, and each one is billed', async () => {
  const usage = { input: 7, cacheRead: 3, output: 5, reasoning: 2 }
  await using upstream = await start({ text: 'Hello', usage })
  const openai = new OpenAI({ baseURL: `${upstream.url}/v1`, apiKey: 'any' })
  const anthropic = new Anthropic({ baseURL: upstream.url, apiKey: 'any' })
  const gemini = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: upstream.url } }).models
  const request = { model: 'm', messages, max_tokens: 9 }
  const texts = [
    (await openai.chat.completions.create(request)).choices[0]?.message.content,
    (await openai.chat.completions.stream(request).finalChatCompletion()).choices[0]?.message.content,
    (await openai.responses.create({ model: 'm', input: 'hi' })).output_text,
    (await openai.responses.stream({ model: 'm', input: 'hi' }).finalResponse()).output_text,
    await anthropic.messages.stream(request).finalText(),
    (await gemini.generateContent({ model: 'm', contents: 'hi' })).text,
    (await Array.fromAsync(await gemini.generateContentStream({ model: 'm', contents: 'hi' })))
      .map((chunk) => chunk.text)
      .join(''),
  ]
  assert.deepEqual(new Set(texts), new Set(['Hello']))
  const message = await anthropic.messages.create(request)
  assert.deepEqual([message.usage.input_tokens, message.usage.cache_read_input_tokens], [7, 3])
  assert.equal((await anthropic.messages.countTokens({ model: 'm', messages })).input_tokens, 7)
  const embedding = await openai.embeddings.create({ model: 'm', input: ['a', 'b'], dimensions: 2 })
  assert.deepEqual(embedding.data[1]?.embedding, [1, 0])
  await upstream.whenCompleted(10)
  assert.equal(upstream.bill.length, 9)
  assert.deepEqual(upstream.bill[0], { path: '/v1/chat/completions', model: 'm', cacheWrite: 0, ...usage })
  assert.equal(
    upstream.bill.reduce((sum, sale) => sum + sale.output, 0),
    8 * 5,
  )
  assert.equal(upstream.count('/v1/messages'), 2)
})

test('scripts answer in order, then the standing one, then the default', async () => {
  await using upstream = await start()
  upstream.script(
    { status: 429, headers: { 'retry-after': '3' } },
    { body: '<html>', headers: { 'content-type': 'text/html' } },
  )
  upstream.always((received) => (received.fields.model === 'broken' ? { status: 500 } : undefined))
  const first = await upstream.post({ model: 'm' })
  assert.deepEqual([first.status, first.headers.get('retry-after')], [429, '3'])
  const second = await upstream.post({ model: 'm' })
  assert.deepEqual([second.headers.get('content-type'), await second.text()], ['text/html', '<html>'])
  assert.equal((await upstream.post({ model: 'broken' })).status, 500)
  assert.equal((await upstream.post({ model: 'm' })).status, 200)
  assert.equal((await upstream.post({}, undefined, '/elsewhere')).status, 404)
  upstream.script({ text: 'Zipped', gzip: true, usage: { output: 9 } })
  assert.match(await (await upstream.post(STREAM)).text(), /Zip.*ped.*\[DONE\]/s)
  await upstream.whenCompleted(6)
  assert.deepEqual(
    upstream.bill.map((sale) => sale.output),
    [5, 9],
  )
})

test('a gate holds the answer and a frame’s own gate holds the frame', async () => {
  await using upstream = await start()
  const head = Promise.withResolvers<void>()
  const frame = Promise.withResolvers<void>()
  const second = { text: 'data: 2\n\n', waitFor: frame.promise, delayMs: 1 }
  upstream.script({ waitFor: head.promise, frames: ['data: 1\n\n', second] })
  const pending = upstream.post(STREAM)
  await upstream.whenReceived(1)
  assert.equal(upstream.completed, 0)
  head.resolve()
  const reader = (await pending).body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader.read()).value, 'data: 1\n\n')
  frame.resolve()
  assert.equal((await reader.read()).value, 'data: 2\n\n')
  assert.equal((await reader.read()).done, true)
})

test('cuts come after exactly the bytes or frames that were asked for, and sell nothing', async () => {
  await using upstream = await start()
  const read = async () => {
    let text = ''
    await assert.rejects(async () => {
      for await (const chunk of (await upstream.post(STREAM)).body!.pipeThrough(new TextDecoderStream())) text += chunk
    })
    return text
  }
  upstream.script({ cutAfterFrames: 2, frames: ['a', 'b', 'c'] }, { cutAfterBytes: 4, frames: ['abc', 'def'] })
  upstream.script({ cutAfterBytes: 2, body: 'abc' })
  assert.deepEqual([await read(), await read(), await read()], ['ab', 'abcd', 'ab'])
  assert.deepEqual([upstream.aborted, upstream.completed, upstream.bill.length], [0, 0, 0])
})

test('a client that hangs up is counted as aborted, in a hang, a stall and behind a gate', async () => {
  await using upstream = await start()
  const never = new Promise<never>(() => {})
  upstream.script({ hang: true }, { waitFor: never }, { stallAfterFrames: 1 })
  for (const count of [1, 2, 3]) {
    const left = new AbortController()
    const pending = upstream.post(STREAM, left.signal).then((response) => response.text())
    await upstream.whenReceived(count)
    left.abort()
    await assert.rejects(pending, { name: 'AbortError' })
    await upstream.whenAborted(count)
  }
  assert.deepEqual([upstream.aborted, upstream.bill.length], [3, 0])
})
