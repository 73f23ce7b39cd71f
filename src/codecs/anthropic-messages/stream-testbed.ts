import type { ChatEvent } from '#ir/chat-event.ts'

/** Events of the API, and what they become. */

const P = 'anthropic-messages'
export const START = {
  type: 'message_start',
  message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [] },
}
export const STOP = { type: 'message_stop' }
export const started: ChatEvent = { type: 'response-start', id: 'msg_1', model: 'claude', createdAt: null }

export const blockStart = (index: number, block: object) => ({
  type: 'content_block_start',
  index,
  content_block: block,
})
export const blockDelta = (index: number, delta: object) => ({ type: 'content_block_delta', index, delta })
export const blockStop = (index: number) => ({ type: 'content_block_stop', index })
export const stopped = (reason: string | null, more: object = {}) => ({
  type: 'message_delta',
  delta: { stop_reason: reason, stop_sequence: null },
  ...more,
})
export const textBlock = (index: number, ...texts: readonly string[]) => [
  blockStart(index, { type: 'text', text: '' }),
  ...texts.map((text) => blockDelta(index, { type: 'text_delta', text })),
  blockStop(index),
]
export const toolStart = (index: number, more: object = {}) =>
  blockStart(index, { type: 'tool_use', id: 't_1', name: 'f', input: {}, ...more })
export const json = (index: number, text: string) => blockDelta(index, { type: 'input_json_delta', partial_json: text })
export const finish = (reason: string, raw: string | null, stopSequence: string | null = null) => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw,
  stopSequence,
})
export const opaque = (at: string, members: object) => ({ type: 'opaque', issuer: P, value: { at, members } })
