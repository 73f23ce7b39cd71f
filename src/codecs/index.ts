import type { Surface } from '#base/protocols.ts'
import { messagesPassthrough } from './anthropic-messages/passthrough.ts'
import type { Passthrough } from './codec.ts'
import { geminiPassthrough } from './gemini/passthrough.ts'
import { chatPassthrough } from './openai-chat/passthrough.ts'
import { embeddingsPassthrough } from './openai-embeddings/passthrough.ts'
import { responsesPassthrough } from './openai-responses/passthrough.ts'

/** Every surface's codec. */
export const PASSTHROUGH: Readonly<Record<Surface, Passthrough>> = {
  'openai-chat': chatPassthrough,
  'openai-responses': responsesPassthrough,
  'openai-embeddings': embeddingsPassthrough,
  'anthropic-messages': messagesPassthrough,
  gemini: geminiPassthrough,
}
