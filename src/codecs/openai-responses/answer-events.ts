import type { BlockHead, ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import { RESPONSES_USAGE, readOpenAiUsage } from '#codecs/openai-chat/usage.ts'
import { citationOf } from './annotations.ts'
import { type Members, PROTOCOL } from './members.ts'

/** A piece of an item that a block tells of: a content part, a part of a summary, the arguments of a call. */
export interface Piece {
  readonly head: BlockHead
  /** What was told of it. */
  text: string
  /** The block that tells of it now or did so last; -1 before. */
  block: number
  citationsCount: number
  hasLogprobs: boolean
}

export const newPiece = (head: BlockHead): Piece => ({
  head,
  text: '',
  block: -1,
  citationsCount: 0,
  hasLogprobs: false,
})

/**
 * The events of one answer, as far as they are known. Blocks never overlap: the next one ends the one before. A piece that is told
 * again later gets a new block for what is new of it.
 */
export class AnswerEvents {
  private events: ChatEvent[] = []
  private nextIndex = 0
  private openIndex = -1
  private isStarted = false

  /** What was added since the last call. */
  take(): ChatEvent[] {
    const { events } = this
    this.events = []
    return events
  }

  /** The answer's head; only the first one counts. */
  start(response: Members): void {
    if (this.isStarted) return
    this.isStarted = true
    const { id, model, created_at: created } = response
    this.events.push({
      type: 'response-start',
      id: typeof id === 'string' ? id : null,
      model: typeof model === 'string' ? model : null,
      createdAt: typeof created === 'number' ? Math.trunc(created) : null,
    })
  }

  isOpen(piece: Piece): boolean {
    return piece.block >= 0 && piece.block === this.openIndex
  }

  open(piece: Piece): void {
    piece.block = this.openBlock(piece.head)
  }

  /** More of a piece, whose block is opened if it is not. `startsPart` as in BlockDelta. */
  delta(piece: Piece, text: string, startsPart = false): void {
    if (text === '') return
    if (!this.isOpen(piece)) this.open(piece)
    piece.text += text
    const { openIndex: index } = this
    this.events.push(
      startsPart ? { type: 'block-delta', index, text, startsPart } : { type: 'block-delta', index, text },
    )
  }

  logprobs(piece: Piece, tokens: unknown): void {
    if (!Array.isArray(tokens) || tokens.length === 0) return
    if (!this.isOpen(piece)) this.open(piece)
    piece.hasLogprobs = true
    this.events.push({ type: 'block-logprobs', index: this.openIndex, tokens: tokens as unknown[] })
  }

  /** The next of a piece's annotations. */
  citation(piece: Piece, annotation: unknown): void {
    if (annotation === null || typeof annotation !== 'object') return
    if (!this.isOpen(piece)) this.open(piece)
    piece.citationsCount++
    this.events.push({ type: 'block-citation', index: this.openIndex, citation: citationOf(annotation) })
  }

  seal(piece: Piece, value: string): void {
    if (!this.isOpen(piece)) this.open(piece)
    const seal = { issuer: PROTOCOL, kind: 'encrypted', value } as const
    this.events.push({ type: 'block-seal', index: this.openIndex, seal })
  }

  /** A block that is complete at once. */
  whole(head: BlockHead): void {
    this.openBlock(head)
    this.closeBlock()
  }

  close(piece: Piece): void {
    if (this.isOpen(piece)) this.closeBlock()
  }

  closeBlock(): void {
    if (this.openIndex >= 0) this.events.push({ type: 'block-end', index: this.openIndex })
    this.openIndex = -1
  }

  /** What the response object that ends the answer tells besides its output. */
  report(response: Members): void {
    this.start(response)
    this.closeBlock()
    const told = response['usage']
    const usage = readOpenAiUsage(told, RESPONSES_USAGE)
    if (usage) this.events.push({ type: 'usage', usage, total: countOf(fieldsOf(told)['total_tokens']) })
    const more = upstreamMembers(response)
    if (more) this.events.push({ type: 'opaque', issuer: PROTOCOL, value: more })
  }

  /** The end. `incomplete` is the response's `incomplete_details`. */
  finish(status: string | null, incomplete: unknown, hasCalls: boolean): void {
    const detail = fieldsOf(incomplete)['reason']
    const reason = typeof detail === 'string' ? detail : null
    this.events.push({
      type: 'finish',
      candidate: 0,
      reason: finishReason(status, reason, hasCalls),
      raw: status === 'incomplete' && reason !== null ? `incomplete:${reason}` : status,
      stopSequence: null,
    })
  }

  private openBlock(block: BlockHead): number {
    this.closeBlock()
    this.start({})
    this.openIndex = this.nextIndex++
    this.events.push({ type: 'block-start', index: this.openIndex, candidate: 0, block })
    return this.openIndex
  }
}

function finishReason(status: string | null, detail: string | null, hasCalls: boolean): FinishReason {
  if (status === 'incomplete') return detail === 'content_filter' ? 'content-filter' : 'length'
  // A background response that has not been made yet is no answer.
  if (status === 'queued' || status === 'in_progress') return 'error'
  return hasCalls ? 'tool-calls' : 'stop'
}

/** What the response object repeats of the request, and what has a place in the events. */
const REPEATED = new Set([
  'id',
  'object',
  'created_at',
  'status',
  'model',
  'output',
  'output_text',
  'usage',
  'error',
  'incomplete_details',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'metadata',
  'store',
  'background',
  'conversation',
  'prompt',
  'previous_response_id',
  'max_output_tokens',
  'prompt_cache_key',
  'safety_identifier',
  'user',
  'truncation',
])

/** What the upstream tells of its own: the tier it used, when it was done, the sampling it fell back to. */
function upstreamMembers(response: Members): Members | null {
  let members: Record<string, unknown> | null = null
  for (const [name, value] of Object.entries(response)) {
    if (REPEATED.has(name) || value === null) continue
    members ??= {}
    members[name] = value
  }
  return members
}
