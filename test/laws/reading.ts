import type { EventRole, RequestFacts, StreamReader } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Surface } from '#base/protocols.ts'
import { costEdits, modelEdit, publicNameOf } from '#data-plane/9-reply/rewrite.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'
import { EventFramer } from '#wire/sse.ts'

/** Reads a stream as the data plane does, so that two ways of cutting its bytes can be compared. */

const EVENT_BYTES_MAX = 16 * 1024 * 1024
const NAME = publicNameOf({ id: 'public/name' })

export const FACTS: RequestFacts = {
  model: 'm',
  stream: true,
  outputTokensMax: null,
  candidates: 1,
  showsUsage: true,
  unseen: { mediaCount: 0, unbounded: false },
  namesRouting: false,
  spans: {},
}

/** All that the gateway takes from a stream, and what it makes of it. */
export interface Reading {
  readonly roles: readonly EventRole[]
  readonly facts: unknown
  readonly complete: boolean
  /** The events with our name of the model and a cost. */
  readonly output: string
}

/** Reads the pieces. `onEvent` sees the reader after each event. */
export function readPieces(
  surface: Surface,
  pieces: Iterable<Buffer>,
  onEvent: (reader: StreamReader, roles: readonly EventRole[]) => void = () => {},
): Reading {
  const reader = PASSTHROUGH[surface].openStream(FACTS)
  const framer = new EventFramer(EVENT_BYTES_MAX)
  const roles: EventRole[] = []
  const output: string[] = []
  const take = (event: Buffer) => pass(event, reader.read(event))
  const pass = (event: Buffer, role: EventRole) => {
    roles.push(role)
    output.push(rewriteEvent(event, reader).toString('latin1'))
    onEvent(reader, roles)
  }
  for (const piece of pieces) {
    if (framer.isEmpty && reader.repeats(piece)) pass(piece, 'content')
    else for (const event of framer.push(piece)) take(event)
  }
  const rest = framer.end()
  if (rest) take(rest)
  return { roles, facts: factsOf(reader), complete: reader.complete, output: output.join('') }
}

export function rewriteEvent(event: Buffer, reader: StreamReader): Buffer {
  const edits: Edit[] = []
  const rename = modelEdit(event, reader.modelStart, reader.modelEnd, NAME)
  if (rename) edits.push(rename)
  if (reader.usageOpen >= 0) edits.push(...costEdits(event, reader.usageOpen, null, false))
  return applyEdits(event, edits)
}

export function factsOf(reader: StreamReader): unknown {
  const { usage, finishReason, responseId, toolCallsCount, contentBytes, failure } = reader
  return { usage, finishReason, responseId, toolCallsCount, contentBytes, failure }
}

/** Numbers from a seed, so that a failure can be repeated. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** The bytes in pieces of 1 to `bytesMax` bytes. */
export function* cut(bytes: Buffer, bytesMax: number, random: (below: number) => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random(bytesMax)
    yield bytes.subarray(at, end)
    at = end
  }
}
