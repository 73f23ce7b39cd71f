/** The client side of the fault tests: node:http, so that a call can be cut, held up or fed with bad bytes. */
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Gateway } from './gateway.ts'
import { modelOf, WIRES, WORD, type ChatSurface } from './wire.ts'

export interface Outcome {
  /** 0 when there was no answer at all. */
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** The reply was read to its proper end: the whole body, and of a stream its end mark too where one was asked. */
  readonly complete: boolean
  /** Milliseconds from the moment the request had a connection to the end of its answer. */
  readonly ms: number
}

export interface CallOptions {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Announces so many bytes, sends `body` and then waits: a client that wants to know before it sends the rest. */
  readonly declaredBytes?: number
  /** Receives everything so far at each piece; may destroy the request. */
  readonly watch?: (text: string, request: ClientRequest) => void
  /** A stream is complete only with this text in it. */
  readonly endMark?: string
  readonly agent?: Agent
  /** Leaves after so many milliseconds, whatever has come until then. */
  readonly abortMs?: number
}

const NO_ANSWER = { status: 0, headers: {}, text: '', complete: false, ms: 0 }

/** Sends one request. Always resolves: a broken connection is an outcome. */
export function call(port: number, options: CallOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method: options.method ?? 'POST',
      path: options.path,
      headers: {
        'content-type': 'application/json',
        ...(options.declaredBytes === undefined ? {} : { 'content-length': String(options.declaredBytes) }),
        ...options.headers,
      },
      ...(options.agent ? { agent: options.agent } : {}),
    })
    let sentMs = performance.now()
    request.on('socket', () => void (sentMs = performance.now()))
    request.on('error', () => resolve(NO_ANSWER))
    if (options.abortMs !== undefined) {
      const leaving = setTimeout(() => request.destroy(), options.abortMs)
      request.on('close', () => clearTimeout(leaving))
    }
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      const outcome = (): Outcome => ({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        complete: response.complete && (options.endMark === undefined || text.includes(options.endMark)),
        ms: performance.now() - sentMs,
      })
      response.on('data', (piece: string) => {
        text += piece
        options.watch?.(text, request)
      })
      response.on('error', () => resolve(outcome()))
      response.on('close', () => {
        resolve(outcome())
        if (options.declaredBytes !== undefined) request.destroy()
      })
    })
    if (options.declaredBytes === undefined) request.end(options.body)
    else request.write(options.body ?? '')
  })
}

export interface ChatOptions {
  readonly stream?: boolean
  readonly maxTokens?: number
  readonly model?: string
  readonly prompt?: string
  readonly watch?: CallOptions['watch']
  readonly agent?: Agent
  readonly abortMs?: number
  /** Beside the key. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A well-formed request on one surface with a key. */
export function chat(gateway: Gateway, key: string, surface: ChatSurface, options: ChatOptions = {}): Promise<Outcome> {
  const wire = WIRES[surface]
  const stream = options.stream ?? false
  const model = options.model ?? modelOf(surface)
  return call(gateway.port, {
    path: wire.path(model, stream),
    headers: { authorization: `Bearer ${key}`, ...options.headers },
    body: JSON.stringify(wire.body(model, stream, options.maxTokens ?? 100, options.prompt ?? 'Hello')),
    ...(stream ? { endMark: wire.endMark } : {}),
    ...(options.watch ? { watch: options.watch } : {}),
    ...(options.agent ? { agent: options.agent } : {}),
    ...(options.abortMs === undefined ? {} : { abortMs: options.abortMs }),
  })
}

/** How many content events a reply holds so far. */
export const countWords = (text: string): number => text.split(WORD).length - 1
