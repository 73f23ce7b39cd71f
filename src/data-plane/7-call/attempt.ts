import type { Dispatcher } from 'undici'
import { InvokeFramer } from '#codecs/anthropic-messages/invoke-frames.ts'
import type { EventOffsets, EventRole, Failure, StreamReader } from '#codecs/codec.ts'
import { readFailure } from '#codecs/failure.ts'
import { StreamBrokenError } from '#data-plane/failures.ts'
import { AwsEventFramer } from '#wire/aws-event-stream.ts'
import { EventFramer, EventTooLargeError, readEvent } from '#wire/sse.ts'
import type { EventSink, EventSource } from './answer.ts'
import type { RetryBudget } from '#health/retry-budget.ts'
import type { Carried, Carrier, UpstreamCall, UpstreamPools } from './pools.ts'
import { BodyDecoder } from './body-decoder.ts'
import { endsWithoutContent } from './empty-answer.ts'
import { Watchdog } from './watchdog.ts'

/** An error body is read up to here; what a client is told is far shorter. */
export const ERROR_BODY_BYTES_MAX = 64 * 1024

/** What is held back before the first content, at most; then the answer commits as it is (R69, B10). */
export const HELD_EVENTS_MAX = 64
export const HELD_BYTES_MAX = 256 * 1024

export type AttemptOutcome =
  | {
      readonly kind: 'whole'
      readonly body: Buffer
      readonly status: number
      readonly upstreamRequestId: string | null
    }
  | {
      readonly kind: 'stream'
      readonly events: EventSource
      readonly firstContentAt: number
      readonly upstreamRequestId: string | null
    }
  | {
      readonly kind: 'failed'
      readonly failure: Failure
      readonly retryAfter: string | null
      readonly upstreamRequestId: string | null
    }

export interface AttemptLimits {
  readonly bodyBytesMax: number
  readonly eventBytesMax: number
  readonly firstContentMs: number
  readonly idleMs: number
  readonly totalMs: number
  readonly paceBytesMin?: number
}

/**
 * One upstream request, from its dispatch to its outcome. The outcome of a stream is known with its first content: until
 * then nothing has been promised to the client, and a failure may be retried elsewhere; after it the events flow to a sink.
 */
export class Attempt implements Dispatcher.DispatchHandler, EventSource, Carried {
  readonly outcome: Promise<AttemptOutcome>
  carrier: Carrier | null = null
  /** What is sent again over a fresh connection, and by whom; null: it is sent once. No closure: every request has one of these. */
  private resent: UpstreamCall | null = null
  private resender: Resender | null = null
  private settleOutcome!: (outcome: AttemptOutcome) => void
  private readonly reader: StreamReader | null
  private readonly limits: AttemptLimits
  /** Null until it is known that a stream comes. */
  private framer: Framer | null = null
  private readonly watchdog: Watchdog
  private controller: Dispatcher.DispatchController | null = null
  private decoder: BodyDecoder | null = null
  private status = 0
  private contentType = ''
  private headers: Record<string, string | string[] | undefined> = {}
  private chunks: Buffer[] = []
  private bytes = 0
  private held: { event: Buffer; role: EventRole; offsets: EventOffsets }[] = []
  private heldBytes = 0
  private heldEvents = 0
  private sink: EventSink | null = null
  private ended: { error: Error | null } | null = null
  private finished = false
  private committed = false
  /** Bytes that the socket had read before this request, where it had carried others; null on a fresh one. */
  private bytesBefore: number | null = null

  private readonly isInvoked: boolean

