/** One pair of part B-10: what the gateway does with a request and with a streamed answer, without sockets, money and log. */
import { parseFaithfulJson } from '#base/exact-json.ts'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import type { EventOffsets, EventRole, StreamReader } from '#codecs/codec.ts'
import { Emulation } from '#codecs/emulation.ts'
import { CLIENT_CODECS, PASSTHROUGH, UPSTREAM_CODECS } from '#codecs/index.ts'
import { traitsOf } from '#codecs/model-traits.ts'
import { ToolNames } from '#codecs/tool-names.ts'
import type { AnswerContext, EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { EventSink } from '#data-plane/7-call/answer.ts'
import { Attempt } from '#data-plane/7-call/attempt.ts'
import { SealStash } from '#data-plane/7-call/seal-stash.ts'
import { SealWatch } from '#data-plane/7-call/seal-watch.ts'
import { TranslatedReader } from '#data-plane/7-call/translated-reader.ts'
import { modelEdit, publicNameOf } from '#data-plane/9-reply/rewrite.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { Losses } from '#ir/extensions.ts'
import type { SealArchive } from '#seal-state/types.ts'
import { applyEdits } from '#wire/splice.ts'
import { type ClientProtocol, PUBLIC_MODEL, requestBytes } from './codec-requests.ts'
import { type StreamInput, UPSTREAM_MODELS, type UpstreamProtocol } from './codec-streams.ts'

const JSON_DEPTH_MAX = 128
const EVENT_BYTES_MAX = 1024 * 1024
const HOUR_MS = 3_600_000
const LIMITS = {
  bodyBytesMax: EVENT_BYTES_MAX,
  eventBytesMax: EVENT_BYTES_MAX,
  firstContentMs: HOUR_MS,
  idleMs: HOUR_MS,
  totalMs: HOUR_MS,
}
const PUBLIC_NAME = publicNameOf({ id: PUBLIC_MODEL })
const ANSWER_ID = '0'.repeat(26)
const CONTROLLER = { abort() {}, pause() {}, resume() {}, aborted: false, paused: false, reason: null }
const SCOPE = { accountId: 'bench', backendId: 'bench', credential: null }

/** The stash as it is in memory: its database is behind the answer. */
const NO_ARCHIVE: SealArchive = {
  keep() {},
  find: async () => new Map(),
  idsPerReadMax: 0,
  fingerprintOf: () => '',
  sweep: async () => 0,
  flush: async () => {},
}

export interface Pair {
  readonly client: ClientProtocol
  readonly upstream: UpstreamProtocol
}

/** What the upstream gets for this body of the client. */
export function carryRequest({ client, upstream }: Pair, body: Buffer): Buffer {
  const facts = PASSTHROUGH[client].readRequest(body, JSON_DEPTH_MAX)
  if (client === upstream) {
    const changes = { model: UPSTREAM_MODELS[upstream], includeUsage: client === 'openai-chat' }
    return PASSTHROUGH[client].writeRequest(body, facts, changes)
  }
  const { encoded } = translated(client, upstream, body)
  return Buffer.from(JSON.stringify(encoded.body))
}

interface Translated {
  readonly requestBody: Readonly<Record<string, unknown>>
  readonly request: ChatRequest
  readonly names: ToolNames
  readonly encoded: EncodedRequest
}

function translated(client: ClientProtocol, upstream: UpstreamProtocol, body: Buffer): Translated {
  const requestBody = parseFaithfulJson(body.toString('utf8')) as Readonly<Record<string, unknown>>
  const request = CLIENT_CODECS[client]!.decodeRequest(requestBody, { stream: true })
  const losses = new Losses()
  const names = new ToolNames(request, upstream)
  const encoded = UPSTREAM_CODECS[upstream]!.encodeRequest(names.rename(request, losses), TRAITS[upstream], losses)
  return { requestBody, request, names, encoded }
}

const TRAITS = Object.fromEntries(
  Object.entries(UPSTREAM_MODELS).map(([protocol, upstreamModel]) => [
    protocol,
    traitsOf({
      protocol: protocol as UpstreamProtocol,
      backendType: 'any',
      upstreamModel,
      vendor: '',
      capabilities: new Set(),
      outputTokensMax: 64_000,
      anthropicVersion: '2023-06-01',
    }),
  ]),
) as Readonly<Record<UpstreamProtocol, TargetTraits>>

/** Reads streams of one pair; what belongs to the request is made once. */
export class StreamRun {
  private readonly pair: Pair
  private readonly made: Translated | null
  private readonly body: Buffer
  private readonly stash = new SealStash({ archive: NO_ARCHIVE, mode: () => 'memory' })

  constructor(pair: Pair) {
    this.pair = pair
    this.body = requestBytes(pair.client, 'small')
    this.made = pair.client === pair.upstream ? null : translated(pair.client, pair.upstream, this.body)
  }

  /** Feeds the frames one by one, as a socket does that delivers each event alone; gives the client's bytes. */
  async run({ contentType, frames }: StreamInput): Promise<Buffer[]> {
    const reader = this.openReader()
    const attempt = new Attempt(reader, LIMITS)
    const sink = new Client(reader)
    attempt.onRequestStart(CONTROLLER)
    attempt.onResponseStart(CONTROLLER, 200, { 'content-type': contentType })
    let isAttached = false
    const attached = attempt.outcome.then(() => {
      attempt.attach(sink)
      isAttached = true
      return sink
    })
    for (const frame of frames) {
      attempt.onResponseData(CONTROLLER, frame)
      // The first content commits the answer, and from the next turn on its events flow.
      if (!isAttached) await Promise.resolve()
    }
    attempt.onResponseEnd()
    await attached
    if (!sink.isWhole) throw new Error(`${this.pair.client} from ${this.pair.upstream}: the stream broke`)
    return sink.written
  }

  private openReader(): StreamReader | TranslatedReader {
    const { client, upstream } = this.pair
    if (!this.made) return PASSTHROUGH[client].openStream(PASSTHROUGH[client].readRequest(this.body, JSON_DEPTH_MAX))
    const { request, requestBody, names, encoded } = this.made
    const context: AnswerContext = {
      id: ANSWER_ID,
      model: PUBLIC_MODEL,
      createdAt: 1_790_000_000,
      upstream,
      request,
      requestBody,
      showsUsage: true,
      isOpenRouter: false,
      losses: new AnswerLosses(upstream, client),
      costOf: () => '0.000123',
    }
    return new TranslatedReader(
      ANSWER_ID,
      UPSTREAM_CODECS[upstream]!.openDecoder({ candidates: 1 }),
      Emulation.of(names, encoded),
      CLIENT_CODECS[client]!.openEncoder(context),
      new SealWatch(this.stash, SCOPE, CLIENT_CODECS[client]!.openCallIds(ANSWER_ID)),
    )
  }
}

/** Does with the events what the reply step does: puts the public name in place, and one write per chunk. */
class Client implements EventSink {
  readonly written: Buffer[] = []
  isWhole = false
  private readonly reader: StreamReader | TranslatedReader
  private output: Buffer[] = []

  constructor(reader: StreamReader | TranslatedReader) {
    this.reader = reader
  }

  onEvent(event: Buffer, _role: EventRole, { modelStart, modelEnd }: EventOffsets): void {
    const rename = modelEdit(event, modelStart, modelEnd, PUBLIC_NAME)
    this.output.push(rename ? applyEdits(event, [rename]) : event)
  }

  onPause(): void {
    if (this.output.length === 0) return
    this.written.push(this.output.length === 1 ? this.output[0]! : Buffer.concat(this.output))
    this.output = []
  }

  onEnd(error: Error | null): void {
    this.onPause()
    if (this.reader instanceof TranslatedReader) this.written.push(this.reader.closing())
    this.isWhole = error === null && this.reader.complete && this.reader.failure === null
  }
}
