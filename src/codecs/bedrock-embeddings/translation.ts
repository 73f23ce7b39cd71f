import { cohereBodies, textOfInput } from '#codecs/cohere-embeddings/bodies.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodedEmbeddings, EmbeddingTarget, EmbeddingUpstream } from '#codecs/openai-embeddings/translation.ts'
import { answerOf, badAnswer, NO_EMBEDDINGS } from '#codecs/openai-embeddings/vectors.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'

/**
 * Embedding models of Bedrock through InvokeModel, as an upstream only (R4): Titan takes one text per call, Cohere up to
 * 96, so that a request may become several bodies, whose answers are read together as a JSON list. Source: AWS's model parameters.
 */
export const bedrockEmbeddings: EmbeddingUpstream = { encodeRequest, decodeAnswer }

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
  const bodies = isCohere ? cohereBodies(request, target.model, losses) : titanBodies(request, losses)
  if (!isCohere && inputType !== undefined) losses.dropped('/input_type', 'Titan has no input_type')
  for (const input of request.inputs) losses.unknown(input.path, input.ext['gemini'], 'Bedrock knows no such member')
  return { body: bodies[0], action: null, ...(bodies.length > 1 ? { bodies } : {}) }
}

function titanBodies({ inputs }: EmbeddingRequest, losses: Losses): object[] {
  return inputs.map((input) => {
    for (const name of ['taskType', 'title'] as const)
      if (input[name] !== null) losses.dropped(input.paths[name] ?? `/${name}`, `this model has no ${name}`)
    return { inputText: textOfInput(input), ...(input.dimensions === null ? {} : { dimensions: input.dimensions }) }
  })
}

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
