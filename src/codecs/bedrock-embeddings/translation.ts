import { GatewayError } from '#base/errors.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodedEmbeddings, EmbeddingTarget, EmbeddingUpstream } from '#codecs/openai-embeddings/translation.ts'
import { answerOf, badAnswer, NO_EMBEDDINGS } from '#codecs/openai-embeddings/vectors.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import type { EmbeddingInput, EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'

/**
 * Embedding models of Bedrock through InvokeModel, as an upstream only (R4): Titan takes one text per call, Cohere up to
 * 96, so that a request may become several bodies, whose answers are read together as a JSON list. Source: AWS's model parameters.
 */
export const bedrockEmbeddings: EmbeddingUpstream = { encodeRequest, decodeAnswer }

/** Texts in one call of Cohere's. */
export const COHERE_TEXTS_MAX = 96

function encodeRequest(
  request: EmbeddingRequest,
  target: EmbeddingTarget,
  losses: Losses,
): ReturnType<EmbeddingUpstream['encodeRequest']> {
  if (request.endUser !== null) losses.dropped(request.paths['endUser'] ?? '/user', 'Bedrock takes no end user')
  const { input_type: inputType, ...unknown } = fieldsOf(request.ext['openai-embeddings'])
  losses.unknown('', unknown, 'Bedrock knows no such member')
  losses.unknown('', request.ext['gemini'], 'Bedrock knows no such member')
  const isCohere = /(?:^|[./])cohere\./.test(target.model)
  const bodies = isCohere ? cohereBodies(request, target.model, inputType, losses) : titanBodies(request, losses)
  if (!isCohere && inputType !== undefined) losses.dropped('/input_type', 'Titan has no input_type')
  return { body: bodies[0], action: null, ...(bodies.length > 1 ? { bodies } : {}) }
}

function titanBodies({ inputs }: EmbeddingRequest, losses: Losses): object[] {
  return inputs.map((input) => {
    dropSettings(input, losses, ['taskType', 'title'])
    return { inputText: textOf(input), ...(input.dimensions === null ? {} : { dimensions: input.dimensions }) }
  })
}

function cohereBodies({ inputs }: EmbeddingRequest, model: string, inputType: unknown, losses: Losses): object[] {
  const [first] = inputs
  const isSame = inputs.every(
    ({ taskType, dimensions }) => taskType === first!.taskType && dimensions === first!.dimensions,
  )
  if (!isSame) throw refused('one request must ask for vectors of one kind from this model')
  for (const input of inputs) dropSettings(input, losses, ['title'])
  const { dimensions, taskType } = first!
  const type = inputType ?? COHERE_TYPES.get(String(taskType)) ?? 'search_document'
  const settings: Record<string, unknown> = { input_type: type, truncate: 'NONE' }
  // Cohere's third generation has vectors of one length.
  if (dimensions !== null && /embed-v[4-9]/.test(model)) settings['output_dimension'] = dimensions
  else if (dimensions !== null) losses.dropped(first!.paths['dimensions'] ?? '/dimensions', 'this model has one length')
  const texts = inputs.map(textOf)
  const bodies: object[] = []
  for (let at = 0; at < texts.length; at += COHERE_TEXTS_MAX)
    bodies.push({ texts: texts.slice(at, at + COHERE_TEXTS_MAX), ...settings })
  return bodies
}

/** Cohere's words for Gemini's. */
const COHERE_TYPES: ReadonlyMap<string, string> = new Map([
  ['RETRIEVAL_QUERY', 'search_query'],
  ['QUESTION_ANSWERING', 'search_query'],
  ['CODE_RETRIEVAL_QUERY', 'search_query'],
  ['RETRIEVAL_DOCUMENT', 'search_document'],
  ['CLASSIFICATION', 'classification'],
  ['CLUSTERING', 'clustering'],
])

function dropSettings(input: EmbeddingInput, losses: Losses, names: readonly ('taskType' | 'title')[]): void {
  for (const name of names) {
    if (input[name] !== null) losses.dropped(input.paths[name] ?? `/${name}`, `this model has no ${name}`)
  }
  losses.unknown(input.path, input.ext['gemini'], 'Bedrock knows no such member')
}

function textOf({ content }: EmbeddingInput): string {
  if (content.type === 'text') return content.texts.join('\n')
  throw refused(
    content.type === 'tokens' ? 'this model takes no lists of tokens' : 'this model takes it in no other form',
  )
}

const refused = (why: string): GatewayError =>
  new GatewayError('invalid_request', `"input" must be text: ${why}.`, { param: 'input' })

/** Reads the answer of one call, or the list of the answers of several, in the order of their bodies. */
function decodeAnswer(body: unknown, request: EmbeddingRequest): DecodedEmbeddings {
  const values: unknown[] = []
  let tokens: number | null = 0
  for (const answer of Array.isArray(body) ? body : [body]) {
    const { embedding, embeddings, inputTextTokenCount, message } = fieldsOf(answer)
    const list = Array.isArray(embeddings) ? embeddings : fieldsOf(embeddings)['float']
    if (Array.isArray(list)) values.push(...(list as unknown[]))
    else if (Array.isArray(embedding)) values.push(embedding)
    else if (typeof message === 'string') return { answer: null, failure: failureOf(200, { message }) }
    else return badAnswer(NO_EMBEDDINGS)
    const count = countOf(inputTextTokenCount)
    tokens = tokens === null || count === null ? null : tokens + count
  }
  const usage = { cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: 0, reasoning: null } as const
  return answerOf(values, request, tokens === null ? null : { input: tokens, ...usage, source: 'upstream' })
}
