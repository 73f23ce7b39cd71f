import { rawNumber } from '#base/exact-json.ts'
import { failureOf } from '#codecs/failure.ts'
import { CHAT_USAGE, readOpenAiUsage } from '#codecs/openai-chat/usage.ts'
import { countOf, fieldsOf, sumOf } from '#ir/counts.ts'
import type { EmbeddingAnswer, EmbeddingRequest } from '#ir/embedding.ts'
import type { Usage } from '#ir/usage.ts'
import type { DecodedEmbeddings, EmbeddingAnswerContext } from './translation.ts'
import { answerOf, badAnswer, NO_EMBEDDINGS, packFloats } from './vectors.ts'

/** Reads `{data: [{index, embedding}], usage}`. The order is that of `index`; where there is none, that of the list. */
export function decodeOpenAiAnswer(body: unknown, request: EmbeddingRequest): DecodedEmbeddings {
  const { data, usage, error } = fieldsOf(body)
  if (error !== undefined && error !== null) return { answer: null, failure: failureOf(200, { error }) }
  if (!Array.isArray(data)) return badAnswer(NO_EMBEDDINGS)
  const values: unknown[] = []
  for (const [position, entry] of data.entries()) {
    const { index, embedding } = fieldsOf(entry)
    const at = index === undefined || index === null ? position : countOf(index)
    if (at === null || at >= data.length || at in values)
      return badAnswer('The upstream sent embeddings whose indexes are not those of the inputs.')
    values[at] = embedding
  }
  return answerOf(values, request, readUsage(usage))
}

/** Writes the list of embeddings in the encoding that the client asked for. Without usage there is no such member. */
export function encodeOpenAiAnswer(answer: EmbeddingAnswer, context: EmbeddingAnswerContext): unknown {
  const packs = context.request.encoding === 'base64'
  const data = answer.vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: packs && typeof vector !== 'string' ? packFloats(vector) : vector,
  }))
  const body = { object: 'list', data, model: context.model }
  return answer.usage === null ? body : { ...body, usage: usageOf(answer.usage, context) }
}

/** Some hosts (Voyage) tell only a total, which is the prompt: there is no output. */
function readUsage(value: unknown): Usage | null {
  const fields = fieldsOf(value)
  const isTold = fields['prompt_tokens'] !== undefined && fields['prompt_tokens'] !== null
  return readOpenAiUsage(isTold ? fields : { ...fields, prompt_tokens: fields['total_tokens'] }, CHAT_USAGE)
}

function usageOf(usage: Usage, context: EmbeddingAnswerContext): Readonly<Record<string, unknown>> {
  const prompt = sumOf(usage.input, usage.cacheRead, usage.cacheWrite, usage.cacheWrite1h) ?? 0
  const cost = context.costOf(usage)
  return {
    prompt_tokens: prompt,
    total_tokens: prompt + (usage.output ?? 0),
    ...(cost === null ? {} : { cost: rawNumber(cost) }),
  }
}
