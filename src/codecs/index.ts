import type { Protocol, Surface } from '#base/protocols.ts'
import { messagesPassthrough } from './anthropic-messages/passthrough.ts'
import { messagesClient, messagesUpstream } from './anthropic-messages/translation.ts'
import { converseUpstream } from './bedrock-converse/translation.ts'
import { cohereUpstream } from './cohere-chat/translation.ts'
import type { Passthrough } from './codec.ts'
import { geminiPassthrough } from './gemini/passthrough.ts'
import { geminiClient, geminiUpstream } from './gemini/translation.ts'
import { chatPassthrough } from './openai-chat/passthrough.ts'
import { chatClient, chatUpstream } from './openai-chat/translation.ts'
import { embeddingsPassthrough } from './openai-embeddings/passthrough.ts'
import { responsesPassthrough } from './openai-responses/passthrough.ts'
import { responsesClient, responsesUpstream } from './openai-responses/translation.ts'
import type { ClientCodec, UpstreamCodec } from './translation.ts'

/** Every surface's codec. */
export const PASSTHROUGH: Readonly<Record<Surface, Passthrough>> = {
  'openai-chat': chatPassthrough,
  'openai-responses': responsesPassthrough,
  'openai-embeddings': embeddingsPassthrough,
  'anthropic-messages': messagesPassthrough,
  gemini: geminiPassthrough,
}

/** The protocols that a client may speak to a model of another one. */
export const CLIENT_CODECS: Readonly<Partial<Record<Protocol, ClientCodec>>> = {
  'openai-chat': chatClient,
  'openai-responses': responsesClient,
  'anthropic-messages': messagesClient,
  gemini: geminiClient,
}

/** The protocols of chat models that a client of another one reaches. */
export const UPSTREAM_CODECS: Readonly<Partial<Record<Protocol, UpstreamCodec>>> = {
  'openai-chat': chatUpstream,
  'openai-responses': responsesUpstream,
  'anthropic-messages': messagesUpstream,
  gemini: geminiUpstream,
  'bedrock-converse': converseUpstream,
  'cohere-chat': cohereUpstream,
}
