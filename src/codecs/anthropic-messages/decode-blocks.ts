import { invalidArguments } from '#codecs/argument-object.ts'
import type { Block, ReasoningBlock, Seal, TextBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import { type CarriedSeal, openEnvelope } from '#codecs/seal-envelope.ts'
import { cacheControlOf, decodeMedia, decodeSearchResult } from './decode-media.ts'
import {
  isObject,
  malformed,
  type Members,
  ownExt,
  PROTOCOL,
  readCitation,
  restOf,
  stringOrNull,
  textAt,
} from './members.ts'

const TEXT = new Set(['type', 'text', 'citations', 'cache_control'])
const TOOL_USE = new Set(['type', 'id', 'name', 'input', 'cache_control'])
const TOOL_RESULT = new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control'])
const THINKING = new Set(['type', 'thinking', 'signature'])
const REDACTED = new Set(['type', 'data'])

/** The blocks of a content that is a string, blocks, or nothing. `path` is a JSON pointer, `param` the API's own way to say it. */
export function decodeContent(content: unknown, path: string, param: string): Block[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return [{ type: 'text', text: content, path }]
  if (!Array.isArray(content)) throw malformed(param, 'must be a string or an array of content blocks')
  const reader = new ContentReader()
  content.forEach((block, index) => reader.read(block, `${path}/${index}`, `${param}.${index}`))
  return reader.finish()
}

export function decodeText(members: Members, path: string, param: string): TextBlock {
  const { citations } = members
  const isList = Array.isArray(citations)
  const rest = restOf(members, TEXT)
  return {
    type: 'text',
    text: textAt(members, 'text', param),
    path,
    ...(isList ? { citations: citations.map(readCitation) } : {}),
    ...cacheControlOf(members),
    ...ownExt(isList || citations === undefined ? rest : { ...rest, citations }),
  }
}

/** Reads the blocks of one content in order: the seals of other protocols stand beside the blocks that they belong to. */
class ContentReader {
  private readonly blocks: Block[] = []
  /** A seal for the next tool call, and where it stood. */
  private waiting: { readonly seal: Seal; readonly path: string } | null = null

  read(value: unknown, path: string, param: string): void {
    if (!isObject(value)) throw malformed(param, 'must be an object')
    switch (value['type']) {
      case 'thinking':
        this.readThinking(value, path, param)
        break
      case 'redacted_thinking':
        this.readRedacted(value, path, param)
        break
      case 'tool_use':
        this.blocks.push(this.sealed(decodeToolUse(value, path, param)))
        break
      default:
        this.blocks.push(decodeBlock(value, path, param))
    }
  }

  finish(): Block[] {
    this.release()
    return this.blocks
  }

  private readThinking(members: Members, path: string, param: string): void {
    const { signature } = members
    const text = members['thinking'] === undefined ? '' : textAt(members, 'thinking', param)
    const carried = typeof signature === 'string' ? openEnvelope(signature) : null
    if (carried !== null) {
      // An empty envelope stands for reasoning that nobody signed.
      if (carried.length === 0) this.blocks.push({ type: 'reasoning', text, seal: null, id: null, path })
      this.place(carried, path, text)
      return
    }
    const isSigned = typeof signature === 'string' && signature !== ''
    const rest = restOf(members, THINKING)
    const seal: Seal | null = isSigned ? { issuer: PROTOCOL, kind: 'signature', value: signature } : null
    const block: ReasoningBlock = { type: 'reasoning', text, seal, id: null, path, ...ownExt(rest) }
    // Without a signature nothing else says that the text is this protocol's own: its client sent it so, and gets it so.
    this.blocks.push(
      isSigned ? block : { ...block, ext: { [PROTOCOL]: signature === undefined ? rest : { ...rest, signature } } },
    )
  }

  private readRedacted(members: Members, path: string, param: string): void {
    const data = textAt(members, 'data', param)
    const carried = openEnvelope(data)
    if (carried !== null) {
      this.place(carried, path)
      return
    }
    const seal: Seal = { issuer: PROTOCOL, kind: 'encrypted', value: data }
    this.blocks.push({ type: 'reasoning', text: '', seal, id: null, path, ...ownExt(restOf(members, REDACTED)) })
  }

  private place(carried: readonly CarriedSeal[], path: string, visible?: string): void {
    let text = visible
    for (const { seal, place, text: own, id } of carried) {
      switch (place) {
        case 'reasoning':
          this.blocks.push({ type: 'reasoning', text: text ?? own ?? '', seal, id: id ?? null, path })
          text = undefined
          break
        case 'tool-call':
          this.release()
          this.waiting = { seal, path }
          break
        case 'text':
          this.sealText(seal, own, path)
          break
        default: {
          const missed: never = place
          throw new Error(`unknown place ${String(missed)}`)
        }
      }
    }
    if (text !== undefined && text !== '') this.blocks.push({ type: 'reasoning', text, seal: null, id: null, path })
  }

  /** The seal of the text before it; one that was told with an empty text had a block of its own. */
  private sealText(seal: Seal, text: string | undefined, path: string): void {
    const last = this.blocks.at(-1)
    const isOpen = last?.type === 'text' && last.seal === undefined
    if (isOpen && (text === undefined || text === last.text)) this.blocks[this.blocks.length - 1] = { ...last, seal }
    else if (isOpen && text && last.text.endsWith(text)) {
      // The client was shown one text: only its end was signed.
      this.blocks[this.blocks.length - 1] = { ...last, text: last.text.slice(0, -text.length) }
      this.blocks.push({ type: 'text', text, seal, path })
    } else this.blocks.push({ type: 'text', text: text ?? '', seal, path })
  }

  private sealed(call: ToolCallBlock): ToolCallBlock {
    if (this.waiting === null) return call
    const { seal } = this.waiting
    this.waiting = null
    return { ...call, seal }
  }

  /** A seal whose call is gone is kept as reasoning without text. */
  private release(): void {
    if (this.waiting !== null) this.blocks.push({ type: 'reasoning', text: '', id: null, ...this.waiting })
    this.waiting = null
  }
}

function decodeBlock(members: Members, path: string, param: string): Block {
  switch (members['type']) {
    case 'text':
      return decodeText(members, path, param)
    case 'image':
      return decodeMedia(members, 'image', path, param) ?? opaque(members, path)
    case 'document':
      return decodeMedia(members, 'document', path, param) ?? opaque(members, path)
    case 'search_result':
      return decodeSearchResult(members, path)
    case 'tool_result':
      return decodeToolResult(members, path, param)
    default:
      if (typeof members['type'] !== 'string') throw malformed(`${param}.type`, 'must be a string')
      return opaque(members, path)
  }
}

function opaque(members: Members, path: string): Block {
  return { type: 'opaque', issuer: PROTOCOL, value: members, path }
}

function decodeToolUse(members: Members, path: string, param: string): ToolCallBlock {
  return {
    type: 'tool-call',
    id: textAt(members, 'id', param),
    name: textAt(members, 'name', param),
    arguments: argumentsOf(members['input']),
    kind: 'function',
    path,
    ...cacheControlOf(members),
    ...ownExt(restOf(members, TOOL_USE)),
  }
}

/** The text of a call's arguments. What once stood in for invalid JSON is that text again. */
function argumentsOf(input: unknown): string {
  if (input === undefined || input === null) return ''
  if (isObject(input)) {
    const text = invalidArguments(input)
    if (text !== null) return text
  }
  return JSON.stringify(input)
}

function decodeToolResult(members: Members, path: string, param: string): ToolResultBlock {
  const { content, is_error: isError } = members
  const rest = restOf(members, TOOL_RESULT)
  return {
    type: 'tool-result',
    callId: textAt(members, 'tool_use_id', param),
    name: null,
    content: decodeContent(content, `${path}/content`, `${param}.content`),
    isError: typeof isError === 'boolean' ? isError : null,
    kind: 'function',
    path,
    ...cacheControlOf(members),
    ...ownExt(Array.isArray(content) && content.length === 0 ? { ...rest, content } : rest),
  }
}

/** The text blocks of a system prompt. */
export function decodeSystem(system: unknown): TextBlock[] {
  if (system === undefined || system === null) return []
  if (typeof system === 'string') return [{ type: 'text', text: system, path: '/system' }]
  if (!Array.isArray(system)) throw malformed('system', 'must be a string or an array of text blocks')
  return system.map((block: unknown, index) => {
    if (!isObject(block) || stringOrNull(block['type'] ?? 'text') !== 'text')
      throw malformed(`system.${index}`, 'must be a text block')
    return decodeText(block, `/system/${index}`, `system.${index}`)
  })
}
