import type { AnswerContext, StreamDecoder, TargetTraits } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { responsesClient, responsesUpstream } from './translation.ts'

/** Drives this protocol's translation in tests. */

export type Body = Readonly<Record<string, unknown>>

export const TRAITS: TargetTraits = {
  model: 'up',
  outputTokensMax: null,
  reasoning: 'effort',
  reasoningBudget: { min: 0, max: 100 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: true,
  takesReasoningContent: false,
}

export const decode = (body: unknown): ChatRequest => responsesClient.decodeRequest(body, { stream: false })

/** The items as turns. */
export const turnsOf = (...input: unknown[]): ChatRequest['turns'] => decode({ input }).turns

/** Without what is set aside. */
export const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

export interface Encoded {
  readonly body: Body
  readonly losses: readonly Loss[]
  readonly formatTool: string | null
}

export function encode(request: ChatRequest, traits: Partial<TargetTraits> = {}): Encoded {
  const losses = new Losses()
  const { body, formatTool } = responsesUpstream.encodeRequest(request, { ...TRAITS, ...traits }, losses)
  return { body: JSON.parse(JSON.stringify(body)) as Body, losses: losses.list, formatTool }
}

/** What the upstream gets for this body of a client of the same protocol. */
export const again = (body: Body, traits?: Partial<TargetTraits>): Body => encode(decode(body), traits).body

/** A request of a client of another protocol that says no more than this. */
export const FOREIGN: ChatRequest = {
  instructions: [],
  turns: [],
  tools: [],
  toolChoice: null,
  parallelToolCalls: null,
  sampling: {},
  outputTokensMax: null,
  stopSequences: null,
  candidates: null,
  logprobs: null,
  format: null,
  reasoning: null,
  verbosity: null,
  serviceTier: null,
  endUser: null,
  metadata: null,
  promptCacheKey: null,
  stream: false,
  paths: {},
  ext: {},
}

export const openDecoder = (): StreamDecoder => responsesUpstream.openDecoder({ candidates: 1 })

export const frameOf = (data: unknown): Buffer => Buffer.from(`data: ${JSON.stringify(data)}\n\n`)

export interface Streamed {
  readonly events: readonly ChatEvent[]
  readonly decoder: StreamDecoder
}

/** Decodes a stream of these events' data, to its end. */
export function streamed(...data: unknown[]): Streamed {
  const decoder = openDecoder()
  const events = data.flatMap((each) => [...decoder.push(frameOf(each))])
  return { events: [...events, ...decoder.end()], decoder }
}

export const whole = (body: unknown) => responsesUpstream.decodeWhole(body, { candidates: 1 })

export const ANSWER_ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

export function contextOf(requestBody: Body = {}, more: Partial<AnswerContext> = {}): AnswerContext {
  return {
    id: ANSWER_ID,
    model: 'public',
    createdAt: 1000,
    upstream: 'anthropic-messages',
    request: decode(requestBody),
    requestBody,
    showsUsage: true,
    isOpenRouter: false,
    costOf: () => null,
    ...more,
  }
}

export interface Written {
  readonly type: string
  readonly data: Body
}

/** The events of a text, each with its two names compared. */
export function readWritten(text: string): Written[] {
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const [name = '', line = ''] = event.split('\n')
      const data = JSON.parse(line.slice('data: '.length)) as Body
      if (name !== `event: ${String(data['type'])}`) throw new Error(`two names: ${event}`)
      return { type: name.slice('event: response.'.length), data }
    })
}
