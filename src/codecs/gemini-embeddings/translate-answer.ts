import { GatewayError } from '#base/errors.ts'
import { failureOf } from '#codecs/failure.ts'
import { readGeminiUsage } from '#codecs/gemini/answer.ts'
import type { DecodedEmbeddings, EmbeddingAnswerContext } from '#codecs/openai-embeddings/translation.ts'
import { answerOf, badAnswer, NO_EMBEDDINGS, unpackFloats } from '#codecs/openai-embeddings/vectors.ts'
import { fieldsOf, sumOf } from '#ir/counts.ts'
import type { EmbeddingAnswer, EmbeddingRequest, Vector } from '#ir/embedding.ts'
import type { Usage } from '#ir/usage.ts'

/** Reads `{embedding}` and `{embeddings}` alike. Most models tell no usage. */
export function decodeGeminiAnswer(body: unknown, request: EmbeddingRequest): DecodedEmbeddings {
  const { embedding, embeddings, usageMetadata, error } = fieldsOf(body)
  if (error !== undefined && error !== null) return { answer: null, failure: failureOf(200, { error }) }
  const list = Array.isArray(embeddings) ? embeddings : isObject(embedding) ? [embedding] : null
  if (list === null) return badAnswer(NO_EMBEDDINGS)
  // Google's JSON leaves out a list that is empty.
  const values = list.map((entry: unknown) => (isObject(entry) ? (fieldsOf(entry)['values'] ?? []) : null))
  return answerOf(values, request, readGeminiUsage(usageMetadata))
}

/** Writes the form of the client's method. The cost is told in a header (R100). */
export function encodeGeminiAnswer(answer: EmbeddingAnswer, context: EmbeddingAnswerContext): unknown {
  const embeddings = answer.vectors.map((vector) => ({ values: numbersOf(vector) }))
  const body = context.request.isBatch ? { embeddings } : { embedding: embeddings[0] }
  return answer.usage === null ? body : { ...body, usageMetadata: usageOf(answer.usage) }
}

/** Gemini knows no packed vectors. */
function numbersOf(vector: Vector): readonly number[] {
  const values = typeof vector === 'string' ? unpackFloats(vector) : vector
  if (values !== null) return values
  throw new GatewayError('upstream_bad_response', 'The upstream sent an embedding that is no vector of numbers.')
}

function usageOf(usage: Usage): Readonly<Record<string, number>> {
  const prompt = sumOf(usage.input, usage.cacheRead, usage.cacheWrite, usage.cacheWrite1h) ?? 0
  return { promptTokenCount: prompt, totalTokenCount: prompt + (usage.output ?? 0) }
}

function isObject(value: unknown): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
