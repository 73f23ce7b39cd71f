import type { ClientCodec, UpstreamCodec } from '#codecs/translation.ts'
import { decodeChatRequest } from './decode-request.ts'
import { ChatDecoder, decodeChatAnswer } from './decode-response.ts'
import { encodeChatRequest } from './encode-request.ts'
import { ChatEncoder } from './encode-stream.ts'
import { encodeChatAnswer } from './encode-whole.ts'

/** Clients of `POST /v1/chat/completions` at models that speak another protocol. */
export const chatClient: ClientCodec = {
  protocol: 'openai-chat',
  decodeRequest: decodeChatRequest,
  openEncoder: (context) => new ChatEncoder(context),
  encodeWhole: encodeChatAnswer,
}

/** Hosts that speak chat completions for clients of another protocol. */
export const chatUpstream: UpstreamCodec = {
  protocol: 'openai-chat',
  encodeRequest: encodeChatRequest,
  openDecoder: (context) => new ChatDecoder(context),
  decodeWhole: decodeChatAnswer,
}
