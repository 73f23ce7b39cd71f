import type { ClientCodec, UpstreamCodec } from '#codecs/translation.ts'
import { answerCallIds } from './call-ids.ts'
import { decodeChatRequest } from './decode-request.ts'
import { ChatDecoder, decodeChatAnswer } from './decode-response.ts'
import { encodeChatRequest } from './encode-request.ts'
import { ChatEncoder } from './encode-stream.ts'
import { encodeChatAnswer } from './encode-whole.ts'

/**
 * A body that is read and written again is the same but for these equivalences: null is absent; one plain text part is a
 * string, one stop string a list, an address by itself an object; an assistant's empty content is null beside calls and `''`
 * without; empty `tools` and `tool_calls` are absent, and so are `tool_choice` auto or none and `parallel_tool_calls` without
 * tools; `functions` and `function_call` become tools and calls; a missing `type` is `function`, Mistral's `any` is
 * `required`; a cache breakpoint of a message stands on its last part; assistant turns that belong to one answer are one
 * message; names of the output limit, of roles and of reasoning are those that the target's traits ask for.
 */

/** Clients of `POST /v1/chat/completions` at models that speak another protocol. */
export const chatClient: ClientCodec = {
  protocol: 'openai-chat',
  decodeRequest: decodeChatRequest,
  answerId: (id) => `chatcmpl-${id}`,
  openCallIds: answerCallIds,
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
