/**
 * An incremental HTTP/1.1 message reader for what measures a gateway: the two ends of the bench and the race of M1. They
 * share cores with it or with each other and avoid node:http: whatever they cost would be taken for the gateway's.
 */

const HEAD_END = Buffer.from('\r\n\r\n')
const HEAD_BYTES_MAX = 64 * 1024

const STATE = { head: 0, length: 1, size: 2, chunk: 3, trailer: 4 } as const
type State = (typeof STATE)[keyof typeof STATE]

export interface MessageEvents {
  /** `startLine` is the request or status line; `header(name)` wants a lower-case name. */
  head(startLine: string, header: (name: string) => string | undefined): void
  /** A piece of the body without its transfer framing; valid only during the call. */
  body(piece: Buffer): void
  end(): void
}

/** Reads messages that follow each other on one connection. Throws on framing it does not know. */
export class MessageReader {
  readonly #events: MessageEvents
  #state: State = STATE.head
  #carry: Buffer | undefined
  #left = 0

  constructor(events: MessageEvents) {
    this.#events = events
  }

  /** True between two messages: a connection that ends here ended cleanly. */
  get idle(): boolean {
    return this.#state === STATE.head && this.#carry === undefined
  }

  push(input: Buffer): void {
    let data = input
    if (this.#carry) {
      data = Buffer.concat([this.#carry, input])
      this.#carry = undefined
    }
    let at = 0
    while (at < data.length) {
      const next = this.#step(data, at)
      if (next < 0) {
        if (data.length - at > HEAD_BYTES_MAX) throw new Error('HTTP head too large')
        this.#carry = Buffer.from(data.subarray(at))
        return
      }
      at = next
    }
  }

  /** Consumes one element at `at` and returns the offset behind it, or -1 when more bytes are needed. */
  #step(data: Buffer, at: number): number {
    switch (this.#state) {
      case STATE.head:
        return this.#head(data, at)
      case STATE.length:
      case STATE.chunk:
        return this.#piece(data, at)
      case STATE.size:
        return this.#size(data, at)
      case STATE.trailer: {
        const end = data.indexOf('\r\n', at)
        if (end < 0) return -1
        if (end === at) this.#finish()
        return end + 2
      }
      default:
        return this.#state satisfies never
    }
  }

  #head(data: Buffer, at: number): number {
    const end = data.indexOf(HEAD_END, at)
    if (end < 0) return -1
    const text = data.toString('latin1', at, end)
    const lineEnd = text.indexOf('\r\n')
    const lower = lineEnd < 0 ? '' : `${text.slice(lineEnd).toLowerCase()}\r\n`
    const original = lineEnd < 0 ? '' : `${text.slice(lineEnd)}\r\n`
    const header = (name: string): string | undefined => {
      const found = lower.indexOf(`\r\n${name}:`)
      if (found < 0) return undefined
      const start = found + name.length + 3
      return original.slice(start, original.indexOf('\r\n', start)).trim()
    }
    const chunked = header('transfer-encoding') === 'chunked'
    this.#left = chunked ? 0 : Number(header('content-length') ?? 0)
    this.#state = chunked ? STATE.size : STATE.length
    this.#events.head(lineEnd < 0 ? text : text.slice(0, lineEnd), header)
    if (!chunked && this.#left === 0) this.#finish()
    return end + 4
  }

  #size(data: Buffer, at: number): number {
    const end = data.indexOf('\r\n', at)
    if (end < 0) return -1
    const size = Number.parseInt(data.toString('latin1', at, end), 16)
    if (!(size >= 0)) throw new Error('bad chunk size')
    this.#state = size === 0 ? STATE.trailer : STATE.chunk
    // The chunk's own line end is swallowed with it.
    this.#left = size + 2
    return end + 2
  }

  #piece(data: Buffer, at: number): number {
    const take = Math.min(this.#left, data.length - at)
    const framing = this.#state === STATE.chunk ? 2 : 0
    const content = Math.min(take, Math.max(0, this.#left - framing))
    this.#left -= take
    if (content > 0) this.#events.body(data.subarray(at, at + content))
    if (this.#left === 0) {
      if (this.#state === STATE.chunk) this.#state = STATE.size
      else this.#finish()
    }
    return at + take
  }

  #finish(): void {
    this.#state = STATE.head
    this.#events.end()
  }
}
