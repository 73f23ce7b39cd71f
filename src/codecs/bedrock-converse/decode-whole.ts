import { failureOf } from '#codecs/failure.ts'
import type { DecodedWhole } from '#codecs/translation.ts'
import { fieldsOf } from '#ir/counts.ts'
import { writeImage } from './answer-items.ts'
import { AnswerWriter } from './answer-writer.ts'
import { type Fields, isObject } from './fields.ts'

/** Reads the answer of Converse. */
export function decodeWhole(body: unknown): DecodedWhole {
  const { message } = fieldsOf(fieldsOf(body)['output'])
  if (!isObject(message)) {
    return { events: [], failure: failureOf(200, body) }
  }
  const fields = fieldsOf(body)
  const writer = new AnswerWriter()
  writer.start()
  const { content } = message
  for (const block of Array.isArray(content) ? content : []) writeBlock(writer, fieldsOf(block))
  writer.stop(fields['stopReason'], fields['additionalModelResponseFields'])
  writer.usage(fields['usage'])
  writer.rest(fields, ['output', 'stopReason', 'usage'])
  writer.end()
  return { events: writer.take(), failure: null }
}

function writeBlock(writer: AnswerWriter, block: Fields): void {
  const { text, toolUse, reasoningContent, citationsContent, image } = block
  if (typeof text === 'string') {
    writer.open({ type: 'text' })
    writer.delta(text)
  } else if (isObject(toolUse) && toolUse['type'] !== 'server_tool_use') {
    writer.openCall(toolUse)
    const { input } = toolUse
    if (input !== undefined && input !== null) writer.delta(typeof input === 'string' ? input : JSON.stringify(input))
  } else if (isObject(reasoningContent)) writeReasoning(writer, reasoningContent)
  else if (isObject(citationsContent)) writeCitations(writer, citationsContent)
  else if (isObject(image)) writeImage(writer, image, [image])
  else writer.open({ type: 'opaque', issuer: 'bedrock-converse', value: block })
  writer.close()
}

function writeReasoning(writer: AnswerWriter, { reasoningText, redactedContent }: Fields): void {
  const { text, signature } = fieldsOf(reasoningText)
  writer.open({ type: 'reasoning', id: null, isSummary: false })
  if (typeof text === 'string') writer.delta(text)
  if (typeof redactedContent === 'string') writer.seal('encrypted', redactedContent)
  else if (typeof signature === 'string' && signature !== '') writer.seal('signature', signature)
}

/** Text that stands on sources: as in a stream, the sources come first. */
function writeCitations(writer: AnswerWriter, { content, citations }: Fields): void {
  writer.open({ type: 'text' })
  for (const citation of Array.isArray(citations) ? citations : []) writer.cite(citation)
  for (const part of Array.isArray(content) ? content : []) {
    const { text } = fieldsOf(part)
    if (typeof text === 'string') writer.delta(text)
  }
}
