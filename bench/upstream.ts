/**
 * The mock upstream of the bench, a process of its own. It answers `POST …/chat/completions` at once with a chat
 * completion of about 1 KB, or with a stream of `x-bench-events` events of about 230 bytes, one per `tickMs`, each
 * written alone. `GET /__stats` returns what it saw, `POST /__reset` sets the counts to zero.
 *
 *   node bench/upstream.ts [--events 100] [--tick-ms 20]      prints `listening PORT`
 */
import { createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { MessageReader } from '#test/http-message.ts'

/** Every request body of the bench ends in this, so that a truncated body is noticed. */
export const BODY_SENTINEL = '"user":"bench-sentinel"'

export interface UpstreamStats {
  /** Chat requests whose head arrived. */
  requests: number
  unary: number
  streams: number
  /** Streams whose socket closed before their end. */
  aborted: number
  /** Requests whose body was whole: braces and sentinel. */
  wholeBodies: number
  /** Milliseconds of CPU of this process since its start. */
  cpuMs: number
}

const PROMPT_TOKENS = 24

/** Streams of this model stand almost still: two events, ten seconds apart (R123 (4)). */
export const IDLE_MODEL = 'bench-idle'
export const IDLE_EVENTS = 2
const IDLE_TICK_MS = 10_000
const MODEL = /"model"\s*:\s*"([^"\\]*)"/
const MODEL_SEARCH_BYTES = 512
const OPENING_BRACE = 123
const CLOSING_BRACE = 125

/** The text of event `index`: the client checks that it receives them all and in order. */
export const eventMark = (index: number): string => `tk${String(index).padStart(4, '0')}`

function chatBody(model: string): string {
  const content = 'All work and no play makes a dull bench. '.repeat(14)
  return JSON.stringify({
    id: 'chatcmpl-bench00000000000000000000',
    object: 'chat.completion',
    created: 1_790_000_000,
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: PROMPT_TOKENS,
      completion_tokens: 140,
      total_tokens: PROMPT_TOKENS + 140,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
  })
}

function frame(text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

function chunkFrame(model: string, choices: unknown[], usage?: unknown): Buffer {
  const chunk = {
    id: 'chatcmpl-bench00000000000000000000',
    object: 'chat.completion.chunk',
    created: 1_790_000_000,
    model,
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
    choices,
    ...(usage === undefined ? {} : { usage }),
  }
  return frame(`data: ${JSON.stringify(chunk)}\n\n`)
}

/** The prepared frames of a stream: content events, then what ends it, with and without the usage chunk. */
function prepareStream(model: string, events: number): { content: Buffer[]; end: Buffer; endWithUsage: Buffer } {
  const content = Array.from({ length: events }, (_, index) => {
    const delta =
      index === 0 ? { role: 'assistant', content: eventMark(index) } : { content: ` ${eventMark(index)} word` }
    return chunkFrame(model, [{ index: 0, delta, logprobs: null, finish_reason: null }])
  })
  const finish = chunkFrame(model, [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }])
  const usage = chunkFrame(model, [], {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: events,
    total_tokens: PROMPT_TOKENS + events,
  })
  const done = Buffer.concat([frame('data: [DONE]\n\n'), Buffer.from('0\r\n\r\n')])
  return { content, end: Buffer.concat([finish, done]), endWithUsage: Buffer.concat([finish, usage, done]) }
}

const UNARY_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: '
const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
  'x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n'

type Counts = Omit<UpstreamStats, 'cpuMs'>

const noCounts = (): Counts => ({ requests: 0, unary: 0, streams: 0, aborted: 0, wholeBodies: 0 })

/** The answers, prepared once per model name, and the counts of what was asked. */
class Answers {
  readonly #events: number
  readonly #tickMs: number
  readonly #counts = noCounts()
  readonly #replies = new Map<string, Buffer>()
  readonly #streams = new Map<string, ReturnType<typeof prepareStream>>()

  constructor(events: number, tickMs: number) {
    this.#events = events
    this.#tickMs = tickMs
  }

  answer(socket: Socket, path: string, body: Buffer): void {
    if (path.startsWith('/__')) return this.#report(socket, path)
    this.#counts.requests++
    if (body[0] === OPENING_BRACE && body.at(-1) === CLOSING_BRACE && body.includes(BODY_SENTINEL)) {
      this.#counts.wholeBodies++
    }
    const model = MODEL.exec(body.subarray(0, MODEL_SEARCH_BYTES).toString('latin1'))?.[1] ?? 'unknown'
    if (body.includes('"stream":true')) {
      this.#counts.streams++
      this.#sendStream(socket, model, body.includes('"include_usage":true'))
    } else {
      this.#counts.unary++
      socket.write(this.#reply(model))
    }
  }

  #report(socket: Socket, path: string): void {
    if (path === '/__reset') Object.assign(this.#counts, noCounts())
    const usage = process.cpuUsage()
    const text = JSON.stringify({ ...this.#counts, cpuMs: (usage.user + usage.system) / 1000 })
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
  }

  #reply(model: string): Buffer {
    let reply = this.#replies.get(model)
    if (!reply) {
      const body = chatBody(model)
      reply = Buffer.from(`${UNARY_HEAD}${Buffer.byteLength(body)}\r\n\r\n${body}`)
      this.#replies.set(model, reply)
    }
    return reply
  }

  #sendStream(socket: Socket, model: string, withUsage: boolean): void {
    const idle = model === IDLE_MODEL
    let prepared = this.#streams.get(model)
    if (!prepared) this.#streams.set(model, (prepared = prepareStream(model, idle ? IDLE_EVENTS : this.#events)))
    const { content, end, endWithUsage } = prepared
    let sent = 0
    const close = (): void => {
      clearInterval(timer)
      this.#counts.aborted++
    }
    const timer = setInterval(
      () => {
        if (sent === 0) socket.write(STREAM_HEAD)
        if (sent < content.length) {
          socket.write(content[sent++]!)
          return
        }
        clearInterval(timer)
        socket.off('close', close)
        socket.write(withUsage ? endWithUsage : end)
      },
      idle ? IDLE_TICK_MS : this.#tickMs,
    )
    socket.once('close', close)
  }
}

/** Starts the server on a free loopback port and resolves with the port. */
export function startUpstream(events: number, tickMs: number): Promise<number> {
  const answers = new Answers(events, tickMs)
  const server = createServer({ noDelay: true }, (socket) => {
    let path = ''
    let pieces: Buffer[] = []
    const reader = new MessageReader({
      head: (line) => {
        path = line.split(' ')[1] ?? ''
      },
      body: (piece) => pieces.push(piece),
      end: () => {
        answers.answer(socket, path, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
        pieces = []
      },
    })
    socket.on('error', () => socket.destroy())
    socket.on('data', (data) => reader.push(data as Buffer))
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(address !== null && typeof address === 'object' ? address.port : 0)
    })
  })
}

if (import.meta.main) {
  // The bench holds the other end of this pipe: when it dies, however it dies, this process ends with it.
  if (process.env['BENCH_CHILD']) process.stdin.resume().on('end', () => process.exit())
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '100' }, 'tick-ms': { type: 'string', default: '20' } },
  })
  console.log(`listening ${await startUpstream(Number(values.events), Number(values['tick-ms']))}`)
}
