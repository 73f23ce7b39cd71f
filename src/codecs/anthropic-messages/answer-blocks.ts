import { parseFaithfulJson } from '#base/exact-json.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import { pushMembers } from './answer-members.ts'
import { isObject, type Members, PROTOCOL, readCitation, restOf, stringOrNull } from './members.ts'

const TEXT = new Set(['type', 'text', 'citations'])
const THINKING = new Set(['type', 'thinking', 'signature'])
const REDACTED = new Set(['type', 'data'])
const TOOL_USE = new Set(['type', 'id', 'name', 'input'])

type Kind = 'text' | 'thinking' | 'redacted' | 'tool' | 'opaque'

/**
 * Turns the content blocks of an answer into events, one block after the other. A block that is not known to the neutral
 * form is gathered and told at its end, as it stands then.
 */
export class AnswerBlocks {
  /** Whether the model called tools that the client runs. */
  hasToolCalls = false
  /** The API's index of the open block, or -1. */
  private openIndex = -1
  private kind: Kind = 'opaque'
  private nextIndex = 0
  private index = -1
  private signature = ''
  /** What a block of a tool says of its input before its deltas, which overrule it. */
  private input: unknown = null
  private hasDelta = false
  private value: Record<string, unknown> = {}
  private json = ''

  /** Whether the API's index is that of the open block. Where none is told, the open one is meant. */
  isOpen(theirIndex: unknown): boolean {
    return this.openIndex >= 0 && (theirIndex === this.openIndex || typeof theirIndex !== 'number')
  }

  /** Starts a block; the one before it ends. */
  start(into: ChatEvent[], theirIndex: unknown, block: Members): void {
    this.end(into)
    this.openIndex = typeof theirIndex === 'number' && theirIndex >= 0 ? theirIndex : 0
    this.hasDelta = false
    this.signature = ''
    this.json = ''
    switch (block['type']) {
      case 'text':
        this.open(into, 'text', { type: 'text' }, block, TEXT)
        this.addText(into, block['text'])
        this.addCitations(into, block['citations'])
        break
      case 'thinking':
        this.open(into, 'thinking', { type: 'reasoning', id: null, isSummary: false }, block, THINKING)
        this.addText(into, block['thinking'])
        this.signature = stringOrNull(block['signature']) ?? ''
        break
      case 'redacted_thinking':
        this.open(into, 'redacted', { type: 'reasoning', id: null, isSummary: false }, block, REDACTED)
        this.signature = stringOrNull(block['data']) ?? ''
        break
      case 'tool_use':
        this.hasToolCalls = true
        this.input = block['input']
        this.open(into, 'tool', toolHead(block), block, TOOL_USE)
        break
      default:
        this.kind = 'opaque'
        this.value = { ...block }
    }
  }

  /** More of the text, the reasoning or the arguments. False when the open block has no place for it. */
  addDelta(into: ChatEvent[], type: unknown, delta: Members): boolean {
    if (this.kind === 'opaque') return this.addToValue(type, delta)
    switch (type) {
      case 'text_delta':
        if (this.kind !== 'text') return false
        this.addText(into, delta['text'])
        return true
      case 'thinking_delta':
        if (this.kind !== 'thinking') return false
        this.addText(into, delta['thinking'])
        return true
      case 'input_json_delta':
        if (this.kind !== 'tool') return false
        this.addText(into, delta['partial_json'])
        return true
      case 'signature_delta':
        // The last one counts, as in the official SDKs.
        this.signature = stringOrNull(delta['signature']) ?? ''
        return this.kind === 'thinking'
      case 'citations_delta':
        if (this.kind !== 'text') return false
        this.addCitations(into, [delta['citation']])
        return true
      default:
        // What a later version says of a block that is known cannot change what the block is.
        return true
    }
  }

  end(into: ChatEvent[]): void {
    if (this.openIndex < 0) return
    this.openIndex = -1
    if (this.kind === 'opaque') {
      this.endValue(into)
      return
    }
    const { index } = this
    if (this.kind === 'tool' && !this.hasDelta) this.addText(into, argumentsOf(this.input))
    if (this.signature !== '') {
      const kind = this.kind === 'redacted' ? 'encrypted' : 'signature'
      into.push({ type: 'block-seal', index, seal: { issuer: PROTOCOL, kind, value: this.signature } })
    }
    into.push({ type: 'block-end', index })
  }

  private open(into: ChatEvent[], kind: Kind, head: BlockHead, block: Members, known: ReadonlySet<string>): void {
    this.kind = kind
    this.index = this.nextIndex++
    const rest = restOf(block, known)
    const { citations } = block
    const isList = Array.isArray(citations) && citations.length > 0
    pushMembers(into, 'content_block', citations === undefined || isList ? rest : { ...rest, citations })
    into.push({ type: 'block-start', index: this.index, candidate: 0, block: head })
  }

  private addText(into: ChatEvent[], text: unknown): void {
    if (typeof text !== 'string' || text === '') return
    this.hasDelta = true
    into.push({ type: 'block-delta', index: this.index, text })
  }

  private addCitations(into: ChatEvent[], citations: unknown): void {
    if (!Array.isArray(citations)) return
    for (const citation of citations)
      into.push({ type: 'block-citation', index: this.index, citation: readCitation(citation) })
  }

  /** The deltas of a block that nobody here knows: what they say is put where the API would have it in a whole answer. */
  private addToValue(type: unknown, delta: Members): boolean {
    const { value } = this
    switch (type) {
      case 'input_json_delta':
        this.json += stringOrNull(delta['partial_json']) ?? ''
        break
      case 'citations_delta':
        value['citations'] = [...(Array.isArray(value['citations']) ? value['citations'] : []), delta['citation']]
        break
      case 'compaction_delta':
        for (const name of Object.keys(delta)) if (name !== 'type') value[name] = delta[name]
        break
      default:
        for (const name of Object.keys(delta)) {
          const before = value[name]
          const more = delta[name]
          if (name !== 'type')
            value[name] = typeof before === 'string' && typeof more === 'string' ? before + more : more
        }
    }
    return true
  }

  private endValue(into: ChatEvent[]): void {
    const { value, json } = this
    if (json !== '') value['input'] = parseOr(json)
    const index = this.nextIndex++
    into.push({ type: 'block-start', index, candidate: 0, block: { type: 'opaque', issuer: PROTOCOL, value } })
    into.push({ type: 'block-end', index })
  }
}

function toolHead(block: Members): BlockHead {
  return {
    type: 'tool-call',
    id: stringOrNull(block['id']),
    name: stringOrNull(block['name']) ?? '',
    kind: 'function',
  }
}

/** An empty object is what every streamed call starts with: it says nothing. */
function argumentsOf(input: unknown): string {
  if (typeof input === 'string') return input
  if (input === undefined || input === null || (isObject(input) && Object.keys(input).length === 0)) return ''
  return JSON.stringify(input)
}

/** The value of a JSON text; the text itself when it is none. */
function parseOr(text: string): unknown {
  try {
    return parseFaithfulJson(text)
  } catch {
    return text
  }
}
