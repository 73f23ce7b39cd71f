import type { ChatEvent } from '#ir/chat-event.ts'
import { type ChatRequest } from '#ir/chat-request.ts'
import { type Loss, Losses } from '#ir/extensions.ts'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { AnswerContext, TargetTraits } from '#codecs/translation.ts'
import { chatClient, chatUpstream } from './translation.ts'

/** Drives this protocol's translation in tests. */

export const TRAITS: TargetTraits = {
  model: 'up',
  outputTokensMax: 10_000,
  reasoning: 'effort',
  takesEffort: false,
  reasoningBudget: { min: 0, max: 10_000 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: false,
  takesReasoningContent: false,
  takesVideo: true,
  mediaUrls: mediaUrlsOf('openai-chat', 'any', ''),
}

/** OpenAI's own models that reason. */
export const OPENAI: TargetTraits = {
  ...TRAITS,
  refusesSampling: true,
  usesCompletionTokens: true,
  hasDeveloperRole: true,
}

export const OPENROUTER: TargetTraits = { ...TRAITS, reasoning: 'openrouter' }

export function requestOf(body: object): ChatRequest {
  return chatClient.decodeRequest({ messages: [], ...body }, { stream: false })
}

/** A request that says nothing but this. */
export function request(some: Partial<ChatRequest>): ChatRequest {
  return { ...requestOf({}), ...some }
}

export interface Encoded {
  readonly body: Readonly<Record<string, unknown>>
  readonly losses: readonly Loss[]
  readonly emulatedCustomTools: readonly string[]
  readonly formatTool: string | null
}

/** The upstream's body as JSON, and what was lost on the way. */
export function encode(asked: ChatRequest, traits: Partial<TargetTraits> = {}): Encoded {
  const losses = new Losses()
  const { body, emulatedCustomTools, formatTool } = chatUpstream.encodeRequest(asked, { ...TRAITS, ...traits }, losses)
  return {
    body: JSON.parse(JSON.stringify(body)) as Record<string, unknown>,
    losses: losses.list,
    emulatedCustomTools: [...emulatedCustomTools],
    formatTool,
  }
}

/** As `path: action`, with `!` for a severe one. */
export const told = (losses: readonly Loss[]): string[] =>
  losses.map(({ path, action, isSevere }) => `${path}: ${action}${isSevere ? '!' : ''}`)

export const frame = (chunk: unknown): Buffer => Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`)
export const DONE = Buffer.from('data: [DONE]\n\n')

export interface Decoded {
  readonly events: readonly ChatEvent[]
  readonly failure: string | null
  readonly complete: boolean
}

/** Reads a streamed answer; the end follows unless it failed. */
export function decodeStream(frames: readonly Buffer[], candidates = 1): Decoded {
  const decoder = chatUpstream.openDecoder({ candidates })
  const events: ChatEvent[] = []
  for (const bytes of frames) events.push(...decoder.push(bytes))
  if (!decoder.failure) events.push(...decoder.end())
  return { events, failure: decoder.failure?.message ?? null, complete: decoder.complete }
}

export function contextOf(some: Partial<AnswerContext> = {}): AnswerContext {
  return {
    id: 'A'.repeat(26),
    model: 'public',
    createdAt: 1_700_000_000,
    upstream: 'anthropic-messages',
    request: requestOf({}),
    requestBody: {},
    showsUsage: true,
    isOpenRouter: false,
    losses: new AnswerLosses(some.upstream ?? 'anthropic-messages', 'openai-chat'),
    costOf: () => '0.0000010',
    ...some,
  }
}

/** The data of each event that the client gets, JSON parsed. */
export function encodeStream(events: readonly ChatEvent[], some: Partial<AnswerContext> = {}): unknown[] {
  const encoder = chatClient.openEncoder(contextOf(some))
  return dataOf(events.map((event) => encoder.push(event)).join('') + encoder.end())
}

export function dataOf(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.slice('data: '.length))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)))
}
