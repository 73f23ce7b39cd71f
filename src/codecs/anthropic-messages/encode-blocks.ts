import { argumentObject, invalidArguments } from '#codecs/argument-object.ts'
import type { Block, ReasoningBlock, TextBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import { encodeMedia } from './encode-media.ts'
import type { Encoding } from './encoding.ts'
import { isObject, type Members, nativeCitation, ownMembers, PROTOCOL } from './members.ts'
import { ConversationToolIds } from './tool-ids.ts'

/** One reason for all reasoning that its issuer alone may see again (B3). */
export const FOREIGN_REASONING = 'foreign_reasoning'

/** A block of the API, and the path of the client's block that it says. */
export interface Encoded {
  readonly value: Members
  readonly path: string
}

/** Writes the blocks of one conversation, in the order of its turns. */
export class BlockEncoder {
  private readonly encoding: Encoding
  private readonly toolIds = new ConversationToolIds()

  constructor(encoding: Encoding) {
    this.encoding = encoding
  }

  /** The API's form of a block; null for one that is left out. */
  encode(block: Block, isAssistant: boolean): Encoded | null {
    const { encoding } = this
    const value = this.valueOf(block, isAssistant)
    // The media of an answer is told as lost with its block.
    if (block.type !== 'opaque') encoding.loseForeign(block, block.path)
    if (value === null) return null
    const { cacheControl } = block
    const cached = cacheControl === undefined ? value : { ...value, cache_control: cacheControl }
    return { value: { ...cached, ...ownMembers(block) }, path: block.path }
  }

  private valueOf(block: Block, isAssistant: boolean): Members | null {
    const { losses } = this.encoding
    switch (block.type) {
      case 'text':
        return this.text(block)
      case 'refusal':
        return isBlank(block.text) ? null : { type: 'text', text: block.text }
      case 'media':
        if (!isAssistant) return encodeMedia(block, this.encoding)
        losses.dropped(block.path, 'an assistant turn of the Messages API holds no media')
        return null
      case 'reasoning':
        return this.reasoning(block)
      case 'tool-call':
        return this.toolCall(block)
      case 'tool-result':
        return this.toolResult(block)
      case 'opaque':
        if (block.issuer === PROTOCOL && isObject(block.value)) return block.value
        losses.dropped(block.path, `means something to ${block.issuer} alone`)
        return null
      default: {
        const missed: never = block
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  /** The API refuses text blocks without a visible character. */
  text(block: TextBlock): Members | null {
    const { text, citations, seal, path } = block
    const { losses } = this.encoding
    if (seal !== undefined) losses.dropped(path, FOREIGN_REASONING)
    if (isBlank(text)) {
      if (text !== '') losses.dropped(path, 'the Messages API refuses text of white space alone')
      if (block.cacheControl !== undefined) losses.dropped(path, 'a cache breakpoint cannot stand on empty text')
      return null
    }
    const native = (citations ?? []).map(nativeCitation).filter((citation) => citation !== null)
    const lost = (citations?.length ?? 0) - native.length
    if (lost > 0) losses.dropped(path, 'the Messages API takes no citations of other origin')
    const isTold = citations !== undefined && lost === 0
    return { type: 'text', text, ...(isTold || native.length > 0 ? { citations: native } : {}) }
  }

  private reasoning(block: ReasoningBlock): Members | null {
    const { seal, text } = block
    if (seal?.issuer === PROTOCOL) {
      return seal.kind === 'encrypted'
        ? { type: 'redacted_thinking', data: seal.value }
        : { type: 'thinking', thinking: text, signature: seal.value }
    }
    // A client of this protocol sent it unsigned, with an upstream of its own kind in mind.
    if (seal === null && ownMembers(block) !== undefined) return { type: 'thinking', thinking: text }
    this.encoding.losses.dropped(block.path, FOREIGN_REASONING)
    return null
  }

  private toolCall(block: ToolCallBlock): Members {
    const { losses } = this.encoding
    if (block.seal !== undefined) losses.dropped(block.path, FOREIGN_REASONING)
    const input = block.kind === 'custom' ? { input: block.arguments } : argumentObject(block.arguments)
    if (block.kind === 'function' && invalidArguments(input) !== null)
      losses.emulated(block.path, 'arguments that are no JSON object are told inside one')
    return { type: 'tool_use', id: this.toolIds.forCall(block), name: block.name, input }
  }

  private toolResult(block: ToolResultBlock): Members {
    const { isError } = block
    return {
      type: 'tool_result',
      tool_use_id: this.toolIds.forResult(block),
      ...this.resultContent(block),
      ...(isError === null ? {} : { is_error: isError }),
    }
  }

  private resultContent({ content }: ToolResultBlock): { content?: unknown } {
    const only = content.length === 1 ? content[0]! : null
    if (only?.type === 'text' && isWholeText(only)) return { content: only.text }
    const blocks: Members[] = []
    for (const block of content) {
      // Here white space is a result like any other.
      const isKept = block.type === 'text' && block.text !== '' && isBlank(block.text)
      const encoded = isKept ? { value: { type: 'text', text: block.text } } : this.encode(block, false)
      if (encoded !== null) blocks.push(encoded.value)
    }
    return blocks.length === 0 ? {} : { content: blocks }
  }
}

export function isBlank(text: string): boolean {
  return text.trim() === ''
}

/** Whether a text was the whole content in the client's body rather than one block of it, and says nothing else. */
export function isWholeText(block: TextBlock): boolean {
  if (block.cacheControl !== undefined || block.citations !== undefined || block.seal !== undefined) return false
  return block.ext === undefined && !ELEMENT.test(block.path)
}

/** The path of an element of an array. */
const ELEMENT = /\/\d+$/
