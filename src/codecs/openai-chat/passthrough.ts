import type { Failure, Passthrough } from '#codecs/codec.ts'
import { ChatStreamReader, readChatAnswer } from './answer.ts'
import { readChatRequest, writeChatRequest } from './request.ts'

/** `POST /v1/chat/completions`. Source: OpenAI API reference; openrouter-api.md section 4 for the in-stream failure. */
export const chatPassthrough: Passthrough = {
  protocol: 'openai-chat',
  readRequest: readChatRequest,
  writeRequest: writeChatRequest,
  readAnswer: readChatAnswer,
  openStream: (facts) => new ChatStreamReader(facts),
  terminator: 'data: [DONE]\n\n',
  failureEvents: chatFailureEvents,
}

/** One chunk with a top-level error, which OpenAI's SDK raises, and no `[DONE]`: a broken answer never looks finished. */
export function chatFailureEvents(failure: Failure): string {
  const chunk = {
    id: '',
    object: 'chat.completion.chunk',
    created: 0,
    model: '',
    choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
    error: {
      message: failure.message,
      type: failure.upstreamType ?? 'server_error',
      code: failure.upstreamCode ?? failure.code,
      param: null,
    },
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}
