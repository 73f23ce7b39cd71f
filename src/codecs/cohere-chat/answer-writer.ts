import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import { isRecord, type Members } from '#codecs/openai-chat/members.ts'
import type { Citation } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { readCohereUsage } from './usage.ts'

/** How an answer becomes events: one candidate, one block at a time. Streamed and whole answers share it. */
export class AnswerWriter {
  failure: Failure | null = null
  private events: ChatEvent[] = []
  private started = false
  private index = -1
  private openKind: BlockHead['type'] | null = null
  private finish: { readonly reason: FinishReason; readonly raw: string } | null = null

  /** What was written since the last time. */
  take(): readonly ChatEvent[] {
    const { events } = this
    this.events = []
    return events
  }

  start(id: unknown): void {
    if (this.started) return
    this.started = true
    this.events.push({
      type: 'response-start',
      id: typeof id === 'string' && id !== '' ? id : null,
      model: null,
      createdAt: null,
    })
  }

  /** Opens a block; what was open is closed. */
  open(block: BlockHead): void {
    this.close()
    this.start(null)
    this.index++
    this.openKind = block.type
    this.events.push({ type: 'block-start', index: this.index, candidate: 0, block })
  }

  /** More of a text or of reasoning, which begins with it where none is open. */
  say(type: 'text' | 'reasoning', text: unknown): void {
    if (typeof text !== 'string' || text === '') return
    if (this.openKind !== type) this.open(type === 'text' ? { type } : { type, id: null, isSummary: false })
    this.delta(text)
  }

  call(call: Members): void {
    const { id } = call
    const { name, arguments: text } = fieldsOf(call['function'])
    this.open({
      type: 'tool-call',
      id: typeof id === 'string' && id !== '' ? id : null,
      name: typeof name === 'string' ? name : '',
      kind: 'function',
    })
    this.argue(text)
  }

  /** More of the arguments of the open call. */
  argue(text: unknown): void {
    if (typeof text !== 'string' || text === '') return
    if (this.openKind === 'tool-call') this.delta(text)
    else this.fail('arguments of a tool call that is not open')
  }

  /** A source of the open text. */
  cite(value: unknown): void {
    if (this.openKind === 'text' && isRecord(value))
      this.events.push({ type: 'block-citation', index: this.index, citation: citationOf(value) })
    else this.opaque({ citations: value })
  }

  close(): void {
    if (this.openKind === null) return
    this.openKind = null
    this.events.push({ type: 'block-end', index: this.index })
  }

  opaque(value: Members): void {
    this.start(null)
    this.events.push({ type: 'opaque', issuer: 'cohere-chat', value })
  }

  usage(value: unknown): void {
    const usage = readCohereUsage(value)
    if (!usage) return
    this.start(null)
    this.events.push({ type: 'usage', usage, total: null })
  }

  /** Keeps the finish until no block can follow any more. `error`: what a stream says that broke off. */
  stop(word: unknown, error?: unknown): void {
    const raw = typeof word === 'string' ? word : ''
    const reason = REASONS.get(raw) ?? 'stop'
    if (reason === 'error') {
      const message = typeof error === 'string' && error !== '' ? error : `The upstream ended its answer with ${raw}.`
      this.failure ??= failureOf(200, { message })
    } else this.finish = { reason, raw }
  }

  fail(what: string): void {
    const message = `The upstream sent ${what}.`
    this.failure ??= { status: 502, code: 'upstream_bad_response', message }
  }

  failWith(value: unknown): void {
    this.failure ??= failureOf(200, value)
  }

  end(): void {
    this.close()
    if (!this.finish) return
    const { reason, raw } = this.finish
    this.finish = null
    this.start(null)
    this.events.push({ type: 'finish', candidate: 0, reason, raw: raw === '' ? null : raw, stopSequence: null })
  }

  private delta(text: string): void {
    this.events.push({ type: 'block-delta', index: this.index, text })
  }
}

/** Source: Cohere's reference of `finish_reason`; `ERROR_LIMIT` is a full context window. A word that is new means `stop`. */
const REASONS: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ['COMPLETE', 'stop'],
  ['STOP_SEQUENCE', 'stop'],
  ['TOOL_CALL', 'tool-calls'],
  ['MAX_TOKENS', 'length'],
  ['ERROR_LIMIT', 'length'],
  ['ERROR_TOXIC', 'content-filter'],
  ['ERROR', 'error'],
  ['TIMEOUT', 'error'],
])

/** One span of the text with all of its sources: the first one that has an address or a title stands for them. */
function citationOf(value: Members): Citation {
  const { start, end, sources } = value
  const documents = (Array.isArray(sources) ? sources : []).map((source) => fieldsOf(fieldsOf(source)['document']))
  const url = documents.map((document) => document['url']).find((each) => typeof each === 'string' && WEB.test(each))
  const title = documents.map((document) => document['title']).find((each) => typeof each === 'string')
  const cited = documents.map((document) => document['text']).find((each) => typeof each === 'string')
  return {
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(typeof cited === 'string' ? { citedText: cited } : {}),
    ...(typeof start === 'number' ? { startIndex: start } : {}),
    ...(typeof end === 'number' ? { endIndex: end } : {}),
    native: { issuer: 'cohere-chat', value },
  }
}

const WEB = /^https?:/i
