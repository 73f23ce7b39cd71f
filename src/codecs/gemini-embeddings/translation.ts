import type { EmbeddingCodec } from '#codecs/openai-embeddings/translation.ts'
import { decodeGeminiAnswer, encodeGeminiAnswer } from './translate-answer.ts'
import { decodeGeminiRequest, encodeGeminiRequest } from './translate-request.ts'

/** `:embedContent` and `:batchEmbedContents` (R6). Source: Gemini API reference, Embeddings. */
export const geminiEmbeddings: EmbeddingCodec = {
  protocol: 'gemini',
  decodeRequest: decodeGeminiRequest,
  encodeRequest: encodeGeminiRequest,
  decodeAnswer: decodeGeminiAnswer,
  encodeAnswer: encodeGeminiAnswer,
}
