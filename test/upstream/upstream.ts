import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { answerNatively } from './native.ts'
import type { Asked, Sold } from './native.ts'

export type { Sold } from './native.ts'

/** One request as it arrived. */
export interface Received extends Asked {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

/** One write of a stream. */
export type Frame =
  | string
  | Buffer
  | { readonly text: string; readonly delayMs?: number; readonly waitFor?: Promise<unknown> }

/** What to answer. Anything absent comes from the protocol's minimal valid answer to the request. */
export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body?: object | string | Buffer
  /** Sent one write at a time, in place of a body. */
  readonly frames?: readonly Frame[]
  /** Wait before each frame. */
  readonly frameDelayMs?: number
  /** A gate: the request is read, and nothing is answered before this has resolved. */
  readonly waitFor?: Promise<unknown>
  /** The socket is destroyed after so many bytes of the body. */
  readonly cutAfterBytes?: number
  /** The socket is destroyed after so many frames. */
  readonly cutAfterFrames?: number
  /** Nothing more comes after so many frames; the socket stays open. */
  readonly stallAfterFrames?: number
  /** The request is read and never answered. */
  readonly hang?: boolean
  readonly gzip?: boolean
  readonly text?: string
  /** What this answer says and bills; for a scripted body, only what it bills. */
  readonly usage?: Partial<Sold>
}

export type Script = Reply | ((received: Received) => Reply | undefined | Promise<Reply | undefined>)

export interface UpstreamOptions {
  readonly port?: number
  /** What the minimal answers say. */
  readonly text?: string
  /** What they bill; absent classes are input 10, output 5 and 0. */
  readonly usage?: Partial<Sold>
}

/** One line of the upstream's own bill. */
export interface Sale extends Sold {
  readonly path: string
  readonly model: unknown
}

export interface Upstream {
  /** `http://127.0.0.1:port`, without a trailing slash. */
  readonly url: string
  readonly received: readonly Received[]
  /** Requests so far, on one path or on all. */
  count(path?: string): number
  /** Answers the next requests in this order, one each; when they are used up, `always` is asked, then the defaults. */
  script(...scripts: Script[]): void
  /** Answers every request that no `script` is left for; undefined goes back to the defaults. */
  always(script: Script | undefined): void
  /** Requests whose client hung up before the end. */
  readonly aborted: number
  /** Answers that were sent to the end. */
  readonly completed: number
  /** What the upstream sold: every answer with a 2xx status that was sent to its end. */
  readonly bill: readonly Sale[]
  /** Resolve as soon as so many requests have arrived, were hung up, or were answered to the end. */
  whenReceived(count: number): Promise<void>
  whenAborted(count: number): Promise<void>
  whenCompleted(count: number): Promise<void>
  close(): Promise<void>
}

const SOLD: Sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }

/** What happens to one upstream; every change is an event, so that a test waits for it and never sleeps. */
class Journal {
  readonly received: Received[] = []
  readonly bill: Sale[] = []
  aborted = 0
  completed = 0
  readonly #events = new EventEmitter().setMaxListeners(0)

  changed(): void {
    this.#events.emit('change')
  }

  async until(reached: () => boolean): Promise<void> {
    while (!reached()) await once(this.#events, 'change')
  }
}

/** Starts a scriptable upstream on the loopback interface; every protocol, any path prefix, any credential. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const journal = new Journal()
  const queue: Script[] = []
  let standing: Script | undefined
  const server = createServer((request, response) => {
    void serve(request, response)
  })
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const received = await receive(request)
    if (!received) return
    const left = watchLeaving(response, journal)
    journal.received.push(received)
    const script = queue.shift() ?? standing
    journal.changed()
    try {
      const reply = typeof script === 'function' ? await script(received) : script
      await send(response, received, complete(received, reply ?? {}, options), journal, left)
    } catch (error) {
      if (!left.aborted) response.destroy(error as Error)
    }
  }
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: journal.received,
    bill: journal.bill,
    get aborted() {
      return journal.aborted
    },
    get completed() {
      return journal.completed
    },
    count: (path) => journal.received.filter((one) => path === undefined || one.path === path).length,
    script: (...scripts) => void queue.push(...scripts),
    always: (script) => {
      standing = script
    },
    whenReceived: (count) => journal.until(() => journal.received.length >= count),
    whenAborted: (count) => journal.until(() => journal.aborted >= count),
    whenCompleted: (count) => journal.until(() => journal.completed >= count),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Undefined when the client left in the middle of its body. */
async function receive(request: IncomingMessage): Promise<Received | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch {
    return undefined
  }
  const url = new URL(request.url ?? '/', 'http://upstream')
  const bytes = Buffer.concat(chunks)
  let fields: Received['fields'] = {}
  try {
    fields = JSON.parse(bytes.toString())
  } catch {
    // A test may send anything; `bytes` has it.
  }
  const { method = '', headers } = request
  return { method, path: url.pathname, query: url.searchParams, headers, bytes, fields }
}

