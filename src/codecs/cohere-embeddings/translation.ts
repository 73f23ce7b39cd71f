import { failureOf } from '#codecs/failure.ts'
import type { DecodedEmbeddings, EmbeddingTarget, EmbeddingUpstream } from '#codecs/openai-embeddings/translation.ts'
import { answerOf, badAnswer, NO_EMBEDDINGS } from '#codecs/openai-embeddings/vectors.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'
import { cohereBodies } from './bodies.ts'

/** Cohere's own `POST /v2/embed`, as an upstream only (R4). */
export const cohereEmbeddings: EmbeddingUpstream = { encodeRequest, decodeAnswer }

const UNKNOWN = 'Cohere knows no such member'

function encodeRequest(
  request: EmbeddingRequest,
  { model }: EmbeddingTarget,
  losses: Losses,
): ReturnType<EmbeddingUpstream['encodeRequest']> {
  if (request.endUser !== null) losses.dropped(request.paths['endUser'] ?? '/user', 'Cohere takes no end user')
  const { input_type: _, ...unknown } = fieldsOf(request.ext['openai-embeddings'])
  losses.unknown('', unknown, UNKNOWN)
  losses.unknown('', request.ext['gemini'], UNKNOWN)
  for (const input of request.inputs) losses.unknown(input.path, input.ext['gemini'], UNKNOWN)
  const bodies = cohereBodies(request, model, losses).map((body) => ({ model, embedding_types: ['float'], ...body }))
  return { body: bodies[0], action: null, ...(bodies.length > 1 ? { bodies } : {}) }
}

/** Reads the answer of one call, or the list of the answers of several, in the order of their bodies. */
function decodeAnswer(body: unknown, request: EmbeddingRequest): DecodedEmbeddings {
  const values: unknown[] = []
  let tokens: number | null = 0
  for (const answer of Array.isArray(body) ? body : [body]) {
    const { embeddings, meta, message } = fieldsOf(answer)
    const list = fieldsOf(embeddings)['float']
    if (Array.isArray(list)) values.push(...(list as unknown[]))
    else if (typeof message === 'string') return { answer: null, failure: failureOf(200, { message }) }
    else return badAnswer(NO_EMBEDDINGS)
    const count = countOf(fieldsOf(fieldsOf(meta)['billed_units'])['input_tokens'])
    tokens = tokens === null || count === null ? null : tokens + count
  }
  const usage = { cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: 0, reasoning: null } as const
  return answerOf(values, request, tokens === null ? null : { input: tokens, ...usage, source: 'upstream' })
}
