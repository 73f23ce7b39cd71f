import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import { isRecord, type Members } from '#codecs/openai-chat/members.ts'
import type { DecodedWhole, StreamDecoder } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import { AnswerWriter } from './answer-writer.ts'

const DONE = '[DONE]'

/**
 * Reads the stream of `POST /v2/chat`. `tool_plan`, which tells before the calls why they are made, is reasoning. Source:
 * Cohere's reference of streaming events.
 */
export class CohereDecoder implements StreamDecoder {
  complete = false
  isLast = false
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  private readonly writer = new AnswerWriter()

  get failure(): Failure | null {
    return this.writer.failure
  }

  push(frame: Buffer): readonly ChatEvent[] {
    const { writer } = this
    if (writer.failure) return []
    const { dataStart, dataEnd, dataText } = readEvent(frame, this.fields)
    // A page or an error in place of a stream has no data.
    const text = dataStart >= 0 ? frame.toString('utf8', dataStart, dataEnd) : (dataText ?? bareText(frame))
    if (text === '') return []
    if (text.trim() === DONE) this.isLast = true
    else this.readData(text)
    return writer.failure ? [] : writer.take()
  }

  end(): readonly ChatEvent[] {
    this.writer.end()
    return this.writer.take()
  }

  private readData(text: string): void {
    let event: unknown
    try {
      event = JSON.parse(text)
    } catch {
      this.writer.fail('an event that is not JSON')
      return
    }
    if (!isRecord(event)) this.writer.fail('an event that is not an object')
    else if (typeof event['type'] !== 'string') this.writer.failWith(event)
    else this.readEvent(event['type'], event)
  }

  private readEvent(type: string, event: Members): void {
    const { writer } = this
    const delta = fieldsOf(event['delta'])
    const message = fieldsOf(delta['message'])
    switch (type) {
      case 'message-start':
        writer.start(event['id'])
        break
      case 'content-start':
      case 'content-delta':
        readContent(writer, message['content'])
        break
      case 'tool-plan-delta':
        writer.say('reasoning', message['tool_plan'])
        break
      case 'tool-call-start':
        writer.call(fieldsOf(message['tool_calls']))
        break
      case 'tool-call-delta':
        writer.argue(fieldsOf(fieldsOf(message['tool_calls'])['function'])['arguments'])
        break
      case 'citation-start':
        writer.cite(message['citations'])
        break
      case 'content-end':
      case 'tool-call-end':
        writer.close()
        break
      case 'message-end':
        writer.stop(delta['finish_reason'], delta['error'])
        writer.usage(delta['usage'])
        this.complete = !writer.failure
        break
      case 'citation-end':
      case 'debug':
        break
      default:
        writer.opaque(event)
    }
  }
}

function bareText(frame: Buffer): string {
  const text = frame.toString('utf8').trim()
  return text.startsWith('{') || text.startsWith('<') ? text : ''
}

function readContent(writer: AnswerWriter, content: unknown): void {
  const { text, thinking } = fieldsOf(content)
  writer.say('reasoning', thinking)
  writer.say('text', text)
}

/** Members of an answer and of its message that have a neutral form. */
const KNOWN = new Set(['id', 'message', 'finish_reason', 'usage'])
const KNOWN_OF_MESSAGE = new Set(['role', 'content', 'tool_plan', 'tool_calls', 'citations'])

/** Reads a whole answer: the same events as those of a stream. */
export function decodeWhole(body: unknown): DecodedWhole {
  const answer = fieldsOf(body)
  const { message } = answer
  if (!isRecord(message)) return { events: [], failure: failureOf(200, body) }
  const writer = new AnswerWriter()
  writer.start(answer['id'])
  const { content, tool_plan: plan, tool_calls: calls, citations } = message
  writer.say('reasoning', plan)
  writer.close()
  const sources = listOf(citations)
  listOf(content).forEach((part, index) => writePart(writer, part, citationsOf(sources, index, listOf(content))))
  for (const call of listOf(calls)) {
    writer.call(fieldsOf(call))
    writer.close()
  }
  writer.stop(answer['finish_reason'])
  writer.usage(answer['usage'])
  writeRest(writer, message, KNOWN_OF_MESSAGE)
  writeRest(writer, answer, KNOWN)
  writer.end()
  return writer.failure ? { events: [], failure: writer.failure } : { events: writer.take(), failure: null }
}

function writePart(writer: AnswerWriter, part: unknown, citations: readonly unknown[]): void {
  const { type } = fieldsOf(part)
  if (type === 'text' || type === 'thinking') readContent(writer, part)
  else writer.open({ type: 'opaque', issuer: 'cohere-chat', value: part })
  for (const citation of citations) writer.cite(citation)
  writer.close()
}

/** Those of one part. Older models do not tell the part: then it is the first text. */
function citationsOf(all: readonly unknown[], index: number, content: readonly unknown[]): readonly unknown[] {
  const first = content.findIndex((part) => fieldsOf(part)['type'] === 'text')
  const at = (citation: unknown): unknown => fieldsOf(citation)['content_index'] ?? first
  return all.filter((citation) => at(citation) === index)
}

function writeRest(writer: AnswerWriter, members: Members, known: ReadonlySet<string>): void {
  const rest = Object.entries(members).filter(([name, value]) => !known.has(name) && value !== null)
  if (rest.length > 0) writer.opaque(Object.fromEntries(rest))
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