/** Aborts when the connection ends before the answer did, and counts it unless the upstream itself cut it. */
function watchLeaving(response: ServerResponse, journal: Journal): AbortSignal {
  const left = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) left.abort()
    if (!response.writableFinished && !cuts.has(response)) journal.aborted += 1
    journal.changed()
  })
  return left.signal
}

const cuts = new WeakSet<ServerResponse>()

interface CompleteReply extends Reply {
  readonly sold: Sold | null
}

/** Fills a script's gaps with the protocol's minimal answer. */
function complete(received: Received, reply: Reply, options: UpstreamOptions): CompleteReply {
  const usage = { ...SOLD, ...options.usage, ...reply.usage }
  if (reply.body !== undefined || reply.frames) return { ...reply, sold: reply.usage ? usage : null }
  const native = answerNatively(received, { text: reply.text ?? options.text ?? 'Hello there.', sold: usage })
  const failed = reply.status !== undefined && reply.status >= 300
  if (!native || failed) {
    const status = reply.status ?? 404
    const error = { message: `status ${status}`, type: 'scripted', code: null, param: null }
    return { status, ...reply, body: { type: 'error', error }, sold: null }
  }
  return { ...native, ...reply }
}

async function send(
  response: ServerResponse,
  received: Received,
  reply: CompleteReply,
  journal: Journal,
  left: AbortSignal,
): Promise<void> {
  await reply.waitFor
  if (reply.hang || left.aborted) return
  const { status = 200, frames } = reply
  const json = typeof reply.body === 'object' && !Buffer.isBuffer(reply.body)
  const type = frames ? 'text/event-stream; charset=utf-8' : json ? 'application/json' : 'text/plain; charset=utf-8'
  const encoding = reply.gzip ? { 'content-encoding': 'gzip' } : {}
  response.writeHead(status, { 'content-type': type, ...encoding, ...reply.headers })
  const sent =
    frames && !reply.gzip ? await sendFrames(response, frames, reply, left) : await sendWhole(response, reply)
  if (!sent) return
  await new Promise<void>((resolve) => response.end(resolve))
  if (left.aborted) return
  if (status < 300 && reply.sold) {
    const { path, fields } = received
    journal.bill.push({ path, model: fields.model ?? /models\/(.+):/.exec(path)?.[1], ...reply.sold })
  }
  journal.completed += 1
  journal.changed()
}

const textOf = (frame: Frame): string | Buffer =>
  typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : frame.text

/** False when the body was cut. Compressed frames go out whole: nobody compresses a stream event by event. */
async function sendWhole(response: ServerResponse, reply: CompleteReply): Promise<boolean> {
  const { body = '', frames, cutAfterBytes } = reply
  const json = typeof body === 'object' && !Buffer.isBuffer(body)
  const plain = frames
    ? Buffer.concat(frames.map((frame) => Buffer.from(textOf(frame) as string)))
    : Buffer.from(json ? JSON.stringify(body) : (body as string))
  const bytes = reply.gzip ? gzipSync(plain) : plain
  await write(response, bytes.subarray(0, cutAfterBytes))
  return cutAfterBytes === undefined || cut(response)
}

/** False when the stream was cut, stalled or left. */
async function sendFrames(
  response: ServerResponse,
  frames: readonly Frame[],
  reply: CompleteReply,
  left: AbortSignal,
): Promise<boolean> {
  let bytesLeft = reply.cutAfterBytes ?? Infinity
  for (const [index, frame] of frames.entries()) {
    if (index === reply.cutAfterFrames) return cut(response)
    if (index === reply.stallAfterFrames) return false
    const { delayMs = reply.frameDelayMs ?? 0, waitFor = undefined } =
      typeof frame === 'object' && 'text' in frame ? frame : {}
    await waitFor
    if (delayMs > 0) await wait(delayMs, undefined, { signal: left })
    if (left.aborted) return false
    const bytes = Buffer.from(textOf(frame) as string)
    await write(response, bytes.subarray(0, bytesLeft))
    bytesLeft -= bytes.length
    if (bytesLeft <= 0) return cut(response)
  }
  return true
}

/** Resolves when the bytes have reached the socket, or the socket is gone. */
const write = (response: ServerResponse, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => response.write(bytes, () => resolve()))

function cut(response: ServerResponse): false {
  cuts.add(response)
  response.destroy()
  return false
}
