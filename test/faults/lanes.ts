/**
 * Keep-alive connections to one gateway, each with one request at a time, over bare sockets: where a gateway's times are
 * measured on the cores that the client runs on too, a client of node:http would measure its own collector.
 */
import { connect, type Socket } from 'node:net'
import { MessageReader } from '#test/http-message.ts'
import type { Gateway } from './gateway.ts'
import { modelOf, WIRES, type ChatSurface } from './wire.ts'

export interface Answer {
  readonly status: number
  /** Milliseconds from the request's first byte to the answer's last. */
  readonly ms: number
}

interface Waiting {
  readonly request: Buffer
  resolve(answer: Answer): void
  reject(cause: Error): void
}

/** The bytes of a request for so many tokens at most. */
export function chatBytes(key: string, surface: ChatSurface, stream: boolean, maxTokens: number): Buffer {
  const [wire, model] = [WIRES[surface], modelOf(surface)]
  const body = JSON.stringify(wire.body(model, stream, maxTokens, 'Hello'))
  return Buffer.from(
    `POST ${wire.path(model, stream)} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

export class Lanes {
  readonly #gateway: Gateway
  readonly #free: Lane[] = []
  readonly #lanes = new Set<Lane>()
  readonly #queue: Waiting[] = []
  readonly #lanesMax: number

  constructor(gateway: Gateway, lanesMax: number) {
    this.#gateway = gateway
    this.#lanesMax = lanesMax
  }

  /** Resolves with the answer, however many wait before it. Throws when the connection ends before the answer does. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject })
      this.#start(this.#free.pop() ?? (this.#lanes.size < this.#lanesMax ? this.#open() : undefined))
    })
  }

  close(): void {
    for (const lane of this.#lanes) lane.close()
  }

  #open(): Lane {
    const lane = new Lane(
      this.#gateway.port,
      () => this.#start(lane),
      () => this.#forget(lane),
    )
    this.#lanes.add(lane)
    return lane
  }

  /** The gateway may end one that is idle. */
  #forget(lane: Lane): void {
    this.#lanes.delete(lane)
    const at = this.#free.indexOf(lane)
    if (at >= 0) this.#free.splice(at, 1)
  }

  #start(lane: Lane | undefined): void {
    if (lane === undefined) return
    const next = this.#queue.shift()
    if (next) lane.send(next)
    else this.#free.push(lane)
  }
}

class Lane {
  readonly #socket: Socket
  #asked: Waiting | undefined
  #sentMs = 0
  #status = 0

  constructor(port: number, freed: () => void, closed: () => void) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const reader = new MessageReader({
      head: (line) => void (this.#status = Number(line.split(' ')[1])),
      body: () => undefined,
      end: () => {
        this.#asked?.resolve({ status: this.#status, ms: performance.now() - this.#sentMs })
        this.#asked = undefined
        freed()
      },
    })
    this.#socket.on('data', (bytes) => reader.push(bytes as Buffer))
    this.#socket.on('error', (cause) => this.#asked?.reject(cause))
    this.#socket.on('close', () => {
      this.#asked?.reject(new Error('the connection ended before the answer'))
      closed()
    })
  }

  send(waiting: Waiting): void {
    this.#asked = waiting
    this.#sentMs = performance.now()
    this.#socket.write(waiting.request)
  }

  close(): void {
    this.#socket.destroy()
  }
}
