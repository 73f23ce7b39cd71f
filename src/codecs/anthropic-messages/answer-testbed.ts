import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent, Finish } from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import { streamData, wholeBody } from './testbed.ts'

const P = 'anthropic-messages'
export const START: ChatEvent = { type: 'response-start', id: 'up_1', model: 'up', createdAt: 1 }
export const USAGE: Usage = {
  input: 5,
  cacheRead: 0,
  cacheWrite: 2,
  cacheWrite1h: null,
  output: 7,
  reasoning: 3,
  source: 'upstream',
}
export const usage: ChatEvent = { type: 'usage', usage: USAGE, total: null }
export const finish = (
  reason: Finish['reason'],
  raw: string | null = null,
  stopSequence: string | null = null,
): ChatEvent => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw,
  stopSequence,
})

interface Extra {
  readonly seal?: Seal
  readonly candidate?: number
  readonly more?: readonly ChatEvent[]
}

/** One block with all its deltas. */
export function block(index: number, head: BlockHead, texts: readonly string[] = [], extra: Extra = {}): ChatEvent[] {
  return [
    { type: 'block-start', index, candidate: extra.candidate ?? 0, block: head },
    ...texts.map((text): ChatEvent => ({ type: 'block-delta', index, text })),
    ...(extra.more ?? []),
    ...(extra.seal === undefined ? [] : [{ type: 'block-seal', index, seal: extra.seal } as const]),
    { type: 'block-end', index },
  ]
}

export const text = (index: number, ...texts: readonly string[]) => block(index, { type: 'text' }, texts)
export const reasoning = (index: number, texts: readonly string[], seal?: Seal, id: string | null = null) =>
  block(index, { type: 'reasoning', id, isSummary: false }, texts, seal === undefined ? {} : { seal })
export const call = (
  index: number,
  texts: readonly string[],
  members: Partial<Extract<BlockHead, { type: 'tool-call' }>> = {},
) => block(index, { type: 'tool-call', id: 't_1', name: 'f', kind: 'function', ...members }, texts)

export const OWN: Seal = { issuer: P, kind: 'signature', value: 'S==' }
export const FOREIGN: Seal = { issuer: 'openai-responses', kind: 'encrypted', value: 'E==' }
export const GEMINI: Seal = { issuer: 'gemini', kind: 'signature', value: 'G==' }

export const opened = (index: number, contentBlock: object) => ({
  type: 'content_block_start',
  index,
  content_block: contentBlock,
})
export const said = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta })
export const closed = (index: number) => ({ type: 'content_block_stop', index })

/** The blocks of a stream: all between its first and its last two events. */
export function blocksOf(events: readonly ChatEvent[], context = {}): unknown[] {
  return streamData([START, ...events], context).slice(1, -2)
}

export function contentOf(events: readonly ChatEvent[], context = {}): unknown {
  return wholeBody([START, ...events], context)['content']
}
