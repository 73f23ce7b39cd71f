import type { Failure, Passthrough } from '#codecs/codec.ts'
import { GeminiStreamReader, readGeminiAnswer } from './answer.ts'
import { readGeminiRequest, writeGeminiRequest } from './request.ts'

/** `POST /v1beta/models/{model}:{action}`. Source: Google's REST reference of the Generative Language API. */
export const geminiPassthrough: Passthrough = {
  protocol: 'gemini',
  readRequest: readGeminiRequest,
  writeRequest: writeGeminiRequest,
  readAnswer: readGeminiAnswer,
  openStream: () => new GeminiStreamReader(),
  terminator: '',
  failureEvents,
}

function failureEvents(failure: Failure): string {
  const error = {
    code: failure.status,
    message: failure.message,
    status: failure.upstreamType ?? statusName(failure.status),
  }
  return `data: ${JSON.stringify({ error })}\n\n`
}

function statusName(status: number): string {
  if (status === 429) return 'RESOURCE_EXHAUSTED'
  if (status === 504) return 'DEADLINE_EXCEEDED'
  return status === 500 ? 'INTERNAL' : 'UNAVAILABLE'
}
