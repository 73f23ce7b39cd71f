import { AnswerLosses } from '#codecs/answer-losses.ts'
import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { AnswerContext, StreamDecoder, TargetTraits } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { Block, MediaBlock, Seal, TextBlock } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { messagesClient, messagesUpstream } from './translation.ts'

/** Drives the translating codec in tests. */

export const ANSWER_ID = '01M7WMS0000000000000000000'

export const TARGET: TargetTraits = {
  model: 'claude-x',
  outputTokensMax: 64_000,
  reasoning: 'budget',
  takesEffort: false,
  reasoningBudget: { min: 1024, max: 32_000 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: false,
  takesReasoningContent: false,
  takesVideo: true,
  mediaUrls: mediaUrlsOf('anthropic-messages', 'any', ''),
}

export function requestOf(members: Partial<ChatRequest>): ChatRequest {
  return { ...BLANK_REQUEST, ...members }
}

export interface Encoded {
  readonly body: Readonly<Record<string, unknown>>
  readonly losses: readonly Loss[]
  readonly emulatedCustomTools: readonly string[]
  readonly formatTool: string | null
}

/** The body as it goes over the wire, and what it lost. */
export function encoded(request: Partial<ChatRequest>, target: Partial<TargetTraits> = {}): Encoded {
  const losses = new Losses()
  const result = messagesUpstream.encodeRequest(requestOf(request), { ...TARGET, ...target }, losses)
  const body = JSON.parse(JSON.stringify(result.body)) as Record<string, unknown>
  const { emulatedCustomTools, formatTool } = result
  return { body, losses: losses.list, emulatedCustomTools: [...emulatedCustomTools], formatTool }
}

/** Losses as short lines: `dropped /seed`, with `!` for a severe one. */
export function lost({ losses }: Encoded): string[] {
  return losses.map(({ action, path, isSevere }) => `${action}${isSevere ? '!' : ''} ${path}`)
}

export function decoded(body: Readonly<Record<string, unknown>>): ChatRequest {
  return messagesClient.decodeRequest({ model: 'm', max_tokens: 9, messages: [], ...body }, { stream: false })
}

/** The body that this protocol's own upstream gets of a client's body. */
export function roundTrip(body: Readonly<Record<string, unknown>>, target: Partial<TargetTraits> = {}): Encoded {
  return encoded(messagesClient.decodeRequest(body, { stream: false }), target)
}

/** A frame of a stream: the event's name is its type. */
export function frame(event: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`)
}

export interface Read {
  readonly events: readonly ChatEvent[]
  readonly decoder: StreamDecoder
}

export type Frame = Buffer | Readonly<Record<string, unknown>>

/** Reads a whole stream. */
export function readStream(...frames: readonly Frame[]): Read {
  const decoder = messagesUpstream.openDecoder({ candidates: 1 })
  const events: ChatEvent[] = []
  for (const each of frames) events.push(...decoder.push(Buffer.isBuffer(each) ? each : frame(each)))
  if (decoder.failure === null) events.push(...decoder.end())
  return { events, decoder }
}

export function contextOf(members: Partial<AnswerContext> = {}): AnswerContext {
  return {
    id: ANSWER_ID,
    model: 'public-model',
    createdAt: 1_700_000_000,
    upstream: 'openai-chat',
    request: requestOf({}),
    requestBody: {},
    showsUsage: true,
    isOpenRouter: false,
    losses: new AnswerLosses(members.upstream ?? 'openai-chat', 'anthropic-messages'),
    costOf: () => null,
    ...members,
  }
}

/** The text of a stream for these events, to its end. */
export function streamText(events: readonly ChatEvent[], context: Partial<AnswerContext> = {}): string {
  const encoder = messagesClient.openEncoder(contextOf(context))
  return events.map((event) => encoder.push(event)).join('') + encoder.end()
}

/** The same as values: the data of each event. */
export function streamData(
  events: readonly ChatEvent[],
  context: Partial<AnswerContext> = {},
): Record<string, unknown>[] {
  const lines = streamText(events, context).split('\n')
  const data = lines.filter((line) => line.startsWith('data: '))
  return data.map((line) => JSON.parse(line.slice('data: '.length)) as Record<string, unknown>)
}

export function wholeBody(
  events: readonly ChatEvent[],
  context: Partial<AnswerContext> = {},
): Readonly<Record<string, unknown>> {
  const value = messagesClient.encodeWhole(events, contextOf(context))
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>
}

/** Parts of a conversation. */

const P = 'anthropic-messages'
export const OWN: Seal = { issuer: P, kind: 'signature', value: 'S==' }

export const text = (value: string, path = '/messages/0/content', more: Partial<TextBlock> = {}): TextBlock => ({
  type: 'text',
  text: value,
  path,
  ...more,
})
export const turn = (role: Turn['role'], blocks: readonly Block[], index = 0): Turn => ({
  role,
  blocks,
  path: `/messages/${index}`,
})
export const call = (id: string | null, more: object = {}): Block => ({
  type: 'tool-call',
  id,
  name: 'f',
  arguments: '{"a":1}',
  kind: 'function',
  path: '/messages/1/tool_calls/0',
  ...more,
})
export const result = (callId: string | null, content: readonly Block[], more: object = {}): Block => ({
  type: 'tool-result',
  callId,
  name: null,
  content,
  isError: null,
  kind: 'function',
  path: '/messages/2',
  ...more,
})
export const media = (more: Pick<MediaBlock, 'kind' | 'source'> & Partial<MediaBlock>): MediaBlock => ({
  type: 'media',
  path: '/messages/0/content/1',
  ...more,
})

/** The turns as the API gets them, and what they lost. */
export function messagesOf(...turns: readonly Turn[]): { messages: unknown; losses: string[] } {
  const result = encoded({ turns })
  return { messages: result.body['messages'], losses: lost(result) }
}
