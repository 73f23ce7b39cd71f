import { setTimeout as wait } from 'node:timers/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { id } from '#base/ids.ts'
import { deliver } from './deliver.ts'
import { type Answer, answer, findEndpoint } from './endpoints.ts'
import { type FaultList, NO_FAULTS, readFaults } from './fault-list.ts'
import { faultMessage, faultOf, type FaultStatus, RETRY_AFTER_SECONDS } from './faults.ts'
import { Refusal, readFields } from './fields.ts'
import type { Fields } from './fields.ts'
import { modelName } from './models.ts'
import { openAiChat } from './openai-chat.ts'
import { Transcripts } from './transcripts.ts'

export { SIMULATOR_MODELS } from './models.ts'
export type { SimulatorModel } from './models.ts'

/** A larger request body is refused with 413. */
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024
/** Wait before each content event of `sim/story` and of `test/slow`; the other models never wait. */
export const STORY_PACE_MS = 5
export const SLOW_PACE_MS = 100

export interface SimulatorOptions {
  /** 0 or absent: any free port. */
  readonly port?: number
  readonly storyPaceMs?: number
  /** Told once per request, when its answer was sent to the end or given up. */
  readonly onEnd?: (outcome: 'sent' | 'aborted') => void
}

export interface Simulator {
  /** `http://127.0.0.1:port`, without a trailing slash. */
  readonly url: string
  /** Ends every connection and every answer in progress. */
  close(): Promise<void>
}

/**
 * Starts the built-in upstream on the loopback interface. It speaks Chat Completions, Responses, Embeddings, Messages
 * and generateContent natively and takes any credential. Rejects when the port is taken.
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const transcripts = new Transcripts()
  const server = createServer((request, response) => {
    void handle(request, response, transcripts, options)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  transcripts: Transcripts,
  options: SimulatorOptions,
): Promise<void> {
  const left = new AbortController()
  response.once('close', () => {
    left.abort()
    options.onEnd?.(response.writableFinished ? 'sent' : 'aborted')
  })
  const requestId = id('req')
  response.setHeader('x-request-id', requestId).setHeader('request-id', requestId)
  const url = new URL(request.url ?? '/', 'http://simulator')
  const endpoint = request.method === 'POST' ? findEndpoint(url, transcripts) : undefined
  let faults = NO_FAULTS
  try {
    if (!endpoint) throw new Refusal(404, `Unknown request: ${request.method} ${url.pathname}`, 'unknown_url')
    const body = await readBody(request)
    faults = faultsOf(request, endpoint.model ?? body.model)
    if (faults.ttftMs > 0) await wait(faults.ttftMs, undefined, { signal: left.signal })
    if (faults.resetAfter === 0) return void response.destroy()
    if (faults.status !== null) throw new Refusal(faults.status, faultMessage(faults.status as FaultStatus))
    const spoken = answer(endpoint, body, faults)
    await deliver(response, spoken, faults.chunkMs || paceOf(spoken, options), left.signal)
  } catch (error) {
    if (left.signal.aborted) return
    const refusal = error instanceof Refusal ? error : new Refusal(500, 'The simulator failed.')
    refuse(response, refusal, (endpoint?.speaker ?? openAiChat).refuse(refusal), faults.retryAfterSeconds)
  }
}

/** The faults that a header asks for, else the model's name where it names one of theirs (`sim/fault-no-usage`). */
function faultsOf({ headers }: IncomingMessage, model: unknown): FaultList {
  const asked = headers['x-fault'] ?? headers['x-simulate-fault']
  if (typeof asked === 'string') return readFaults(asked)
  if (typeof model !== 'string' || faultOf(model) !== null) return NO_FAULTS
  const name = modelName(model)
  return name.startsWith('fault-') ? readFaults(name.slice('fault-'.length)) : NO_FAULTS
}

function paceOf(spoken: Answer, options: SimulatorOptions): number {
  if (spoken.kind !== 'stream') return 0
  const name = modelName(spoken.model)
  if (name === 'story') return options.storyPaceMs ?? STORY_PACE_MS
  return name === 'slow' ? SLOW_PACE_MS : 0
}

function refuse(response: ServerResponse, refusal: Refusal, fields: Fields, retryAfterSeconds: number | null): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const waitSeconds = retryAfterSeconds ?? (refusal.status === 429 ? RETRY_AFTER_SECONDS : null)
  if (waitSeconds !== null) response.setHeader('retry-after', waitSeconds)
  // The rest of a body that is too large is not worth reading.
  if (refusal.status === 413) response.setHeader('connection', 'close')
  response.writeHead(refusal.status, { 'content-type': 'application/json' }).end(JSON.stringify(fields))
}

async function readBody(request: IncomingMessage): Promise<Fields> {
  const chunks: Buffer[] = []
  let length = 0
  // Leaving the loop must not destroy the socket, or the client would never read why it was refused.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > REQUEST_BYTES_MAX) throw new Refusal(413, `The body has more than ${REQUEST_BYTES_MAX} bytes.`)
    chunks.push(chunk)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new Refusal(400, 'We could not parse the JSON body of your request.', 'invalid_json')
  }
  return readFields(value, 'body')
}
