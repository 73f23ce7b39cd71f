import { isRawNumber } from '#base/exact-json.ts'
import type { Failure } from '#codecs/codec.ts'
import type { EmbeddingAnswer, EmbeddingRequest, Vector } from '#ir/embedding.ts'
import type { Usage } from '#ir/usage.ts'
import type { DecodedEmbeddings } from './translation.ts'

/** Vectors as they stand in answers. */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const FLOAT_BYTES = 4

/** A number, also one that is kept as its source text because JavaScript would round it (exact-json.ts). */
export function isNumber(value: unknown): boolean {
  return typeof value === 'number' || isRawNumber(value)
}

/** Base64 of little-endian float32, which is how OpenAI packs a vector. */
export function packFloats(values: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(values.length * FLOAT_BYTES)
  for (let index = 0; index < values.length; index++) bytes.writeFloatLE(values[index]!, index * FLOAT_BYTES)
  return bytes.toString('base64')
}

/**
 * The numbers of a packed vector; null for what cannot be one. Hosts pack other things too (int8, float64), and do not
 * say so: what is no whole number of float32, or no finite one, is none.
 */
export function unpackFloats(text: string): number[] | null {
  if (!BASE64.test(text)) return null
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length % FLOAT_BYTES !== 0) return null
  const values: number[] = []
  for (let at = 0; at < bytes.length; at += FLOAT_BYTES) {
    const value = bytes.readFloatLE(at)
    if (!Number.isFinite(value)) return null
    values.push(value)
  }
  return values
}

/** The answer of these vectors, one per input in the order of the inputs, or why it is none. */
export function answerOf(
  values: readonly unknown[],
  request: EmbeddingRequest,
  usage: Usage | null,
): DecodedEmbeddings {
  const { inputs, encoding } = request
  if (values.length !== inputs.length)
    return badAnswer(`The upstream sent ${values.length} embeddings for ${inputs.length} inputs.`)
  const vectors: Vector[] = []
  for (let index = 0; index < values.length; index++) {
    const vector = readVector(values[index], encoding === 'base64', inputs[index]!.dimensions)
    if (vector === null) return badAnswer('The upstream sent an embedding that is no vector of numbers.')
    vectors.push(vector)
  }
  // Nothing was generated, which is known even where it is not told.
  const answer: EmbeddingAnswer = { vectors, usage: usage && { ...usage, output: usage.output ?? 0 } }
  return { answer, failure: null }
}

/** A 200 that is no answer. */
export function badAnswer(message: string): { readonly answer: null; readonly failure: Failure } {
  return { answer: null, failure: { status: 502, code: 'upstream_bad_response', message } }
}

export const NO_EMBEDDINGS = 'The upstream sent an answer without embeddings.'

function readVector(value: unknown, keepsText: boolean, dimensions: unknown): Vector | null {
  if (Array.isArray(value)) return readNumbers(value)
  if (typeof value !== 'string') return null
  if (keepsText) return value
  // A host that packs unasked may pack anything: its length has to be right as well.
  const values = unpackFloats(value)
  return typeof dimensions === 'number' && values?.length !== dimensions ? null : values
}

/** The list itself where it can be: vectors are long. */
function readNumbers(list: readonly unknown[]): readonly number[] | null {
  if (list.every((value): value is number => typeof value === 'number')) return list
  const values: number[] = []
  for (const value of list) {
    if (typeof value === 'number') values.push(value)
    else if (isRawNumber(value)) values.push(Number(value.rawJSON))
    else return null
  }
  return values
}
