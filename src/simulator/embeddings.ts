import { Refusal, readCount, readFields, readFieldsList, readList } from './fields.ts'
import type { Fields } from './fields.ts'
import { readParts } from './gemini-read.ts'
import { modelName } from './models.ts'
import { countTokens } from './tokens.ts'
import { DIMENSIONS_DEFAULT, DIMENSIONS_MAX, vectorOf } from './vectors.ts'

/** Texts in one embeddings request. */
export const EMBEDDING_INPUTS_MAX = 2048

/** Answers `/v1/embeddings`. Throws Refusal 400 and 404. */
export function embedOpenAi(body: Fields, model: string): Fields {
  requireEmbeddingModel(model)
  const texts = readInputs(body.input)
  const dimensions = readDimensions(body.dimensions, 'dimensions')
  const base64 = body.encoding_format === 'base64'
  const data = texts.map((text, index) => {
    const vector = vectorOf(text, dimensions)
    return { object: 'embedding', index, embedding: base64 ? base64Of(vector) : [...vector] }
  })
  const tokens = texts.reduce((total, text) => total + Math.max(1, countTokens(text)), 0)
  return { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } }
}

/** Answers Gemini's `:embedContent`. Throws Refusal 400 and 404. */
export const embedGemini = (body: Fields, model: string): Fields => ({ embedding: embedContent(body, model) })

/** Answers Gemini's `:batchEmbedContents`. Throws Refusal 400 and 404. */
export function embedGeminiBatch(body: Fields, model: string): Fields {
  const requests = readFieldsList(body.requests, 'requests')
  requireCount(requests.length)
  return { embeddings: requests.map((request) => embedContent(request, model)) }
}

function embedContent(request: Fields, model: string): Fields {
  requireEmbeddingModel(model)
  const parts = readParts(readFields(request.content, 'content').parts, 'content.parts')
  const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  if (!text) throw new Refusal(400, 'content: a text is required')
  const config = readFields(request.embedContentConfig, 'embedContentConfig')
  const wanted = request.outputDimensionality ?? config.outputDimensionality
  return { values: [...vectorOf(text, readDimensions(wanted, 'outputDimensionality'))] }
}

function requireEmbeddingModel(model: string): void {
  if (modelName(model) !== 'embed') {
    throw new Refusal(
      404,
      `The model '${model}' does not exist or does not make embeddings.`,
      'model_not_found',
      'model',
    )
  }
}

function requireCount(count: number): void {
  if (count < 1 || count > EMBEDDING_INPUTS_MAX) {
    throw new Refusal(400, `'input' must hold 1 to ${EMBEDDING_INPUTS_MAX} texts.`, 'invalid_value', 'input')
  }
}

/** One text, many texts, one list of token numbers or many: tokens are written out, as nobody here can decode them. */
function readInputs(input: unknown): string[] {
  const list = typeof input === 'string' ? [input] : readList(input, 'input')
  const inputs = list.length && list.every((entry) => typeof entry === 'number') ? [list] : list
  requireCount(inputs.length)
  return inputs.map((entry) => {
    if (typeof entry === 'string' && entry) return entry
    const tokens = Array.isArray(entry) && entry.length > 0 && entry.every((token) => Number.isInteger(token))
    if (!tokens)
      throw new Refusal(400, "'input' must hold texts that are not empty, or tokens.", 'invalid_type', 'input')
    return entry.join(' ')
  })
}

function readDimensions(value: unknown, name: string): number {
  const dimensions = readCount(value, name) ?? DIMENSIONS_DEFAULT
  if (dimensions > DIMENSIONS_MAX) {
    throw new Refusal(400, `'${name}' must be at most ${DIMENSIONS_MAX}.`, 'invalid_value', name)
  }
  return dimensions
}

/** Little-endian float32, as the OpenAI SDK asks for by default. */
const base64Of = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
