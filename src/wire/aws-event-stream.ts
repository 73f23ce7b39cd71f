import { crc32 } from 'node:zlib'
import { HeldBytes } from './held-bytes.ts'
import { EventTooLargeError } from './sse.ts'

/**
 * `application/vnd.amazon.eventstream` as bytes: messages of `total length, length of the headers, CRC of these two, headers,
 * payload, CRC of all before` (big-endian; AWS's "Event stream encoding"). A message may be cut anywhere between two chunks.
 */

/** Total length, headers' length, and their checksum. */
const PRELUDE_BYTES = 12
const CHECKSUM_BYTES = 4
const MESSAGE_BYTES_MIN = PRELUDE_BYTES + CHECKSUM_BYTES

/** A message whose checksum or lengths are wrong: nothing behind it can be read either. */
export class AwsMessageError extends Error {}

/**
 * Cuts a byte stream into messages, as EventFramer does with Server-Sent Events. `push` returns the whole messages of what
 * has arrived, as views into the chunk where possible. What is damaged throws AwsMessageError or EventTooLargeError, but
 * never together with messages that stand before it: the result must not depend on how the bytes were cut.
 */
export class AwsEventFramer {
  private readonly rest = new HeldBytes()
  private readonly bytesMax: number

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /** Whether no unfinished message is held. */
  get isEmpty(): boolean {
    return this.rest.length === 0
  }

  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = []
    const data = this.rest.joined(chunk)
    let start = 0
    try {
      for (;;) {
        const end = this.messageEnd(data, start)
        if (end < 0) break
        messages.push(data.subarray(start, end))
        start = end
      }
    } catch (error) {
      // It is kept, so that it throws when nothing stands before it: at the next push.
      if (messages.length === 0) throw error
    }
    this.rest.keepFrom(data, start)
    return messages
  }

  /** What is left when the stream ends: a message that is unfinished or damaged and cannot be read, or null. */
  end(): Buffer | null {
    return this.rest.take()
  }

  /** Offset behind the message that starts at `start`, or -1 when it is not all there. */
  private messageEnd(data: Buffer, start: number): number {
    if (data.length - start < PRELUDE_BYTES) return -1
    const total = readPrelude(data, start)
    if (total > this.bytesMax) throw new EventTooLargeError(this.bytesMax)
    if (data.length - start < total) return -1
    checkMessage(data, start, total)
    return start + total
  }
}

/** Total length of the message at `start`, whose prelude is there and right. */
function readPrelude(data: Buffer, start: number): number {
  const checksum = data.readUInt32BE(start + 8)
  if (crc32(data.subarray(start, start + 8)) !== checksum)
    throw new AwsMessageError('a message has a wrong prelude checksum')
  const total = data.readUInt32BE(start)
  if (total < MESSAGE_BYTES_MIN || data.readUInt32BE(start + 4) > total - MESSAGE_BYTES_MIN)
    throw new AwsMessageError('a message has an impossible length')
  return total
}

function checkMessage(data: Buffer, start: number, total: number): void {
  const end = start + total - CHECKSUM_BYTES
  if (crc32(data.subarray(start, end)) !== data.readUInt32BE(end))
    throw new AwsMessageError('a message has a wrong checksum')
}

export interface AwsMessage {
  /** Values that are no text are told as text: numbers as decimals, bytes as base64, a UUID as hexadecimal digits. */
  readonly headers: Readonly<Record<string, string>>
  readonly payload: Buffer
}

/** Reads one whole message; its payload is a view. Throws AwsMessageError for anything else. */
export function readAwsMessage(frame: Buffer): AwsMessage {
  const headersEnd = awsHeadersEnd(frame)
  return { headers: readAwsHeaders(frame), payload: frame.subarray(headersEnd, frame.length - CHECKSUM_BYTES) }
}

/** Where the headers of a whole message stand; they end where the payload begins, which ends before the checksum. */
export const AWS_HEADERS_START = PRELUDE_BYTES

