import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { Block } from '#ir/blocks.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest, FunctionTool, ReasoningControl, Turn } from '#ir/chat-request.ts'
import { Losses } from '#ir/extensions.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { converseUpstream } from './translation.ts'

/** What the tests of this folder share: requests that say little, and streams from their events. */

export const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
export const NOVA = 'us.amazon.nova-2-lite-v1:0'
export const LLAMA = 'us.meta.llama4-maverick-17b-instruct-v1:0'

const TRAITS: TargetTraits = {
  model: CLAUDE,
  outputTokensMax: 64_000,
  reasoning: 'budget',
  takesEffort: false,
  reasoningBudget: { min: 1024, max: 32_000 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: false,
  hasDeveloperRole: false,
  takesReasoningContent: false,
  takesVideo: true,
  mediaUrls: mediaUrlsOf('bedrock-converse', 'any', ''),
}

export interface Encoded extends EncodedRequest {
  /** As it is sent, and parsed again. */
  readonly sent: string
  readonly body: Readonly<Record<string, unknown>>
  /** `action path: reason`, with a `!` where it is severe. */
  readonly losses: readonly string[]
}

export function encode(request: Partial<ChatRequest>, target: Partial<TargetTraits> = {}): Encoded {
  const losses = new Losses()
  const encoded = converseUpstream.encodeRequest({ ...BLANK_REQUEST, ...request }, { ...TRAITS, ...target }, losses)
  const sent = JSON.stringify(encoded.body)
  return {
    ...encoded,
    sent,
    body: JSON.parse(sent) as Record<string, unknown>,
    losses: losses.list.map(
      ({ action, isSevere, path, reason }) => `${action}${isSevere ? '!' : ''} ${path}: ${reason}`,
    ),
  }
}

export type GivenTurn = readonly [Turn['role'], ...(string | Block)[]]

/** Turns of these roles; a string is a text. Their paths number them. */
export function turns(...given: GivenTurn[]): Turn[] {
  return given.map(([role, ...blocks], at) => {
    const path = `/messages/${at}`
    return {
      role,
      path,
      blocks: blocks.map((block, index) =>
        typeof block === 'string' ? text(block, `${path}/content/${index}`) : block,
      ),
    }
  })
}

export const text = (words: string, path = '/t'): Block => ({ type: 'text', text: words, path })

export const call = (id: string | null, name: string, words: string, path = '/call'): Block => ({
  type: 'tool-call',
  kind: 'function',
  id,
  name,
  arguments: words,
  path,
})

export const result = (callId: string | null, words: string, path = '/result'): Block => ({
  type: 'tool-result',
  kind: 'function',
  callId,
  name: null,
  content: [text(words, `${path}/content`)],
  isError: null,
  path,
})

export const tool = (name: string, some: Partial<FunctionTool> = {}): FunctionTool => ({
  type: 'function',
  name,
  description: null,
  schema: { type: 'object', properties: {} },
  strict: null,
  path: `/tools/${name}`,
  ...some,
})

export const reasoning = (some: Partial<ReasoningControl>): ReasoningControl => ({
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
  ...some,
})

/** One event of a stream. */
export function frame(name: string, payload: unknown): Buffer {
  const headers = { ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' }
  return writeAwsMessage(headers, Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)))
}

export interface Decoded {
  readonly events: readonly ChatEvent[]
  /** What each frame said at once. */
  readonly pushed: readonly (readonly ChatEvent[])[]
  readonly decoder: ReturnType<typeof converseUpstream.openDecoder>
}

export function decode(...frames: readonly Buffer[]): Decoded {
  const decoder = converseUpstream.openDecoder({ candidates: 1 })
  const pushed = frames.map((each) => decoder.push(each))
  return { pushed, decoder, events: [...pushed.flat(), ...decoder.end()] }
}
