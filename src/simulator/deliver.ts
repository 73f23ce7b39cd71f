import { setTimeout as wait } from 'node:timers/promises'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Answer } from './endpoints.ts'
import type { Frame } from './speaker.ts'

type Whole = Extract<Answer, { kind: 'whole' }>
type Stream = Extract<Answer, { kind: 'stream' }>

/**
 * Sends an answer with its fault. Resolves when the last byte was handed over or the fault has happened; rejects when
 * `signal` aborts because the client has left. `paceMs` is the wait before each content event; 0 waits never.
 */
export async function deliver(
  response: ServerResponse,
  answer: Answer,
  paceMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (answer.fault?.kind === 'hang') return await leftBy(signal)
  return answer.kind === 'whole'
    ? deliverWhole(response, answer, signal)
    : deliverStream(response, answer, paceMs, signal)
}

async function deliverWhole(response: ServerResponse, answer: Whole, signal: AbortSignal): Promise<void> {
  const body = answer.isEmpty ? Buffer.alloc(0) : Buffer.from(JSON.stringify(answer.body))
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': body.length })
  const kind = answer.fault?.kind
  if (kind === undefined || kind === 'status') {
    if (answer.splitUtf8) await writeSplit(response, body)
    response.end(answer.splitUtf8 ? undefined : body)
    return
  }
  // A body has no events to count, so it breaks in its middle.
  await written(response, body.subarray(0, body.length >> 1))
  if (kind === 'stall') return await leftBy(signal)
  response.destroy()
}

async function deliverStream(
  response: ServerResponse,
  answer: Stream,
  paceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const sse = answer.framing === 'sse'
  response.writeHead(200, {
    'content-type': sse ? 'text/event-stream; charset=utf-8' : 'application/json; charset=utf-8',
    'cache-control': 'no-cache',
  })
  let events = 0
  let first = true
  const encode = (frame: Frame): string => {
    if (sse) return frame.text
    const text = `${first ? '[' : ',\r\n'}${frame.text.slice('data: '.length).trimEnd()}`
    first = false
    return text
  }
  for (const frame of answer.isEmpty ? [] : answer.frames) {
    if (answer.fault && events === answer.faultEvents) return breakStream(response, answer, encode, signal)
    if (frame.content && paceMs > 0) await wait(paceMs, undefined, { signal })
    signal.throwIfAborted()
    if (frame.content) events += 1
    if (answer.splitUtf8) await writeSplit(response, Buffer.from(encode(frame)))
    else if (!response.write(encode(frame))) await once(response, 'drain', { signal })
  }
  response.end(sse ? undefined : ']')
}

async function breakStream(
  response: ServerResponse,
  answer: Stream,
  encode: (frame: Frame) => string,
  signal: AbortSignal,
): Promise<void> {
  switch (answer.fault?.kind) {
    case 'stall':
      return await leftBy(signal)
    case 'end':
      response.end()
      return
    case 'error':
      response.end(encode(answer.breakOff))
      return
    default:
      await written(response, Buffer.alloc(0))
      response.destroy()
  }
}

/** Resolves when what was written so far has reached the socket, so that a cut comes after it and not instead of it. */
const written = (response: ServerResponse, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => response.write(bytes, () => resolve()))

/** Writes so that every character of several bytes is cut in two. */
async function writeSplit(response: ServerResponse, bytes: Buffer): Promise<void> {
  let start = 0
  for (let at = 1; at < bytes.length; at++) {
    // A byte that continues a character, behind the one that began it.
    const isInside = (bytes[at]! & 0xc0) === 0x80 && (bytes[at - 1]! & 0xc0) === 0xc0
    if (!isInside) continue
    await written(response, bytes.subarray(start, at))
    start = at
  }
  await written(response, bytes.subarray(start))
}

/** Waits until the client leaves. */
function leftBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
