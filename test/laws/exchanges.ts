import { readFileSync } from 'node:fs'
import type { Surface } from '#base/protocols.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import { CLIENT_CODECS, UPSTREAM_CODECS } from '#codecs/index.ts'
import { traitsOf } from '#codecs/model-traits.ts'
import type { AnswerContext, ClientCodec, TargetTraits, UpstreamCodec } from '#codecs/translation.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { ABSENCE } from './corpus.ts'

/** The recorded exchanges of everything that is translated, Bedrock's too. `corpus.ts` says where they stand. */

const FOLDER = new URL('../../../shared/corpus/dev/', import.meta.url)

export type ClientProtocol = Exclude<Surface, 'openai-embeddings'>
export type ChatProtocol = ClientProtocol | 'bedrock-converse'

export const CLIENTS: readonly ClientProtocol[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']
export const UPSTREAMS: readonly ChatProtocol[] = [...CLIENTS, 'bedrock-converse']

const PROTOCOLS: Readonly<Record<string, ChatProtocol>> = {
  'openai-chat': 'openai-chat',
  'openai-responses': 'openai-responses',
  'anthropic-messages': 'anthropic-messages',
  'gemini-generate': 'gemini',
  'gemini-stream': 'gemini',
  'bedrock-converse': 'bedrock-converse',
  'bedrock-converse-stream': 'bedrock-converse',
}

export interface Exchange {
  readonly id: string
  readonly protocol: ChatProtocol
  readonly model: string
  readonly features: ReadonlySet<string>
  readonly status: number
  /** The request as its client wrote it, numbers kept; null when only its answer was recorded, or it was no JSON object. */
  readonly request: Readonly<Record<string, unknown>> | null
  readonly candidates: number
  /** The bytes of a streamed answer; null when it came whole. */
  readonly stream: Buffer | null
  /** The bytes of a whole answer that is JSON. */
  readonly whole: Buffer | null
}

interface IndexLine {
  readonly id: string
  readonly file: string
  readonly protocol: string
  readonly model: string | null
  readonly status: number
  readonly features: readonly string[]
}

interface Recorded {
  readonly request: { readonly body?: unknown; readonly body_raw?: string; readonly synthetic?: boolean }
  readonly response: {
    readonly body?: unknown
    readonly body_raw?: string
    readonly sse?: string
    readonly base64?: string
  }
}

/** All of them, read once per process; none where they are absent. */
export const EXCHANGES: readonly Exchange[] = ABSENCE ? [] : loadExchanges()

export const STREAMED = EXCHANGES.filter(({ stream, status }) => stream !== null && status === 200)
export const WHOLE = EXCHANGES.filter(({ whole, status }) => whole !== null && status === 200)
/** Requests that their upstream accepted. */
export const ASKED = EXCHANGES.filter(({ request, status }) => request !== null && status === 200)

function loadExchanges(): Exchange[] {
  return (read('index.json') as IndexLine[]).flatMap((line) => {
    const protocol = PROTOCOLS[line.protocol]
    return protocol ? [exchangeOf(line, protocol, read(line.file) as Recorded)] : []
  })
}

function exchangeOf(line: IndexLine, protocol: ChatProtocol, { request, response }: Recorded): Exchange {
  const asked = faithful(request.body_raw, request.body)
  const config = asked?.['generationConfig'] as { candidateCount?: unknown } | undefined
  const features = new Set(line.features)
  const isStream = response.sse !== undefined || response.base64 !== undefined || features.has('json_array_stream')
  return {
    id: line.id,
    protocol,
    model: line.model ?? '',
    features,
    status: line.status,
    request: request.synthetic ? null : asked,
    candidates: Number(asked?.['n'] ?? config?.candidateCount ?? 1),
    stream: isStream ? streamOf(response) : null,
    whole: isStream || response.body === undefined ? null : bytesOf(response),
  }
}

function faithful(raw: string | undefined, value: unknown): Record<string, unknown> | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null
  return parseFaithfulJson(raw ?? JSON.stringify(value)) as Record<string, unknown>
}

function bytesOf({ body, body_raw: raw }: Recorded['response']): Buffer {
  return Buffer.from(raw ?? JSON.stringify(body))
}

/** A stream that was answered as a JSON array is put into events, as Gemini writes it under `alt=sse`. */
function streamOf({ sse, base64, body }: Recorded['response']): Buffer {
  if (base64 !== undefined) return Buffer.from(base64, 'base64')
  if (sse !== undefined) return Buffer.from(sse)
  return Buffer.from((body as unknown[]).map((each) => `data: ${JSON.stringify(each)}\r\n\r\n`).join(''))
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'))
}

export const clientOf = (protocol: ClientProtocol): ClientCodec => CLIENT_CODECS[protocol]!
export const upstreamOf = (protocol: ChatProtocol): UpstreamCodec => UPSTREAM_CODECS[protocol]!
export const isClient = (protocol: ChatProtocol): protocol is ClientProtocol => protocol !== 'bedrock-converse'

/** What is known of the model that answered. */
export function traitsFor(protocol: ChatProtocol, model: string, backendType = 'any'): TargetTraits {
  return traitsOf({
    protocol,
    backendType,
    upstreamModel: model,
    vendor: '',
    capabilities: new Set(),
    outputTokensMax: null,
    anthropicVersion: '2023-06-01',
  })
}

/** The least that a client of the protocol can ask. */
export function smallRequest(protocol: ClientProtocol, stream: boolean): Readonly<Record<string, unknown>> {
  const turn = { role: 'user', content: 'hi' }
  switch (protocol) {
    case 'openai-chat':
      return { model: 'm', messages: [turn], stream }
    case 'openai-responses':
      return { model: 'm', input: 'hi', stream }
    case 'anthropic-messages':
      return { model: 'm', max_tokens: 100, messages: [turn], stream }
    case 'gemini':
      return { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] }
    default: {
      const missed: never = protocol
      throw new Error(`unknown protocol ${String(missed)}`)
    }
  }
}

export function answerContext(client: ClientProtocol, upstream: ChatProtocol, stream: boolean): AnswerContext {
  const requestBody = smallRequest(client, stream)
  const request: ChatRequest = clientOf(client).decodeRequest(requestBody, { stream })
  return {
    id: '01M7WMS0000000000000000000',
    model: 'public/name',
    createdAt: 1_700_000_000,
    upstream,
    request,
    requestBody,
    showsUsage: true,
    isOpenRouter: false,
    losses: new AnswerLosses(upstream, client),
    costOf: () => null,
  }
}
