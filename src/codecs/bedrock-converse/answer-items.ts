import { parseFaithfulJson } from '#base/exact-json.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { type Fields, isObject } from './fields.ts'
import { joinBase64 } from './media.ts'

/** Blocks that are told whole, from the pieces that a stream told of them. */

/** A call of a tool that the provider runs itself: only Bedrock understands it. */
export function writeServerCall(writer: AnswerWriter, start: Fields, input: string): void {
  writer.whole({ type: 'opaque', issuer: 'bedrock-converse', value: { toolUse: { ...start, input: parsed(input) } } })
}

export function writeServerResult(writer: AnswerWriter, start: Fields, content: readonly unknown[]): void {
  writer.whole({ type: 'opaque', issuer: 'bedrock-converse', value: { toolResult: { ...start, content } } })
}

/** An image block, or the start and the deltas of one; the bytes are base64. What is no bytes (S3, an error) stays as it was. */
export function writeImage(writer: AnswerWriter, start: Fields, pieces: readonly unknown[]): void {
  const bytes = pieces.map((piece) => fieldsOf(fieldsOf(piece)['source'])['bytes'])
  const { format } = start
  if (typeof format === 'string' && bytes.length > 0 && bytes.every((each) => typeof each === 'string')) {
    writer.whole({ type: 'media', kind: 'image', mimeType: `image/${format}`, data: joinBase64(bytes) })
  } else {
    const image = Object.assign({}, start, ...pieces.filter(isObject)) as Fields
    writer.whole({ type: 'opaque', issuer: 'bedrock-converse', value: { image } })
  }
}

function parsed(input: string): unknown {
  if (input === '') return {}
  try {
    return parseFaithfulJson(input)
  } catch {
    return input
  }
}
