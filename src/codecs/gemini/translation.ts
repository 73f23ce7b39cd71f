import type { ClientCodec, UpstreamCodec } from '#codecs/translation.ts'
import { answerCallIds } from './call-ids.ts'
import { decodeGeminiRequest } from './decode-request.ts'
import { decodeGeminiWhole, GeminiDecoder } from './decode-response.ts'
import { encodeGeminiRequest } from './encode-request.ts'
import { encodeGeminiWhole, GeminiEncoder } from './encode-response.ts'

/** The translating half of Gemini's protocol. Source: Google's REST reference of the Generative Language API. */

export const geminiClient: ClientCodec = {
  protocol: 'gemini',
  decodeRequest: decodeGeminiRequest,
  answerId: (id) => id,
  openCallIds: answerCallIds,
  openEncoder: (context) => new GeminiEncoder(context),
  encodeWhole: encodeGeminiWhole,
}

export const geminiUpstream: UpstreamCodec = {
  protocol: 'gemini',
  encodeRequest: encodeGeminiRequest,
  openDecoder: () => new GeminiDecoder(),
  decodeWhole: decodeGeminiWhole,
}
