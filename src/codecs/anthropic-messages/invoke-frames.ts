import { failureOfException, parseLeniently } from '#codecs/bedrock-converse/exceptions.ts'
import { AwsEventFramer, awsHeadersEnd, awsPayloadText, readAwsHeaders } from '#wire/aws-event-stream.ts'
import { fieldsOf } from '#ir/counts.ts'

/**
 * Claude's stream on Bedrock (InvokeModelWithResponseStream): each AWS message is a `chunk` whose `bytes` are one event of
 * the Messages API in base64, or an exception. `push` returns them as the Server-Sent Events that Anthropic itself sends.
 * Throws as AwsEventFramer does.
 */
export class InvokeFramer {
  private readonly framer: AwsEventFramer

  constructor(bytesMax: number) {
    this.framer = new AwsEventFramer(bytesMax)
  }

  get isEmpty(): boolean {
    return this.framer.isEmpty
  }

  push(chunk: Buffer): Buffer[] {
    return this.framer.push(chunk).map(eventOf)
  }

  /** What is left is half a message: nothing that could be read. */
  end(): null {
    this.framer.end()
    return null
  }
}

function eventOf(frame: Buffer): Buffer {
  const payload = parseLeniently(awsPayloadText(frame, awsHeadersEnd(frame)))
  const headers = readAwsHeaders(frame)
  const { bytes } = fieldsOf(payload)
  if (typeof bytes === 'string') {
    const data = Buffer.from(bytes, 'base64').toString('utf8')
    return Buffer.from(`event: ${typeOf(data)}\ndata: ${data}\n\n`)
  }
  const exception = headers[':exception-type'] ?? headers[':error-code']
  // A kind of message that came later than this code.
  if (exception === undefined) return NOISE
  const { status, message } = failureOfException(exception, {
    message: headers[':error-message'],
    ...fieldsOf(payload),
  })
  const error = { type: ERROR_TYPES.get(status) ?? 'api_error', message }
  return Buffer.from(`event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`)
}

const NOISE = Buffer.from(': \n\n')

/** Anthropic's own names of what a status says. */
const ERROR_TYPES: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
])

/** Anthropic writes the type first. */
const TYPE_FIRST = /^\{"type":"([a-z_]+)"/

function typeOf(data: string): string {
  const first = TYPE_FIRST.exec(data)?.[1]
  if (first !== undefined) return first
  const { type } = fieldsOf(parseLeniently(data))
  return typeof type === 'string' && /^\w+$/.test(type) ? type : 'message'
}
