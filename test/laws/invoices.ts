import { readFileSync } from 'node:fs'
import { InvokeFramer } from '#codecs/anthropic-messages/invoke-frames.ts'
import { PASSTHROUGH, UPSTREAM_CODECS } from '#codecs/index.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import { AwsEventFramer } from '#wire/aws-event-stream.ts'
import { EventFramer } from '#wire/sse.ts'
import { readPieces } from './reading.ts'

/** Every recorded answer whose usage is known, as its provider wrote it and as we read it. */

const FOLDER = new URL('../../../shared/corpus/dev/', import.meta.url)
const EVENT_BYTES_MAX = 16 * 1024 * 1024

/** Who counts in what words. */
export type Dialect =
  | 'openai-chat'
  | 'openai-responses'
  | 'openai-embeddings'
  | 'anthropic-messages'
  | 'gemini'
  | 'bedrock-converse'
  | 'cohere-chat'

export interface Invoice {
  readonly id: string
  readonly dialect: Dialect
  /** The JSON values of the provider's answer, in their order. */
  readonly values: readonly unknown[]
  /** As the gateway reads them. */
  readonly usage: Usage | null
}

interface Line {
  readonly id: string
  readonly file: string
  readonly protocol: string
  readonly endpoint: string
}

interface Recorded {
  readonly response: {
    readonly status: number
    readonly body?: unknown
    readonly body_raw?: string
    readonly sse?: string
    readonly base64?: string
  }
  readonly summary?: { readonly usage?: object | null }
}

const DIALECTS: Readonly<Record<string, Dialect>> = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'openai-embeddings': 'openai-embeddings',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
  'bedrock-converse': 'bedrock-converse',
  'bedrock-converse-stream': 'bedrock-converse',
}

export interface Invoices {
  readonly invoices: readonly Invoice[]
  /** Recordings with usage that nobody here could be billed for: how many, by their endpoint and why. */
  readonly leftOut: ReadonlyMap<string, number>
}

export function loadInvoices(): Invoices {
  const invoices: Invoice[] = []
  const leftOut = new Map<string, number>()
  for (const line of read('index.json') as Line[]) {
    const { response, summary } = read(line.file) as Recorded
    if (response.status !== 200 || !summary?.usage) continue
    const found = invoiceOf(line, response)
    if (typeof found === 'string') leftOut.set(found, (leftOut.get(found) ?? 0) + 1)
    else invoices.push(found)
  }
  return { invoices, leftOut }
}

function invoiceOf({ id, protocol, endpoint }: Line, response: Recorded['response']): Invoice | string {
  const dialect = DIALECTS[protocol] ?? dialectOf(endpoint, response)
  if (dialect === null) return `${endpoint}: no backend speaks it`
  if (response.base64 !== undefined) return awsInvoice(id, dialect, Buffer.from(response.base64, 'base64'))
  const events = eventsOf(response, dialect)
  if (events !== null) return { id, dialect, values: valuesOf(events), usage: streamed(dialect, events) }
  const body = Buffer.from(response.body_raw ?? JSON.stringify(response.body))
  return { id, dialect, values: [JSON.parse(body.toString('utf8'))], usage: whole(dialect, body) }
}

/** What is called something else in the recordings and spoken here all the same: Cohere's own, and Claude on Bedrock. */
function dialectOf(endpoint: string, { body, base64 }: Recorded['response']): Dialect | null {
  if (endpoint === 'cohere.chat.v2') return 'cohere-chat'
  if (!endpoint.startsWith('bedrock.invoke')) return null
  if (base64 !== undefined) return 'anthropic-messages'
  return (body as { type?: unknown } | undefined)?.type === 'message' ? 'anthropic-messages' : null
}

/** A stream that was answered as one JSON array is put into events, as Gemini writes them elsewhere. */
function eventsOf({ sse, body }: Recorded['response'], dialect: Dialect): string | null {
  if (sse !== undefined) return sse.replaceAll('\r\n', '\n')
  if (dialect !== 'gemini' || !Array.isArray(body)) return null
  return body.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('')
}

const valuesOf = (events: string): unknown[] =>
  events.split('\n').flatMap((line) => {
    const data = line.startsWith('data:') ? line.slice('data:'.length).trim() : ''
    return data.startsWith('{') ? [JSON.parse(data)] : []
  })

type Passed = Exclude<Dialect, 'bedrock-converse' | 'cohere-chat'>
const isPassed = (dialect: Dialect): dialect is Passed => dialect !== 'bedrock-converse' && dialect !== 'cohere-chat'

function whole(dialect: Dialect, body: Buffer): Usage | null {
  if (isPassed(dialect)) return PASSTHROUGH[dialect].readAnswer(body).usage
  return lastUsage(UPSTREAM_CODECS[dialect]!.decodeWhole(JSON.parse(body.toString('utf8')), { candidates: 1 }).events)
}

function streamed(dialect: Dialect, events: string): Usage | null {
  if (!isPassed(dialect)) return decoded(dialect, new EventFramer(EVENT_BYTES_MAX).push(Buffer.from(events)))
  let usage: Usage | null = null
  readPieces(dialect, [Buffer.from(events)], (reader) => (usage = reader.usage))
  return usage
}

function decoded(dialect: Dialect, frames: readonly Buffer[]): Usage | null {
  const decoder = UPSTREAM_CODECS[dialect as Exclude<Dialect, 'openai-embeddings'>]!.openDecoder({ candidates: 1 })
  return lastUsage([...frames.flatMap((frame) => decoder.push(frame)), ...decoder.end()])
}

const lastUsage = (events: readonly ChatEvent[]): Usage | null =>
  events.reduce<Usage | null>((last, event) => (event.type === 'usage' ? event.usage : last), null)

function awsInvoice(id: string, dialect: Dialect, bytes: Buffer): Invoice {
  if (dialect === 'bedrock-converse') {
    const frames = new AwsEventFramer(EVENT_BYTES_MAX).push(bytes)
    return { id, dialect, values: payloadsIn(bytes), usage: decoded(dialect, frames) }
  }
  const events = new InvokeFramer(EVENT_BYTES_MAX).push(bytes).map(String).join('')
  const values = payloadsIn(bytes).map((each) => {
    const { bytes: inner } = each as { bytes: string }
    return JSON.parse(Buffer.from(inner, 'base64').toString('utf8'))
  })
  return { id, dialect, values, usage: streamed(dialect, events) }
}

/** The payloads of AWS messages, by nothing but the lengths that stand at the beginning of each. */
function payloadsIn(bytes: Buffer): unknown[] {
  const found: unknown[] = []
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const headers = bytes.readUInt32BE(at + 4)
    const payload = bytes.toString('utf8', at + 12 + headers, at + length - 4)
    if (payload.startsWith('{')) found.push(JSON.parse(payload))
    at += length
  }
  return found
}

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
