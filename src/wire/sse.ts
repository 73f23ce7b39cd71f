/**
 * Server-Sent Events as bytes: finds where events end, without reading what they say. Lines may end in LF, CRLF or CR
 * (WHATWG HTML section 9.2), also mixed, and an event may be cut anywhere between two chunks.
 */

import { HeldBytes } from './held-bytes.ts'

const LF = 0x0a
const CR = 0x0d

/** An event grew beyond the bound: an upstream that never ends its event would fill the memory. */
export class EventTooLargeError extends Error {
  readonly bytesMax: number
  constructor(bytesMax: number) {
    super(`an upstream event is larger than ${bytesMax} bytes`)
    this.bytesMax = bytesMax
  }
}

/**
 * Cuts a byte stream into events. `push` returns the complete events of what has arrived, each with its empty line,
 * as views into the chunk where possible; what is unfinished stays until its end arrives.
 */
export class EventFramer {
  private readonly rest = new HeldBytes()
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Whether no unfinished event is held. */
  get isEmpty(): boolean {
    return this.rest.length === 0
  }

  push(chunk: Buffer): Buffer[] {
    const events: Buffer[] = []
    let start = 0
    let at = Math.max(0, this.rest.length - 3)
    const data = this.rest.joined(chunk)
    for (;;) {
      const end = findEventEnd(data, at)
      if (end < 0) break
      events.push(data.subarray(start, end))
      start = end
      at = end
    }
    if (data.length - start > this.bytesMax) throw new EventTooLargeError(this.bytesMax)
    this.rest.keepFrom(data, start)
    return events
  }

  /** What is left when the stream ends: an event whose empty line never came, or null. */
  end(): Buffer | null {
    return this.rest.take()
  }
}

/** Offset behind the first empty line at or after `from`, or -1. A CR at the very end waits for the LF that may follow. */
function findEventEnd(data: Buffer, from: number): number {
  let at = from
  for (;;) {
    const lineEnd = nextLineEnd(data, at)
    if (lineEnd < 0) return -1
    const next = behindLineEnd(data, lineEnd)
    if (next < 0 || next >= data.length) return -1
    const byte = data[next]
    if (byte === LF) return next + 1
    if (byte === CR) {
      if (next + 1 >= data.length) return -1
      return data[next + 1] === LF ? next + 2 : next + 1
    }
    at = next
  }
}

function nextLineEnd(data: Buffer, from: number): number {
  for (let at = from; at < data.length; at++) {
    const byte = data[at]
    if (byte === LF || byte === CR) return at
  }
  return -1
}

function behindLineEnd(data: Buffer, lineEnd: number): number {
  if (data[lineEnd] === LF) return lineEnd + 1
  if (lineEnd + 1 >= data.length) return -1
  return data[lineEnd + 1] === LF ? lineEnd + 2 : lineEnd + 1
}

/** Where the fields of one event stand. */
export interface EventFields {
  /** Value of `event:`, or the empty string. */
  name: string
  /** Span of the value when there is exactly one `data:` line; else dataStart is -1 and `dataText` holds the joined lines. */
  dataStart: number
  dataEnd: number
  dataText: string | null
}

/** Reads an event's fields into `into`, which is returned: one object serves a whole stream. */
export function readEvent(event: Buffer, into: EventFields): EventFields {
  into.name = ''
  into.dataStart = -1
  into.dataEnd = -1
  into.dataText = null
  let at = 0
  while (at < event.length) {
    const lineEnd = nextLineEnd(event, at)
    const end = lineEnd < 0 ? event.length : lineEnd
    if (end > at) readLine(event, at, end, into)
    if (lineEnd < 0) break
    const next = behindLineEnd(event, lineEnd)
    at = next < 0 ? event.length : next
  }
  return into
}

function readLine(event: Buffer, from: number, to: number, into: EventFields): void {
  if (startsWith(event, from, to, 'data')) {
    const value = valueStart(event, from + 4, to)
    if (value < 0) return
    if (into.dataStart < 0 && into.dataText === null) {
      into.dataStart = value
      into.dataEnd = to
      return
    }
    into.dataText = `${into.dataText ?? event.toString('utf8', into.dataStart, into.dataEnd)}\n${event.toString('utf8', value, to)}`
    into.dataStart = -1
  } else if (startsWith(event, from, to, 'event')) {
    const value = valueStart(event, from + 5, to)
    if (value >= 0) into.name = event.toString('latin1', value, to)
  }
}

function startsWith(event: Buffer, from: number, to: number, field: string): boolean {
  if (to - from < field.length) return false
  for (let at = 0; at < field.length; at++) if (event[from + at] !== field.charCodeAt(at)) return false
  return true
}

/** Offset of a field's value behind the colon and one optional space; -1 when the name goes on (`database:`). */
function valueStart(event: Buffer, at: number, to: number): number {
  if (at === to) return to
  if (event[at] !== 0x3a) return -1
  return event[at + 1] === 0x20 && at + 1 < to ? at + 2 : at + 1
}
