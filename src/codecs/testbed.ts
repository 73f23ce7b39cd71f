import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type ErrorCode, GatewayError } from '#base/errors.ts'
import { EventFramer } from '#wire/sse.ts'
import type { EventRole, Passthrough, RequestChanges, RequestFacts, StreamReader } from './codec.ts'

/** Drives the codecs in tests. */

export const DEPTH_MAX = 64

const EVENT_BYTES_MAX = 1024 * 1024

/** The text of `fixtures/<name>` beside the test. */
export function fixture(test: ImportMeta, name: string): string {
  return readFileSync(new URL(`fixtures/${name}`, test.url), 'utf8')
}

export function factsOf(codec: Passthrough, body: unknown): RequestFacts {
  return codec.readRequest(bytesOf(body), DEPTH_MAX)
}

/** A body is text as it stands, or a value that is written as JSON. */
function bytesOf(body: unknown): Buffer {
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** What the upstream gets for this body. */
export function rewritten(codec: Passthrough, body: string, changes: RequestChanges): string {
  const bytes = Buffer.from(body)
  return codec.writeRequest(bytes, codec.readRequest(bytes, DEPTH_MAX), changes).toString()
}

/** The body is refused with this code, and the client is told which of its members is at fault. */
export function assertRefused(codec: Passthrough, body: unknown, code: ErrorCode, param?: string): void {
  assert.throws(
    () => factsOf(codec, body),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error))
      assert.equal(error.code, code)
      assert.equal(error.status, 400)
      assert.equal(error.details.param, param)
      return true
    },
    `refused: ${typeof body === 'string' ? body : JSON.stringify(body)}`,
  )
}

/** What an output limit may not be, as JSON. */
export const BAD_COUNTS = ['-1', '1.5', '"10"', '1e400', '9223372036854775808', '2147483648', 'true', '[]', '{}']

export interface EventSeen {
  readonly role: EventRole
  /** What stands where the reader says the model's name does. */
  readonly model: string | null
  /** The bytes around the place where a cost may be inserted, one on each side. */
  readonly usageAt: string | null
}

export interface StreamSeen {
  readonly events: readonly EventSeen[]
  readonly roles: readonly EventRole[]
  readonly reader: StreamReader
}

/** Reads a whole stream, event by event. */
export function readStream(codec: Passthrough, text: string, facts: Partial<RequestFacts> = {}): StreamSeen {
  const reader = codec.openStream({ ...factsOf(codec, '{}'), ...facts })
  const framer = new EventFramer(EVENT_BYTES_MAX)
  const events = framer.push(Buffer.from(text))
  const rest = framer.end()
  if (rest) events.push(rest)
  const seen = events.map((event): EventSeen => {
    const role = reader.read(event)
    const { modelStart, modelEnd, usageOpen } = reader
    return {
      role,
      model: modelStart < 0 ? null : event.toString('utf8', modelStart, modelEnd),
      usageAt: usageOpen < 0 ? null : event.toString('utf8', usageOpen - 1, usageOpen + 1),
    }
  })
  return { events: seen, roles: seen.map(({ role }) => role), reader }
}

/** The data of the events of a text, parsed. */
export function dataOf(text: string): unknown[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map((match) => JSON.parse(match[1]!) as unknown)
}
