import { connect, type Socket } from 'node:net'
import { MessageReader } from '#test/http-message.ts'
import { eventMark } from './upstream.ts'

/** What a correct reply holds. A reply that lacks any of it is a failure, however fast it was. */
export interface Expectation {
  readonly contentType: string
  /** Content events of a stream, each with its mark, in order; 0 for a unary reply. */
  readonly events: number
  /** Text that must occur in the reply, usage above all. */
  readonly contains: readonly string[]
  /** Text that the last event (or the unary body) must hold. */
  readonly end: string
  readonly bytesMin: number
}

export interface Reply {
  readonly failure: string | undefined
  /** From the request's first byte to the reply's last. */
  readonly latencyMs: number
  /** To the first byte of the body. */
  readonly firstByteMs: number
}

/** One keep-alive connection with one request at a time; reconnects by itself. */
export class Connection {
  readonly #port: number
  readonly #expect: Expectation
  readonly #finish: (connection: Connection, reply: Reply) => void
  readonly #event: (gapMs: number) => void
  #socket: Socket | undefined
  #busy = false
  #sentAtMs = 0
  #firstAtMs = 0
  #lastEventAtMs = 0
  #headFailure: string | undefined
  #bytes = 0
  #nextEvent = 0
  #text = ''
  #ended = false
  #missing: string[] = []

  constructor(
    port: number,
    expect: Expectation,
    finish: (connection: Connection, reply: Reply) => void,
    event: (gapMs: number) => void,
  ) {
    this.#port = port
    this.#expect = expect
    this.#finish = finish
    this.#event = event
  }

  /** Sends one request; the outcome arrives through `finish`. */
  send(request: Buffer): void {
    this.#busy = true
    this.#firstAtMs = 0
    this.#lastEventAtMs = 0
    this.#headFailure = undefined
    this.#bytes = 0
    this.#nextEvent = 0
    this.#text = ''
    this.#ended = false
    this.#missing = [...this.#expect.contains]
    this.#sentAtMs = performance.now()
    this.#socket ??= this.#open()
    this.#socket.write(request)
  }

  #open(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    const reader = new MessageReader({
      head: (line, header) => {
        if (!line.startsWith('HTTP/1.1 200 ')) this.#headFailure = `status ${line.slice(9, 12)}`
        else if (!header('content-type')?.startsWith(this.#expect.contentType)) this.#headFailure = 'content type'
      },
      body: (piece) => this.#body(piece),
      end: () => this.#done(this.#verdict()),
    })
    socket.on('data', (data) => reader.push(data as Buffer))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#socket = undefined
      if (this.#busy) this.#done('connection closed')
    })
    return socket
  }

  #body(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#firstAtMs === 0) this.#firstAtMs = performance.now()
    this.#text += piece.toString('latin1')
    if (this.#expect.events === 0) return
    for (let end = this.#text.indexOf('\n\n'); end >= 0; end = this.#text.indexOf('\n\n')) {
      this.#read(this.#text.slice(0, end))
      this.#text = this.#text.slice(end + 2)
    }
  }

  #read(event: string): void {
    if (this.#nextEvent < this.#expect.events && event.includes(eventMark(this.#nextEvent))) {
      const nowMs = performance.now()
      this.#event(this.#nextEvent === 0 ? -1 : nowMs - this.#lastEventAtMs)
      this.#lastEventAtMs = nowMs
      this.#nextEvent++
      return
    }
    this.#require(event)
    this.#ended = event.includes(this.#expect.end)
  }

  #require(text: string): void {
    if (this.#missing.length > 0) this.#missing = this.#missing.filter((wanted) => !text.includes(wanted))
  }

  #verdict(): string | undefined {
    if (this.#headFailure !== undefined) return this.#headFailure
    if (this.#expect.events === 0) {
      this.#require(this.#text)
      this.#ended = this.#text.endsWith(this.#expect.end)
    }
    if (this.#nextEvent !== this.#expect.events) return `events ${this.#nextEvent} of ${this.#expect.events}`
    if (!this.#ended) return 'no end mark'
    if (this.#missing.length > 0) return `lacks ${this.#missing[0]}`
    if (this.#bytes < this.#expect.bytesMin) return `only ${this.#bytes} bytes`
    return undefined
  }

  #done(failure: string | undefined): void {
    this.#busy = false
    const nowMs = performance.now()
    this.#finish(this, { failure, latencyMs: nowMs - this.#sentAtMs, firstByteMs: this.#firstAtMs - this.#sentAtMs })
  }
}
