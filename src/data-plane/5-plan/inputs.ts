import type { Surface } from '#base/protocols.ts'
import type { Model } from '#catalog/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'

/** What stands for an image in a body of each surface; a text that speaks of it has escaped quotes. */
const NEEDLES: Readonly<Record<Surface, readonly Buffer[]>> = {
  'openai-chat': [Buffer.from('"image_url"')],
  'openai-responses': [Buffer.from('"input_image"')],
  'openai-embeddings': [],
  'anthropic-messages': [Buffer.from('"image"')],
  gemini: [
    Buffer.from('"inlineData"'),
    Buffer.from('"inline_data"'),
    Buffer.from('"fileData"'),
    Buffer.from('"file_data"'),
  ],
}

const IMAGE_TYPES: ReadonlySet<unknown> = new Set(['image_url', 'input_image', 'image'])

/** A model that takes no images, as somebody said and nobody guessed (R74). */
export const isBlind = ({ knowsInputs, inputModalities }: Model): boolean =>
  knowsInputs === true && !inputModalities.includes('image')

const known = new WeakMap<Parsed, boolean>()

/**
 * Whether a message of the request has an image (R74). Results of tools do not count: a translation may leave their images out
 * and say so. Asked of models that take none, so that only their requests are searched; the answer is kept.
 */
export function hasImage(parsed: Parsed): boolean {
  let has = known.get(parsed)
  if (has === undefined) known.set(parsed, (has = findImage(parsed)))
  return has
}

function findImage({ surface, body }: Parsed): boolean {
  if (!NEEDLES[surface].some((needle) => body.includes(needle))) return false
  // Tools may have members of that name: only parts of messages are meant.
  const request = JSON.parse(body.toString('utf8')) as Fields
  const turns = [request['messages'], request['input'], request['contents']].find(Array.isArray) ?? [
    request['contents'],
  ]
  return (turns as unknown[]).some((turn) => partsOf(turn).some(isImage))
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

function partsOf(turn: unknown): readonly unknown[] {
  const { content, parts } = fieldsOf(turn)
  return [turn, ...(Array.isArray(content) ? content : []), ...(Array.isArray(parts) ? parts : [])]
}

function isImage(part: unknown): boolean {
  const { type, inlineData, inline_data, fileData, file_data } = fieldsOf(part)
  if (IMAGE_TYPES.has(type)) return true
  const { mimeType, mime_type } = fieldsOf(inlineData ?? inline_data ?? fileData ?? file_data)
  return String(mimeType ?? mime_type ?? '').startsWith('image/')
}