  /** `reader` is null when a whole answer is expected. `isInvoked`: AWS messages hold the events of the reader's protocol. */
  constructor(reader: StreamReader | null, limits: AttemptLimits, isInvoked = false) {
    this.reader = reader
    this.isInvoked = isInvoked
    this.limits = limits
    this.outcome = new Promise((accept) => (this.settleOutcome = accept))
    this.watchdog = new Watchdog(limits, (what) => this.fail({ status: 504, ...TIMEOUTS[what] }))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.finished) {
      controller.abort(ABORTED)
      return
    }
    this.controller = controller
    const { carrier } = this
    if (carrier && carrier.carried++ > 0) this.bytesBefore = carrier.socket?.bytesRead ?? null
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.controller = controller
    this.status = status
    this.headers = headers
    this.contentType = textOf(headers['content-type']) ?? ''
    if (status === 200) {
      if (this.reader !== null) this.openFramer()
      this.watchdog.begin()
    }
    const encoding = textOf(headers['content-encoding'])
    if (encoding && encoding !== 'identity') this.decodeBody(encoding)
  }

  private openFramer(): void {
    const isAws = this.contentType.includes(AWS_EVENT_STREAM)
    if (!isAws && !this.contentType.includes('text/event-stream')) return
    const kind = isAws ? (this.isInvoked ? InvokeFramer : AwsEventFramer) : EventFramer
    this.framer = new kind(this.limits.eventBytesMax)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.finished) return
    if (this.decoder) this.decoder.write(chunk)
    else this.take(chunk)
  }

  onResponseEnd(): void {
    if (this.finished) return
    if (this.decoder) this.decoder.end()
    else this.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.isStale() && this.resend()) return
    this.fail({ status: 502, code: 'upstream_unavailable', message: 'The connection to the backend failed.' }, error)
  }

  /**
   * Whether an idle connection was closed while the request was on its way (fault R14): it had served before, and not one byte of
   * a reply came.
   */
  private isStale(): boolean {
    if (this.finished || this.resent === null || this.bytesBefore === null || this.status !== 0) return false
    const isUntouched = this.carrier?.socket?.bytesRead === this.bytesBefore
    this.bytesBefore = null
    return isUntouched
  }

  /** Allows one more sending, should an idle connection lose the first (fault R14). Called before the request is dispatched. */
  mayResend(request: UpstreamCall, resender: Resender): void {
    this.resent = request
    this.resender = resender
  }

  private resend(): boolean {
    const { resent, resender } = this
    this.resent = null
    if (!resent || !resender!.retryBudget.take(performance.now())) return false
    resender!.pools.dispatchFresh(resent, this)
    return true
  }

  /** The client left, or the gateway gives this attempt up. */
  abort(): void {
    if (this.finished) return
    this.finish()
    this.controller?.abort(ABORTED)
    this.settleOutcome(this.failed({ status: 499, code: 'client_closed_request', message: 'The client left.' }))
  }

  attach(sink: EventSink): void {
    this.sink = sink
    for (const { event, role, offsets } of this.held) sink.onEvent(event, role, offsets)
    this.held = []
    sink.onPause()
    if (this.ended) sink.onEnd(this.ended.error)
  }

  pause(): void {
    this.watchdog.pause()
    this.controller?.pause()
  }

  resume(): void {
    this.watchdog.resume()
    this.controller?.resume()
  }

  private decodeBody(encoding: string): void {
    this.decoder = BodyDecoder.for(encoding, {
      onData: (chunk) => this.take(chunk),
      onEnd: () => this.end(),
      onError: () => this.fail(badResponse('The upstream sent an encoding that cannot be decoded.')),
    })
    if (!this.decoder) this.fail(badResponse('The upstream sent an unknown content encoding.'))
  }

  private take(chunk: Buffer): void {
    if (this.finished) return
    this.watchdog.touch()
    if (this.framer) return this.takeEvents(this.framer, chunk)
    this.watchdog.advance(chunk)
    this.bytes += chunk.length
    const bytesMax = this.status === 200 ? this.limits.bodyBytesMax : ERROR_BODY_BYTES_MAX
    if (this.bytes <= bytesMax) this.chunks.push(chunk)
    else if (this.status === 200) this.fail(badResponse(`The upstream sent more than ${bytesMax} bytes.`))
    else this.chunks.push(chunk.subarray(0, Math.max(0, chunk.length - (this.bytes - bytesMax))))
  }

  private takeEvents(framer: Framer, chunk: Buffer): void {
    if (this.sink && framer.isEmpty && this.reader!.repeats(chunk)) {
      this.sink.onEvent(chunk, 'content', this.reader!)
      this.sink.onPause()
      return
    }
    let events: Buffer[]
    try {
      events = framer.push(chunk)
    } catch (error) {
      const what = error instanceof EventTooLargeError ? 'an event that is too large' : 'a damaged stream'
      this.fail(badResponse(`The upstream sent ${what}.`))
      return
    }
    for (const event of events) this.passEvent(event)
    if (this.committed && !this.finished) this.sink?.onPause()
  }

  private passEvent(event: Buffer): void {
    if (this.finished) return
    const reader = this.reader!
    const role = reader.read(event)
    const output = reader.output ?? event
    if (this.sink) {
      this.sink.onEvent(output, role, reader)
      return
    }
    if (role === 'failure' && !this.committed) {
      this.fail(reader.failure!)
      return
    }
    const { modelStart, modelEnd, usageOpen, contentBytes } = reader
    this.held.push({ event: output, role, offsets: { modelStart, modelEnd, usageOpen, contentBytes } })
    this.heldBytes += output.length
    // Keep-alives say nothing, however many there are.
    if (role !== 'noise') this.heldEvents++
    const isFull = this.heldEvents >= HELD_EVENTS_MAX || this.heldBytes >= HELD_BYTES_MAX
    if (role === 'terminal' || isFull || (role === 'content' && !endsWithoutContent(reader))) this.commit()
  }

  private commit(): void {
    if (this.committed) return
    this.committed = true
    this.watchdog.commit()
    const upstreamRequestId = this.upstreamRequestId()
    this.settleOutcome({ kind: 'stream', events: this, firstContentAt: performance.now(), upstreamRequestId })
  }

  private end(): void {
    if (this.finished) return
    if (this.status !== 200) {
      this.fail(readFailure(this.status, this.contentType, Buffer.concat(this.chunks)))
    } else if (this.framer) {
      const rest = this.framer.end()
      // Half an event would swallow whatever the client is told behind it.
      if (rest && isWholeEvent(rest)) this.passEvent(Buffer.concat([rest, BLANK_LINE]))
      this.endStream(null)
    } else {
      this.finish()
      const body = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks)
      this.settleOutcome({ kind: 'whole', body, status: this.status, upstreamRequestId: this.upstreamRequestId() })
    }
  }

  private endStream(error: Error | null): void {
    if (this.finished) return
    if (!this.committed && !this.reader!.complete) {
      this.fail({
        status: 502,
        code: 'upstream_bad_response',
        message: 'The upstream ended its stream without an answer.',
      })
      return
    }
    this.commit()
    this.finish()
    this.ended = { error }
    if (this.sink) {
      this.sink.onPause()
      this.sink.onEnd(error)
    }
  }

  private fail(failure: Failure, cause?: Error): void {
    if (this.finished) return
    // An answer that has said its end is whole, whatever comes after.
    if (this.framer && !this.committed && this.reader!.complete && !this.reader!.failure) this.commit()
    if (this.committed) {
      const error = new StreamBrokenError(failure, cause)
      this.finish()
      this.controller?.abort(ABORTED)
      this.ended = { error }
      this.sink?.onEnd(error)
      return
    }
    this.finish()
    this.controller?.abort(ABORTED)
    this.settleOutcome(this.failed(failure))
  }

  private failed(failure: Failure): AttemptOutcome {
    const retryAfter = textOf(this.headers['retry-after']) ?? null
    return { kind: 'failed', failure, retryAfter, upstreamRequestId: this.upstreamRequestId() }
  }

  private finish(): void {
    this.finished = true
    this.watchdog.stop()
  }

  private upstreamRequestId(): string | null {
    for (const name of REQUEST_ID_HEADERS) {
      const id = textOf(this.headers[name])
      if (id !== undefined) return id
    }
    return null
  }
}

