import type { Block } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import { BlockEncoder, type Encoded, isWholeText } from './encode-blocks.ts'
import type { Encoding } from './encoding.ts'
import { type Members, ownMembers } from './members.ts'

export interface EncodedTurns {
  /** Text blocks of the system prompt, or its text. */
  readonly system: readonly Members[] | string | null
  /** Whether reasoning with a budget may be on: the API then demands that a tool loop which is not over began with its own. */
  canThink(): boolean
  messages(): Members[]
}

interface Message {
  readonly role: string
  readonly content: Encoded[]
  /** Whether the content was one text that stood for itself. */
  readonly isWhole: boolean
  readonly members: Members | undefined
}

/** Writes the system prompt and the turns. */
export function encodeTurns(encoding: Encoding, extraSystem: string | null): EncodedTurns {
  const blocks = new BlockEncoder(encoding)
  const { request, isOwn, losses } = encoding
  const system = new SystemText(encoding, blocks)
  for (const block of request.instructions) system.add(block)
  const messages: Message[] = []
  for (const turn of request.turns) {
    loseTurn(turn, encoding)
    if (!isOwn && isSystem(turn)) {
      if (messages.length > 0) losses.rewritten(turn.path, 'system text has one place, before all turns')
      for (const block of turn.blocks) system.add(block)
      continue
    }
    addTurn(turn, messages, blocks, isOwn)
  }
  if (extraSystem !== null) system.addText(extraSystem)
  const filled = isOwn ? messages : mergeRoles(messages.filter(({ content }) => content.length > 0))
  for (const message of filled) if (!isOwn && message.role === 'user') putResultsFirst(message, encoding)
  trimPrefill(filled.at(-1), encoding)
  return {
    system: system.value(),
    canThink: () => beginsLoopWithThinking(filled, encoding),
    messages: () => filled.map(messageOf),
  }
}

function isSystem({ role }: Turn): boolean {
  return role === 'system' || role === 'developer'
}

function loseTurn(turn: Turn, encoding: Encoding): void {
  if (turn.name !== undefined) encoding.losses.dropped(`${turn.path}/name`, 'turns of the Messages API have no name')
  encoding.loseForeign(turn, turn.path)
}

function addTurn(turn: Turn, messages: Message[], blocks: BlockEncoder, isOwn: boolean): void {
  const role = turn.role === 'tool' ? 'user' : turn.role
  const content: Encoded[] = []
  for (const block of turn.blocks) {
    const encoded = blocks.encode(block, role === 'assistant')
    if (encoded !== null) content.push(encoded)
  }
  // A turn whose blocks were all left out says nothing any more.
  if (content.length === 0 && (!isOwn || turn.blocks.length > 0)) return
  const only = turn.blocks.length === 1 ? turn.blocks[0]! : null
  const isWhole = only?.type === 'text' && isWholeText(only)
  messages.push({ role, content, isWhole, members: ownMembers(turn) })
}

/** Turns of one role that follow each other are one to the API, and so are the results of parallel calls. */
function mergeRoles(messages: readonly Message[]): Message[] {
  const merged: Message[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last?.role === message.role) last.content.push(...message.content)
    else merged.push(message)
  }
  return merged
}

/** A user's turn that answers calls has to begin with the answers. */
function putResultsFirst(message: Message, { losses }: Encoding): void {
  const { content } = message
  const results = content.filter(isResult)
  if (results.every((result, index) => content[index] === result)) return
  losses.rewritten(content[0]!.path, 'tool results stand first in their turn')
  content.splice(0, content.length, ...results, ...content.filter((block) => !isResult(block)))
}

function isResult({ value }: Encoded): boolean {
  return value['type'] === 'tool_result'
}

/** The API refuses an answer that is begun with white space at its end. */
function trimPrefill(message: Message | undefined, { losses }: Encoding): void {
  const last = message?.content.at(-1)
  if (message?.role !== 'assistant' || last === undefined || last.value['type'] !== 'text') return
  const text = String(last.value['text'])
  const trimmed = text.trimEnd()
  if (trimmed === text) return
  losses.rewritten(last.path, 'the begun answer cannot end in white space')
  message.content[message.content.length - 1] = { ...last, value: { ...last.value, text: trimmed } }
}

function messageOf({ role, content, isWhole, members }: Message): Members {
  const values = content.map(({ value }) => value)
  const isText = isWhole && values.length === 1
  if (values.length === 0) return { role, ...members }
  return { role, content: isText ? values[0]!['text'] : values, ...members }
}

/**
 * A tool loop goes from the user's last words to the end. Where the API's own reasoning is in the turn that began it but not
 * at its front, because turns were merged, it is put there.
 */
function beginsLoopWithThinking(messages: readonly Message[], encoding: Encoding): boolean {
  let first = messages.length
  while (first >= 2 && messages[first - 1]!.role === 'user' && messages[first - 1]!.content.some(isResult)) first -= 2
  const opener = messages[first]
  if (opener?.role !== 'assistant') return true
  const { content } = opener
  if (isThinking(content[0]!)) return true
  const reasoning = content.filter(isThinking)
  if (reasoning.length === 0) return false
  encoding.losses.rewritten(reasoning[0]!.path, 'reasoning stands first in its turn')
  content.splice(0, content.length, ...reasoning, ...content.filter((block) => !isThinking(block)))
  return true
}

function isThinking({ value }: Encoded): boolean {
  return value['type'] === 'thinking' || value['type'] === 'redacted_thinking'
}

/** Gathers the system prompt. */
class SystemText {
  private readonly encoding: Encoding
  private readonly blocks: BlockEncoder
  private readonly values: Members[] = []
  private isWhole = true

  constructor(encoding: Encoding, blocks: BlockEncoder) {
    this.encoding = encoding
    this.blocks = blocks
  }

  add(block: Block): void {
    if (block.type !== 'text') {
      this.encoding.losses.dropped(block.path, 'the system prompt of the Messages API is text')
      return
    }
    const encoded = this.blocks.encode(block, false)
    if (encoded === null) return
    this.isWhole = isWholeText(block)
    this.values.push(encoded.value)
  }

  addText(text: string): void {
    this.values.push({ type: 'text', text })
  }

  value(): EncodedTurns['system'] {
    const { values } = this
    if (values.length === 0) return null
    return values.length === 1 && this.isWhole ? String(values[0]!['text']) : values
  }
}
