import { anthropic } from './anthropic.ts'
import { readMessages } from './anthropic-read.ts'
import { embedGemini, embedGeminiBatch, embedOpenAi } from './embeddings.ts'
import { damageBody, damageFrames, damagePerformance } from './damage.ts'
import { type FaultList, NO_FAULTS } from './fault-list.ts'
import { FAULT_EVENTS, faultMessage, faultOf } from './faults.ts'
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
  | (Delivery & { readonly kind: 'whole'; readonly status: number; readonly body: Fields })
  | (Delivery & {
      readonly kind: 'stream'
      readonly frames: Iterable<Frame>
      /** Server-sent events, or the JSON array that Google streams without `alt=sse`. */
      readonly framing: 'sse' | 'array'
      /** What `fault-error` ends the stream with. */
      readonly breakOff: Frame
      readonly model: string
    })

/** What goes wrong on the way. */
interface Delivery {
  readonly fault: Fault | null
  /** Content events of a stream before the fault. */
  readonly faultEvents: number
  /** Whether writes end inside of characters. */
  readonly splitUtf8: boolean
  /** Whether the answer is a status and nothing else. */
  readonly isEmpty: boolean
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
export function answer(endpoint: Endpoint, body: Fields, faults: FaultList = NO_FAULTS): Answer {
  const { speaker, operation, framing } = endpoint
  const model = endpoint.model ?? readText(body.model, 'model')
  if (!model) throw new Refusal(400, 'you must provide a model parameter', 'missing_model', 'model')
  const fault = faults.resetAfter === null ? faultOf(model) : CUT
  if (fault?.kind === 'status') throw new Refusal(fault.status, faultMessage(fault.status))
  const faultEvents = faults.resetAfter ?? FAULT_EVENTS
  const delivery = { fault, faultEvents, splitUtf8: faults.splitUtf8, isEmpty: faults.empty }
  const whole = (fields: Fields): Answer => ({ kind: 'whole', status: 200, body: fields, ...delivery })
  const broken = new Refusal(500, faultMessage(500))
  if (operation) return whole(operation(body, model))
  const prompt = speaker.read(body, model)
  const spoken = speaker.speak(damagePerformance(perform(prompt), faults), body, prompt)
  if (!endpoint.streams(body)) {
    return whole(faults.errorIn200 ? speaker.refuse(broken) : damageBody(spoken.body(), faults))
  }
  const breakOff = speaker.breakOff(broken)
  const frames = faults.errorIn200 ? [breakOff] : damageFrames(spoken.frames(), faults)
  return { kind: 'stream', frames, framing, ...delivery, breakOff, model }
}

const CUT: Fault = { kind: 'cut' }
