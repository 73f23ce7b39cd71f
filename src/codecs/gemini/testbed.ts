import assert from 'node:assert/strict'
import { GatewayError } from '#base/errors.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { Losses } from '#ir/extensions.ts'
import { AnswerLosses } from '#codecs/answer-losses.ts'
import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { AnswerContext, TargetTraits } from '#codecs/translation.ts'
import { dataOf } from '#codecs/testbed.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { geminiClient, geminiUpstream } from './translation.ts'

/** Drives the translating half of Gemini's codec in tests. */

export const ANSWER_ID = '01J00000000000000000000000'

/** A request of which only `contents` need to be said. */
export function decoded(body: Readonly<Record<string, unknown>>, stream = false): ChatRequest {
  return geminiClient.decodeRequest({ contents: [], ...body }, { stream })
}

/** The blocks of a request with one content. */
export function blocksOf(...parts: unknown[]): readonly unknown[] {
  return decoded({ contents: [{ role: 'model', parts }] }).turns[0]!.blocks
}

export function assertInvalid(body: unknown, param: string, code = 'invalid_parameter'): void {
  assert.throws(
    () => geminiClient.decodeRequest(body, { stream: false }),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error))
      assert.deepEqual([error.status, error.code, error.details.param], [400, code, param])
      return true
    },
  )
}

/** A model such as Gemini 2.5. */
export const BUDGET_TARGET: TargetTraits = {
  model: 'gemini-2.5-pro',
  outputTokensMax: 60_000,
  reasoning: 'budget',
  takesEffort: false,
  reasoningBudget: { min: 128, max: 32_768 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: false,
  takesReasoningContent: false,
  takesVideo: true,
  mediaUrls: mediaUrlsOf('gemini', 'any', ''),
}

/** A model such as Gemini 3. */
export const LEVEL_TARGET: TargetTraits = { ...BUDGET_TARGET, model: 'gemini-3-pro', reasoning: 'level' }

export interface Sent {
  /** As it goes out, with every number as it stands. */
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  /** `action path` of each loss; a severe one ends in `!`. */
  readonly losses: readonly string[]
  readonly emulatedCustomTools: readonly string[]
  readonly formatTool: string | null
}

/** What the upstream gets, as JSON tells it. */
export function sent(request: Partial<ChatRequest>, target: TargetTraits = BUDGET_TARGET): Sent {
  const losses = new Losses()
  const encoded = geminiUpstream.encodeRequest({ ...BLANK_REQUEST, ...request }, target, losses)
  const text = JSON.stringify(encoded.body)
  return {
    text,
    body: JSON.parse(text) as Record<string, unknown>,
    losses: losses.list.map(({ action, path, isSevere }) => `${action} ${path}${isSevere ? '!' : ''}`),
    emulatedCustomTools: [...encoded.emulatedCustomTools],
    formatTool: encoded.formatTool,
  }
}

export const eventText = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`

export interface Streamed {
  /** Events of each frame, and at last those of the end. */
  readonly pushes: readonly (readonly ChatEvent[])[]
  readonly events: readonly ChatEvent[]
  readonly complete: boolean
  readonly failure: unknown
}

/** Reads a stream given as texts of its frames, or as the values of their data. */
export function streamed(...frames: readonly unknown[]): Streamed {
  const decoder = geminiUpstream.openDecoder({ candidates: 1 })
  const pushes = frames.map((frame) => decoder.push(Buffer.from(typeof frame === 'string' ? frame : eventText(frame))))
  if (decoder.failure === null) pushes.push(decoder.end())
  return { pushes, events: pushes.flat(), complete: decoder.complete, failure: decoder.failure }
}

/** A response with one candidate. */
export function responseOf(parts: unknown, members: Readonly<Record<string, unknown>> = {}): unknown {
  return { candidates: [{ content: { parts, role: 'model' }, ...members }] }
}

export function contextOf(change: Partial<AnswerContext> = {}): AnswerContext {
  return {
    id: ANSWER_ID,
    model: 'public-model',
    createdAt: 1_700_000_000,
    upstream: 'anthropic-messages',
    request: BLANK_REQUEST,
    requestBody: {},
    showsUsage: true,
    isOpenRouter: false,
    losses: new AnswerLosses(change.upstream ?? 'anthropic-messages', 'gemini'),
    costOf: () => '1',
    ...change,
  }
}

/** The data of each event that a client gets, without the members that all of them have. */
export function written(events: readonly ChatEvent[], change: Partial<AnswerContext> = {}): unknown[] {
  const encoder = geminiClient.openEncoder(contextOf(change))
  const texts = [...events.map((event) => encoder.push(event)), encoder.end()]
  return texts.flatMap((text) => {
    assert.match(text, /^(data: \{[^\n]*\}\n\n)?$/)
    return dataOf(text).map((data) => {
      const { modelVersion, responseId, ...rest } = data as Record<string, unknown>
      assert.deepEqual([modelVersion, responseId], ['public-model', ANSWER_ID])
      return rest
    })
  })
}

/** The parts that a client gets of candidate 0, in the order of the events. */
export function partsWritten(events: readonly ChatEvent[], change: Partial<AnswerContext> = {}): unknown[] {
  return written(events, change).flatMap((data) => {
    const { candidates } = data as { candidates?: { content: { parts: unknown[] } }[] }
    return candidates?.[0]?.content.parts ?? []
  })
}

/** Folds events into a whole answer and gives its body. */
export function whole(events: readonly ChatEvent[], change: Partial<AnswerContext> = {}): Record<string, unknown> {
  const body = geminiClient.encodeWhole(events, contextOf(change))
  return JSON.parse(JSON.stringify(body)) as Record<string, unknown>
}

/** Events in short: `start 0 text`, `0+words`, `0#seal`, `end 0`, `finish stop STOP`. */
export function shortly(events: readonly ChatEvent[]): string[] {
  return events.flatMap((event): string[] => {
    switch (event.type) {
      case 'block-start': {
        const { block } = event
        const detail = block.type === 'tool-call' ? ` ${block.id} ${block.name}` : ''
        return [`start ${event.index} ${block.type}${detail}${event.candidate > 0 ? ` of ${event.candidate}` : ''}`]
      }
      case 'block-delta':
        return [`${event.index}+${event.text}`]
      case 'block-seal':
        return [`${event.index}#${event.seal.value}`]
      case 'block-end':
        return [`end ${event.index}`]
      case 'finish':
        return [`finish ${event.reason} ${event.raw}${event.candidate > 0 ? ` of ${event.candidate}` : ''}`]
      case 'block-citation':
      case 'block-logprobs':
      case 'opaque':
        return [event.type]
      case 'response-start':
      case 'usage':
        return []
      default: {
        const missed: never = event
        throw new Error(String(missed))
      }
    }
  })
}
