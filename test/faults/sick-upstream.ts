/**
 * The upstreams of the failover load, a process of their own, so that what is measured is the gateway and not its neighbours: one
 * that stays sound, and one per way to fall ill, each on a port of its own. Every answer repeats the word of its request and the
 * name of its server in every piece, so that a mixed answer is seen. Told what to do by messages of its parent.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const WAYS = [
  'refused',
  'reset',
  'hang',
  '500',
  '429 with retry-after',
  '429 without retry-after',
  '200 with an error',
  'slow first token',
  'cut mid-stream',
] as const
export type Way = (typeof WAYS)[number]

/** From the parent: the way's server falls ill or recovers. */
export interface Order {
  readonly way: Way
  readonly what: 'fall ill' | 'recover'
}

/** To the parent. First the ports, then an answer to each order. */
export type Report =
  | { readonly kind: 'ports'; readonly sound: number; readonly sick: Readonly<Record<Way, number>> }
  | { readonly kind: 'done' }

/** The name in every piece of an answer. */
export const SOUND_NAME = 'sound'
export const PIECES = 3
export const RETRY_AFTER_SECONDS = 2
const PIECE_MS = 4
const SLOW_MS = 20_000

const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }
const chunk = (delta: object, finish: string | null = null): string =>
  data({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] })
const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }
const ROLE = chunk({ role: 'assistant', content: '' })
const ERROR = { error: { message: 'scripted', type: 'server_error', code: null, param: null } }

interface Asked {
  readonly stream: boolean
  /** What the answer has to say in every piece. */
  readonly text: string
}

/** One server. While it is ill it answers in its own way. */
class Host {
  isIll = false
  private server: Server
  private port = 0
  private readonly name: string
  private readonly way: Way | null

  constructor(name: string, way: Way | null) {
    this.name = name
    this.way = way
    this.server = this.create()
  }

  async listen(): Promise<number> {
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as AddressInfo).port
    return this.port
  }

  async fallIll(): Promise<void> {
    this.isIll = true
    if (this.way !== 'refused') return
    // What it has begun to answer it ends: to be cut in the middle is another way to fall ill.
    this.server.close()
    await once(this.server, 'close')
  }

  async recover(): Promise<void> {
    this.isIll = false
    if (this.way !== 'refused') return
    this.server = this.create()
    await this.listen()
  }

  private create(): Server {
    return createServer({ noDelay: true, keepAliveTimeout: 60_000 }, (request, response) => {
      response.on('error', () => undefined)
      response.on('close', () => setImmediate(() => this.isIll && this.server.closeIdleConnections()))
      read(request, (body) => {
        const text = `${/word-\d+/.exec(body)?.[0]} ${this.name} `
        const asked = { stream: body.includes('"stream":true'), text }
        if (this.isIll) SICK[this.way!](response, asked)
        else answer(response, asked)
      })
    })
  }
}

function read(request: IncomingMessage, done: (body: string) => void): void {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (piece: string) => (body += piece))
  request.on('end', () => done(body))
}

function json(response: ServerResponse, status: number, value: object, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(value)
  const length = String(Buffer.byteLength(text))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers })
  response.end(text)
}

const wholeOf = ({ text }: Asked): object => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: text.repeat(PIECES) }, finish_reason: 'stop' }],
  usage: USAGE,
})

function answer(response: ServerResponse, asked: Asked): void {
  if (!asked.stream) return json(response, 200, wholeOf(asked))
  begin(response)
  let sent = 0
  const timer = setInterval(() => {
    if (sent++ < PIECES) return void response.write(chunk({ content: asked.text }))
    clearInterval(timer)
    response.end(chunk({}, 'stop') + data({ ...head, choices: [], usage: USAGE }) + 'data: [DONE]\n\n')
  }, PIECE_MS)
  response.on('close', () => clearInterval(timer))
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(ROLE)
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy()
}

/** Cut behind the first piece of content, or in the middle of a body. */
function cut(response: ServerResponse, asked: Asked): void {
  if (asked.stream) begin(response)
  else response.writeHead(200, { 'content-type': 'application/json', 'content-length': '4096' })
  const piece = asked.stream ? chunk({ content: asked.text }) : JSON.stringify(wholeOf(asked)).slice(0, 60)
  response.write(piece, () => response.destroy())
}

function slow(response: ServerResponse, asked: Asked): void {
  if (asked.stream) begin(response)
  const timer = setTimeout(() => (asked.stream ? response.end('data: [DONE]\n\n') : response.end()), SLOW_MS)
  response.on('close', () => clearTimeout(timer))
}

const SICK: Readonly<Record<Way, (response: ServerResponse, asked: Asked) => void>> = {
  refused: reset,
  reset,
  hang: () => undefined,
  '500': (response) => json(response, 500, ERROR),
  '429 with retry-after': (response) => json(response, 429, ERROR, { 'retry-after': String(RETRY_AFTER_SECONDS) }),
  '429 without retry-after': (response) => json(response, 429, ERROR),
  '200 with an error': (response, { stream }) => {
    if (!stream) return json(response, 200, ERROR)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(data(ERROR))
  },
  'slow first token': slow,
  'cut mid-stream': cut,
}

async function serve(): Promise<void> {
  const tell = (report: Report): void => void process.send?.(report)
  const hosts = new Map<Way, Host>(WAYS.map((way, index) => [way, new Host(`sick${index}`, way)]))
  const sound = await new Host(SOUND_NAME, null).listen()
  const sick: Partial<Record<Way, number>> = {}
  for (const [way, host] of hosts) sick[way] = await host.listen()
  process.on('message', (order: Order) => {
    void obey(hosts.get(order.way)!, order.what).then(() => tell({ kind: 'done' }))
  })
  process.on('disconnect', () => process.exit(0))
  tell({ kind: 'ports', sound, sick: sick as Record<Way, number> })
}

const obey = (host: Host, what: Order['what']): Promise<void> => (what === 'fall ill' ? host.fallIll() : host.recover())

if (import.meta.main) await serve()
