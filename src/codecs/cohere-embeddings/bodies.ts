import { GatewayError } from '#base/errors.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { EmbeddingInput, EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'

/** Bodies of Cohere's embedding models, which its own API and Bedrock take alike. Source: Cohere's reference of `POST /v2/embed`. */

/** Texts in one call. */
export const COHERE_TEXTS_MAX = 96

/** One body or several, without the name of the model. Throws GatewayError (400) for what is no text. */
export function cohereBodies(request: EmbeddingRequest, model: string, losses: Losses): Record<string, unknown>[] {
  const { inputs } = request
  const [first] = inputs
  const isSame = inputs.every(
    ({ taskType, dimensions }) => taskType === first!.taskType && dimensions === first!.dimensions,
  )
  if (!isSame) throw refusedInput('one request must ask for vectors of one kind from this model')
  for (const { title, paths } of inputs)
    if (title !== null) losses.dropped(paths['title'] ?? '/title', 'this model has no title')
  const { dimensions, taskType } = first!
  const { input_type: inputType } = fieldsOf(request.ext['openai-embeddings'])
  const type = inputType ?? TYPES.get(String(taskType)) ?? 'search_document'
  const settings: Record<string, unknown> = { input_type: type, truncate: 'NONE' }
  // The third generation has vectors of one length.
  if (dimensions !== null && /embed-v[4-9]/.test(model)) settings['output_dimension'] = dimensions
  else if (dimensions !== null) losses.dropped(first!.paths['dimensions'] ?? '/dimensions', 'this model has one length')
  const texts = inputs.map(textOfInput)
  const bodies: Record<string, unknown>[] = []
  for (let at = 0; at < texts.length; at += COHERE_TEXTS_MAX)
    bodies.push({ texts: texts.slice(at, at + COHERE_TEXTS_MAX), ...settings })
  return bodies
}

/** Cohere's words for Gemini's. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['RETRIEVAL_QUERY', 'search_query'],
  ['QUESTION_ANSWERING', 'search_query'],
  ['CODE_RETRIEVAL_QUERY', 'search_query'],
  ['RETRIEVAL_DOCUMENT', 'search_document'],
  ['CLASSIFICATION', 'classification'],
  ['CLUSTERING', 'clustering'],
])

/** The text of one input; throws GatewayError (400) where it is none. */
export function textOfInput({ content }: EmbeddingInput): string {
  if (content.type === 'text') return content.texts.join('\n')
  throw refusedInput(
    content.type === 'tokens' ? 'this model takes no lists of tokens' : 'this model takes it in no other form',
  )
}

const refusedInput = (why: string): GatewayError =>
  new GatewayError('invalid_request', `"input" must be text: ${why}.`, { param: 'input' })