/** Who sends a request again. */
interface Resender {
  readonly pools: Pick<UpstreamPools, 'dispatchFresh'>
  readonly retryBudget: Pick<RetryBudget, 'take'>
}

/** Cuts the bytes of a stream into its frames. Throws for frames that are too large or damaged. */
interface Framer {
  readonly isEmpty: boolean
  push(chunk: Buffer): Buffer[]
  end(): Buffer | null
}

/** What providers call their own id of a request. */
const REQUEST_ID_HEADERS = ['x-request-id', 'request-id', 'apim-request-id', 'x-amzn-requestid'] as const

const AWS_EVENT_STREAM = 'application/vnd.amazon.eventstream'

const BLANK_LINE = Buffer.from('\n\n')

/** Whether an event whose blank line never came is complete all the same: some hosts end their last one with the connection. */
function isWholeEvent(event: Buffer): boolean {
  const { dataStart, dataEnd } = readEvent(event, { name: '', dataStart: -1, dataEnd: -1, dataText: null })
  if (dataStart < 0) return false
  const data = event.toString('utf8', dataStart, dataEnd).trim()
  if (data === '[DONE]') return true
  try {
    JSON.parse(data)
    return true
  } catch {
    return false
  }
}

const ABORTED = new Error('the gateway ended this upstream request')

const TIMEOUTS = {
  firstContent: { code: 'upstream_timeout', message: 'The backend did not answer in time.' },
  idle: { code: 'streaming_timeout', message: 'The backend stopped sending.' },
  pace: { code: 'upstream_timeout', message: 'The backend answers too slowly.' },
  total: { code: 'upstream_timeout', message: 'The answer took longer than allowed.' },
} as const

function badResponse(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
