import { mediaUrlsOf } from '#codecs/media-urls.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { Losses } from '#ir/extensions.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { cohereUpstream } from './translation.ts'

/** What the tests of this folder share: requests that say little, and streams from their events. */

const TRAITS: TargetTraits = {
  model: 'command-a-reasoning-08-2025',
  outputTokensMax: 32_000,
  reasoning: 'budget',
  takesEffort: false,
  reasoningBudget: { min: 1, max: 31_000 },
  refusesSampling: false,
  usesCompletionTokens: false,
  hasJsonSchema: true,
  hasDeveloperRole: false,
  takesReasoningContent: false,
  takesVideo: false,
  mediaUrls: mediaUrlsOf('cohere-chat', 'any', ''),
}

export interface Encoded {
  readonly body: Readonly<Record<string, unknown>>
  /** `action path: reason`, with a `!` where it is severe. */
  readonly losses: readonly string[]
}

export function encode(request: Partial<ChatRequest>, target: Partial<TargetTraits> = {}): Encoded {
  const losses = new Losses()
  const { body } = cohereUpstream.encodeRequest({ ...BLANK_REQUEST, ...request }, { ...TRAITS, ...target }, losses)
  return {
    body: JSON.parse(JSON.stringify(body)) as Record<string, unknown>,
    losses: losses.list.map(
      ({ action, isSevere, path, reason }) => `${action}${isSevere ? '!' : ''} ${path}: ${reason}`,
    ),
  }
}

export interface Decoded {
  readonly events: readonly ChatEvent[]
  /** What each frame said at once. */
  readonly pushed: readonly (readonly ChatEvent[])[]
  readonly decoder: ReturnType<typeof cohereUpstream.openDecoder>
}

/** A stream of these events; a string is the data as it stands. */
export function decode(...values: readonly (object | string)[]): Decoded {
  const decoder = cohereUpstream.openDecoder({ candidates: 1 })
  const pushed = values.map((value) =>
    decoder.push(Buffer.from(`data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`)),
  )
  return { pushed, decoder, events: [...pushed.flat(), ...decoder.end()] }
}
