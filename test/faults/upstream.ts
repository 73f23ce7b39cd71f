/** A loopback upstream inside the test process. Each test writes `answer`; calls and aborts are counted here. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WIRES, type ChatSurface, type Tokens } from './wire.ts'

const SURFACE_OF_PATH: readonly (readonly [RegExp, ChatSurface])[] = [
  [/\/chat\/completions$/, 'openai-chat'],
  [/\/responses$/, 'openai-responses'],
  [/\/messages$/, 'anthropic-messages'],
  [/:(stream)?[gG]enerateContent/, 'gemini'],
]

export class Call {
  readonly surface: ChatSurface
  readonly body: string
  readonly stream: boolean
  readonly response: ServerResponse
  readonly request: IncomingMessage
  aborted = false

  constructor(request: IncomingMessage, response: ServerResponse, body: string) {
    const path = request.url ?? ''
    this.surface = SURFACE_OF_PATH.find(([pattern]) => pattern.test(path))?.[1] ?? 'openai-chat'
    this.body = body
    this.stream = path.includes(':stream') || body.includes('"stream":true')
    this.request = request
    this.response = response
  }

  get #model(): string {
    return `upstream-${this.surface}`
  }

  /** The whole unary answer. */
  reply(tokens: Tokens): void {
    const text = JSON.stringify(WIRES[this.surface].unary(this.#model, tokens))
    this.response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    this.response.end(text)
  }

  begin(): void {
    this.response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    this.response.write(WIRES[this.surface].begin(this.#model))
  }

  /** One content event; false when the socket is full. */
  delta(): boolean {
    return this.response.write(WIRES[this.surface].delta(this.#model))
  }

  finish(tokens: Tokens): void {
    this.response.end(WIRES[this.surface].finish(this.#model, tokens))
  }

  /** A stream of `events` content events, one per `tickMs`; without end when `events` is infinite. */
  streamOut(events: number, tickMs: number, tokens: Tokens): void {
    this.begin()
    let sent = 0
    const timer = setInterval(() => {
      if (sent++ < events) {
        this.delta()
        return
      }
      clearInterval(timer)
      this.finish(tokens)
    }, tickMs)
    this.response.once('close', () => clearInterval(timer))
  }
}

export class Upstream {
  readonly #server: Server
  /** Replaced by each test. */
  answer: (call: Call) => void = (call) => call.reply({ input: 10, output: 10 })
  calls = 0
  aborted = 0
  active = 0

  private constructor() {
    this.#server = createServer({ noDelay: true }, (request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => this.#take(new Call(request, response, Buffer.concat(pieces).toString())))
    })
  }

  static async start(): Promise<Upstream> {
    const upstream = new Upstream()
    upstream.#server.listen(0, '127.0.0.1')
    await once(upstream.#server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  reset(): void {
    this.calls = 0
    this.aborted = 0
  }

  #take(call: Call): void {
    this.calls++
    this.active++
    call.response.on('close', () => {
      this.active--
      if (call.response.writableFinished) return
      call.aborted = true
      this.aborted++
    })
    call.response.on('error', () => undefined)
    this.answer(call)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }
}
