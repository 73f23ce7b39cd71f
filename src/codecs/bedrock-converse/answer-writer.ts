import type { Citation, Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { type Fields, without } from './fields.ts'
import { readConverseUsage } from './usage.ts'

/** How the answer of this protocol becomes events: one candidate, one block at a time. Streamed and whole answers share it. */
export class AnswerWriter {
  private events: ChatEvent[] = []
  private started = false
  private index = -1
  private isOpen = false
  private clientCalls = 0
  private finish: { readonly word: string; readonly stopSequence: string | null } | null = null

  /** What was written since the last time. */
  take(): readonly ChatEvent[] {
    const { events } = this
    this.events = []
    return events
  }

  start(): void {
    if (this.started) return
    this.started = true
    this.events.push({ type: 'response-start', id: null, model: null, createdAt: null })
  }

  /** Opens a block; the one before must be closed. */
  open(block: BlockHead): void {
    this.start()
    this.index++
    this.isOpen = true
    if (block.type === 'tool-call') this.clientCalls++
    this.events.push({ type: 'block-start', index: this.index, candidate: 0, block })
  }

  delta(text: string): void {
    if (text !== '') this.events.push({ type: 'block-delta', index: this.index, text })
  }

  cite(value: unknown): void {
    this.events.push({ type: 'block-citation', index: this.index, citation: citationOf(value) })
  }

  seal(kind: Seal['kind'], value: string): void {
    this.events.push({ type: 'block-seal', index: this.index, seal: { issuer: 'bedrock-converse', kind, value } })
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.events.push({ type: 'block-end', index: this.index })
  }

  /** A block that is complete at once. */
  whole(block: BlockHead): void {
    this.open(block)
    this.close()
  }

  openCall({ toolUseId, name }: Fields): void {
    this.open({
      type: 'tool-call',
      id: typeof toolUseId === 'string' ? toolUseId : null,
      name: typeof name === 'string' ? name : '',
      kind: 'function',
    })
  }

  opaque(value: unknown): void {
    this.start()
    this.events.push({ type: 'opaque', issuer: 'bedrock-converse', value })
  }

  /** What an answer tells beside its content: guardrail traces, metrics, tiers. */
  rest(fields: Fields, known: readonly string[]): void {
    const rest = without(fields, known)
    if (Object.keys(rest).length > 0) this.opaque(rest)
  }

  usage(value: unknown): void {
    const report = readConverseUsage(value)
    if (!report) return
    this.start()
    this.events.push({ type: 'usage', ...report })
  }

  /** Keeps the finish until no block can follow any more. */
  stop(word: unknown, modelFields: unknown): void {
    const stopSequence = fieldsOf(modelFields)['stop_sequence']
    this.finish = {
      word: typeof word === 'string' ? word : '',
      stopSequence: typeof stopSequence === 'string' ? stopSequence : null,
    }
  }

  end(): void {
    this.close()
    if (!this.finish) return
    const { word, stopSequence } = this.finish
    this.finish = null
    this.start()
    const reason = reasonOf(word, this.clientCalls > 0)
    this.events.push({ type: 'finish', candidate: 0, reason, raw: word === '' ? null : word, stopSequence })
  }
}

const REASONS: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['guardrail_intervened', 'content-filter'],
  ['content_filtered', 'content-filter'],
  ['refusal', 'content-filter'],
  ['malformed_model_output', 'error'],
  ['malformed_tool_use', 'error'],
])

/** A call of a tool that the provider runs itself also says `tool_use`, but leaves the client nothing to do. */
function reasonOf(word: string, hasClientCalls: boolean): FinishReason {
  return REASONS.get(word) ?? (hasClientCalls ? 'tool-calls' : 'stop')
}

/** Converse tells where in the source a citation stands, not where in the answer: that is the block it belongs to. */
function citationOf(value: unknown): Citation {
  const { title, source, sourceContent, location } = fieldsOf(value)
  const url = fieldsOf(fieldsOf(location)['web'])['url'] ?? source
  const citedText = (Array.isArray(sourceContent) ? sourceContent : [])
    .map((content) => fieldsOf(content)['text'])
    .filter((text) => typeof text === 'string')
    .join('')
  return {
    ...(typeof url === 'string' && /^https?:/i.test(url) ? { url } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(citedText === '' ? {} : { citedText }),
    native: { issuer: 'bedrock-converse', value },
  }
}
