import { anthropic } from './anthropic.ts'
import { readMessages } from './anthropic-read.ts'
import { embedGemini, embedGeminiBatch, embedOpenAi } from './embeddings.ts'
import { faultMessage, faultOf } from './faults.ts'
import type { Fault } from './faults.ts'
import { Refusal, readFields, readText } from './fields.ts'
import type { Fields } from './fields.ts'
import { gemini } from './gemini.ts'
import { readGemini } from './gemini-read.ts'
import { openAiChat } from './openai-chat.ts'
import { openAiResponses } from './openai-responses.ts'
import { perform } from './performance.ts'
import type { Frame, Speaker } from './speaker.ts'
import { countPromptTokens } from './tokens.ts'
import type { Transcripts } from './transcripts.ts'

/** What the delivery sends; nothing of it has touched a socket. */
export type Answer =
  | { readonly kind: 'whole'; readonly status: number; readonly body: Fields; readonly fault: Fault | null }
  | {
      readonly kind: 'stream'
      readonly frames: Iterable<Frame>
      /** Server-sent events, or the JSON array that Google streams without `alt=sse`. */
      readonly framing: 'sse' | 'array'
      readonly fault: Fault | null
      /** What `fault-error` ends the stream with. */
      readonly breakOff: Frame
      readonly model: string
    }

type Operation = (body: Fields, model: string) => Fields

interface Endpoint {
  readonly speaker: Speaker
  /** Named in the path for Gemini, else in the body. */
  readonly model: string | null
  /** Absent for a generation. */
  readonly operation?: Operation
  readonly streams: (body: Fields) => boolean
  readonly framing: 'sse' | 'array'
}

const GEMINI_PATH = /^\/v1(?:beta)?\/models\/(.+):(\w+)$/
const byFlag = (body: Fields): boolean => body.stream === true

/** The endpoint of a path, or undefined. `transcripts` is the memory of the Responses protocol. */
export function findEndpoint(url: URL, transcripts: Transcripts): Endpoint | undefined {
  const sse = { model: null, streams: byFlag, framing: 'sse' } as const
  switch (url.pathname) {
    case '/v1/chat/completions':
      return { ...sse, speaker: openAiChat }
    case '/v1/responses':
      return { ...sse, speaker: openAiResponses(transcripts) }
    case '/v1/embeddings':
      return { ...sse, speaker: openAiChat, operation: embedOpenAi }
    case '/v1/messages':
      return { ...sse, speaker: anthropic }
    case '/v1/messages/count_tokens':
      return { ...sse, speaker: anthropic, operation: countAnthropic }
    default:
      return findGeminiEndpoint(url)
  }
}

function findGeminiEndpoint(url: URL): Endpoint | undefined {
  const [, model = '', action = ''] = GEMINI_PATH.exec(url.pathname) ?? []
  const framing = url.searchParams.get('alt') === 'sse' ? 'sse' : 'array'
  const whole = { speaker: gemini, model: decodePath(model), streams: () => false, framing } as const
  switch (action) {
    case 'generateContent':
      return whole
    case 'streamGenerateContent':
      return { ...whole, streams: () => true }
    case 'countTokens':
      return { ...whole, operation: countGemini }
    case 'embedContent':
      return { ...whole, operation: embedGemini }
    case 'batchEmbedContents':
      return { ...whole, operation: embedGeminiBatch }
    default:
      return undefined
  }
}

function decodePath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const countAnthropic: Operation = (body, model) => ({
  input_tokens: countPromptTokens(readMessages(body, model, true)),
})

const countGemini: Operation = (body, model) => {
  const request = readFields(body.generateContentRequest ?? body, 'generateContentRequest')
  const totalTokens = countPromptTokens(readGemini(request, model))
  return { totalTokens, promptTokensDetails: [{ modality: 'TEXT', tokenCount: totalTokens }] }
}

/** Answers a parsed body. Throws Refusal; the caller writes it with the endpoint's speaker. */
export function answer(endpoint: Endpoint, body: Fields): Answer {
  const { speaker, operation, framing } = endpoint
  const model = endpoint.model ?? readText(body.model, 'model')
  if (!model) throw new Refusal(400, 'you must provide a model parameter', 'missing_model', 'model')
  const fault = faultOf(model)
  if (fault?.kind === 'status') throw new Refusal(fault.status, faultMessage(fault.status))
  if (operation) return { kind: 'whole', status: 200, body: operation(body, model), fault }
  const prompt = speaker.read(body, model)
  const spoken = speaker.speak(perform(prompt), body, prompt)
  if (!endpoint.streams(body)) return { kind: 'whole', status: 200, body: spoken.body(), fault }
  const breakOff = speaker.breakOff(new Refusal(500, faultMessage(500)))
  return { kind: 'stream', frames: spoken.frames(), framing, fault, breakOff, model }
}
