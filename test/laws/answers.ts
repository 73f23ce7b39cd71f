import type { Failure } from '#codecs/codec.ts'
import type { StreamDecoder } from '#codecs/translation.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { AwsEventFramer } from '#wire/aws-event-stream.ts'
import { EventFramer } from '#wire/sse.ts'
import { type ChatProtocol, type Exchange, upstreamOf } from './exchanges.ts'

/** Reads recorded answers into events as the data plane does, and says whether events keep their grammar. */

const FRAME_BYTES_MAX = 64 * 1024 * 1024

export interface Answer {
  readonly events: readonly ChatEvent[]
  readonly failure: Failure | null
  readonly complete: boolean
}

export function decodeStream(protocol: ChatProtocol, pieces: Iterable<Buffer>, candidates: number): Answer {
  const decoder = upstreamOf(protocol).openDecoder({ candidates })
  const events: ChatEvent[] = []
  for (const frame of framesOf(protocol, pieces)) {
    events.push(...decoder.push(frame))
    if (decoder.failure) break
  }
  if (!decoder.failure) events.push(...decoder.end())
  return answerOf(decoder, events)
}

export const answerOf = ({ failure, complete }: StreamDecoder, events: readonly ChatEvent[]): Answer => ({
  events,
  failure,
  complete,
})

/** The frames of a stream. What is left unfinished at its end is a frame of SSE and none of AWS. */
export function* framesOf(protocol: ChatProtocol, pieces: Iterable<Buffer>): Generator<Buffer> {
  const isAws = protocol === 'bedrock-converse'
  const framer = isAws ? new AwsEventFramer(FRAME_BYTES_MAX) : new EventFramer(FRAME_BYTES_MAX)
  for (const piece of pieces) yield* framer.push(piece)
  const rest = framer.end()
  if (rest && !isAws) yield rest
}

/** What was answered, streamed or whole. */
export function decodeAnswer({ protocol, stream, whole, candidates }: Exchange): Answer {
  if (stream) return decodeStream(protocol, [stream], candidates)
  const body = parseFaithfulJson(whole!.toString())
  return { ...upstreamOf(protocol).decodeWhole(body, { candidates }), complete: true }
}

/** What the events of one answer, which may go on, have done against the grammar (ir/chat-event.ts). */
export function faultsOf(events: readonly ChatEvent[], isEnded: boolean): string[] {
  const watch = new GrammarWatch()
  for (const event of events) watch.take(event)
  return isEnded ? [...watch.faults, ...watch.leftovers()] : watch.faults
}

class GrammarWatch {
  readonly faults: string[] = []
  private hasStarted = false
  private count = 0
  /** Candidates of the open blocks. */
  private readonly open = new Map<number, number>()
  private readonly sealed = new Set<number>()
  private readonly spoken = new Set<number>()
  private readonly finished = new Set<number>()

  take(event: ChatEvent): void {
    if (event.type === 'response-start') {
      this.refuse(this.hasStarted, 'two response-starts')
      this.hasStarted = true
    } else this.refuse(!this.hasStarted, `${event.type} before the response-start`)
    if (event.type === 'block-start') this.takeStart(event.index, event.candidate)
    else if ('index' in event) this.takeInside(event)
    else if (event.type === 'finish') this.takeFinish(event.candidate)
  }

  leftovers(): string[] {
    const unfinished = [...this.spoken].filter((candidate) => !this.finished.has(candidate))
    return [
      ...[...this.open.keys()].map((index) => `block ${index} has no end`),
      ...unfinished.map((candidate) => `candidate ${candidate} has no finish`),
    ]
  }

  private takeStart(index: number, candidate: number): void {
    this.refuse(index !== this.count, `block ${index} after ${this.count} blocks`)
    this.refuse([...this.open.values()].includes(candidate), `block ${index} overlaps another`)
    this.refuse(this.finished.has(candidate), `block ${index} after the finish`)
    this.count++
    this.open.set(index, candidate)
    this.spoken.add(candidate)
  }

  private takeInside(event: Extract<ChatEvent, { readonly index: number }>): void {
    const { type, index } = event
    this.refuse(!this.open.has(index), `${type} of block ${index}, which is not open`)
    this.refuse(type !== 'block-end' && this.sealed.has(index), `${type} after the seal of block ${index}`)
    if (event.type === 'block-delta') this.refuse(event.text === '', `an empty delta of block ${index}`)
    if (type === 'block-seal') this.sealed.add(index)
    if (type === 'block-end') this.open.delete(index)
  }

  private takeFinish(candidate: number): void {
    this.refuse(this.finished.has(candidate), `candidate ${candidate} finishes twice`)
    this.refuse([...this.open.values()].includes(candidate), `candidate ${candidate} finishes inside a block`)
    this.finished.add(candidate)
  }

  private refuse(isFault: boolean, fault: string): void {
    if (isFault) this.faults.push(fault)
  }
}
