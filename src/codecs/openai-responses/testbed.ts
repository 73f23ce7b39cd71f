import { AnswerLosses } from '#codecs/answer-losses.ts'
import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { AnswerContext, StreamDecoder, TargetTraits } from '#codecs/translation.ts'
import type { BlockHead, ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { collect } from '#ir/collect.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { responsesClient, responsesUpstream } from './translation.ts'

/** Drives this protocol's translation in tests. */

export type Body = Readonly<Record<string, unknown>>

export const TRAITS: TargetTraits = {
  model: 'up',
  outputTokensMax: null,
  reasoning: 'effort',
  takesEffort: false,
  reasoningBudget: { min: 0, max: 100 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: true,
  takesReasoningContent: false,
  takesVideo: true,
  mediaUrls: mediaUrlsOf('openai-responses', 'any', ''),
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
    losses: new AnswerLosses(more.upstream ?? 'anthropic-messages', 'openai-responses'),
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

// Upstream answers.

export const CREATED = {
  type: 'response.created',
  response: { id: 'resp_1', model: 'm', created_at: 7.9, status: 'in_progress' },
}
export const added = (output_index: number, item: object) => ({
  type: 'response.output_item.added',
  output_index,
  item,
})
export const done = (output_index: number, item: object) => ({ type: 'response.output_item.done', output_index, item })
export const say = (output_index: number, delta: string, more = {}) => ({
  type: 'response.output_text.delta',
  output_index,
  content_index: 0,
  delta,
  ...more,
})
export const completed = (output: unknown[], more = {}) => ({
  type: 'response.completed',
  response: { id: 'resp_1', model: 'm', status: 'completed', output, ...more },
})
export const message = (text: string, more = {}) => ({
  type: 'message',
  id: 'msg_1',
  role: 'assistant',
  content: [{ type: 'output_text', text, annotations: [], ...more }],
})
export const call = (args: string, id = 'fc_1') => ({
  type: 'function_call',
  id,
  call_id: `call_${id}`,
  name: 'f',
  arguments: args,
})

/** What was said, block by block. */
export function told(events: readonly ChatEvent[]) {
  const { candidates } = collect(events)
  return candidates[0]!.blocks.map(({ head, parts, seal }) => [
    head.type === 'tool-call' ? head.name : head.type,
    ...parts,
    ...(seal ? [`seal:${seal.value}`] : []),
  ])
}

export const finishOf = (events: readonly ChatEvent[]) => {
  const finish = collect(events).candidates[0]!.finish
  return finish && [finish.reason, finish.raw]
}

// Neutral events, and what is written of them.

export const START: ChatEvent = { type: 'response-start', id: 'up', model: 'up-model', createdAt: 5 }
export const finish = (reason: FinishReason, raw: string | null = null): ChatEvent => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw,
  stopSequence: null,
})
export const open = (index: number, block: BlockHead, candidate = 0): ChatEvent => ({
  type: 'block-start',
  index,
  candidate,
  block,
})
export const delta = (index: number, text: string): ChatEvent => ({ type: 'block-delta', index, text })
export const end = (index: number): ChatEvent => ({ type: 'block-end', index })
export const text = (index: number, ...pieces: string[]): ChatEvent[] => [
  open(index, { type: 'text' }),
  ...pieces.map((piece) => delta(index, piece)),
  end(index),
]
export const CALL: BlockHead = { type: 'tool-call', id: 'c1', name: 'f', kind: 'function' }
export const USAGE: ChatEvent = {
  type: 'usage',
  usage: { input: 6, cacheRead: 4, cacheWrite: null, cacheWrite1h: null, output: 5, reasoning: 0, source: 'upstream' },
  total: 15,
}

export function write(events: readonly ChatEvent[], context: AnswerContext = contextOf()) {
  const encoder = responsesClient.openEncoder(context)
  const pieces = events.map((event) => encoder.push(event))
  return readWritten(pieces.join('') + encoder.end())
}

export const typesOf = (events: readonly ChatEvent[], context?: AnswerContext) =>
  write(events, context).map(({ type }) => type)

/** The response object of the last event. */
export const lastOf = (events: readonly ChatEvent[], context?: AnswerContext) =>
  write(events, context).at(-1)!.data['response'] as Body & { output: Body[] }