/** Offset behind the headers of one whole and undamaged message. Throws AwsMessageError for anything else. */
export function awsHeadersEnd(frame: Buffer): number {
  if (frame.length < MESSAGE_BYTES_MIN || readPrelude(frame, 0) !== frame.length)
    throw new AwsMessageError('a message is not whole')
  checkMessage(frame, 0, frame.length)
  return PRELUDE_BYTES + frame.readUInt32BE(4)
}

/** The text of a whole message's payload. */
export function awsPayloadText(frame: Buffer, headersEnd: number): string {
  return frame.toString('utf8', headersEnd, frame.length - CHECKSUM_BYTES)
}

/** The headers of a message that `awsHeadersEnd` has accepted. Throws AwsMessageError where they are not well formed. */
export function readAwsHeaders(frame: Buffer): Readonly<Record<string, string>> {
  const end = PRELUDE_BYTES + frame.readUInt32BE(4)
  const headers = Object.create(null) as Record<string, string>
  let at = PRELUDE_BYTES
  try {
    while (at < end) {
      const nameEnd = at + 1 + frame.readUInt8(at)
      const name = frame.toString('utf8', at + 1, nameEnd)
      const valueStart = nameEnd + 1
      const value = readValue(frame, frame.readUInt8(nameEnd), valueStart)
      headers[name] = value.text
      at = value.end
    }
  } catch (error) {
    if (error instanceof RangeError) throw new AwsMessageError('a header goes beyond its message', { cause: error })
    throw error
  }
  if (at !== end) throw new AwsMessageError('a header goes beyond the headers')
  return headers
}

interface HeaderValue {
  readonly text: string
  /** Offset behind it. */
  readonly end: number
}

/** Types of header values, in AWS's numbering. */
const TRUE = 0
const FALSE = 1
const BYTE = 2
const SHORT = 3
const INTEGER = 4
const LONG = 5
const BYTES = 6
const TEXT = 7
const TIMESTAMP = 8
const UUID = 9
const UUID_BYTES = 16

function readValue(frame: Buffer, type: number, at: number): HeaderValue {
  switch (type) {
    case TRUE:
    case FALSE:
      return { text: String(type === TRUE), end: at }
    case BYTE:
      return { text: String(frame.readInt8(at)), end: at + 1 }
    case SHORT:
      return { text: String(frame.readInt16BE(at)), end: at + 2 }
    case INTEGER:
      return { text: String(frame.readInt32BE(at)), end: at + 4 }
    case LONG:
    case TIMESTAMP:
      return { text: String(frame.readBigInt64BE(at)), end: at + 8 }
    case BYTES:
    case TEXT: {
      const start = at + 2
      const end = start + frame.readUInt16BE(at)
      return { text: frame.toString(type === TEXT ? 'utf8' : 'base64', start, end), end }
    }
    case UUID:
      return { text: frame.toString('hex', at, at + UUID_BYTES), end: at + UUID_BYTES }
    default:
      throw new AwsMessageError(`a header has the unknown type ${type}`)
  }
}

/** One message with text headers, for tests and simulated upstreams. */
export function writeAwsMessage(headers: Readonly<Record<string, string>>, payload: Buffer): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => writeHeader(name, value)))
  const frame = Buffer.alloc(MESSAGE_BYTES_MIN + head.length + payload.length)
  frame.writeUInt32BE(frame.length, 0)
  frame.writeUInt32BE(head.length, 4)
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8)
  head.copy(frame, PRELUDE_BYTES)
  payload.copy(frame, PRELUDE_BYTES + head.length)
  const end = frame.length - CHECKSUM_BYTES
  frame.writeUInt32BE(crc32(frame.subarray(0, end)), end)
  return frame
}

function writeHeader(name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name)
  const valueBytes = Buffer.from(value)
  const valueLength = Buffer.alloc(2)
  valueLength.writeUInt16BE(valueBytes.length)
  return Buffer.concat([Buffer.from([nameBytes.length]), nameBytes, Buffer.from([TEXT]), valueLength, valueBytes])
}
