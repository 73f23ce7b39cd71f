import type { Block, MediaBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { ChatRequest, FunctionTool, Turn } from '#ir/chat-request.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'

/** Requests for tests: everything that is not said is absent. */
export function requestOf(some: Partial<ChatRequest>): ChatRequest {
  return { ...BLANK_REQUEST, ...some }
}

export const turn = (role: Turn['role'], ...blocks: Block[]): Turn => ({ role, blocks, path: '' })

export const say = (text: string): Block => ({ type: 'text', path: '', text })

export const call = (name: string, text: string): ToolCallBlock => ({
  type: 'tool-call',
  path: '',
  id: null,
  name,
  arguments: text,
  kind: 'function',
})

export const answer = (...content: Block[]): ToolResultBlock => ({
  type: 'tool-result',
  path: '',
  callId: null,
  name: null,
  content,
  isError: null,
  kind: 'function',
})

export const media = (kind: MediaBlock['kind'], source: MediaBlock['source'], more: object = {}): MediaBlock => ({
  type: 'media',
  path: '',
  kind,
  source,
  ...more,
})

export const declare = (name: string): FunctionTool => ({
  type: 'function',
  path: '',
  name,
  description: null,
  schema: null,
  strict: null,
})
