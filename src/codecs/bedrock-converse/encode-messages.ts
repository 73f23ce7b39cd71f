import type { Block } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { cachePointAfter, encodeBlock, type Encoding, loseExtensions } from './encode-blocks.ts'
import { type Fields, isObject } from './fields.ts'

/** One block of a message, with the breakpoint behind it. */
interface Piece {
  readonly block: Fields
  cachePoint: Fields | null
}

export interface Message {
  readonly role: 'user' | 'assistant'
  readonly content: readonly Fields[]
}

interface Draft {
  readonly role: 'user' | 'assistant'
  readonly path: string
  readonly pieces: Piece[]
}

/** Converse demands a text beside a document. */
const DOCUMENT_TEXT = { text: '.' }

/** The messages: roles alternate, and what says nothing is left out. */
export function encodeMessages(request: ChatRequest, encoding: Encoding): Message[] {
  const drafts: Draft[] = []
  for (const turn of request.turns) {
    if (isInstruction(turn)) continue
    loseTurnMembers(turn, encoding)
    const role = turn.role === 'assistant' ? 'assistant' : 'user'
    const pieces = encodePieces(turn, role, encoding)
    const last = drafts.at(-1)
    if (last?.role === role) last.pieces.push(...pieces)
    else if (pieces.length > 0) drafts.push({ role, path: turn.path, pieces })
  }
  trimPrefill(drafts.at(-1), encoding)
  return drafts.map((draft) => finishMessage(draft, encoding))
}

/** The instructions of all places, in their order. Those in mid-conversation have no place of their own. */
export function encodeSystem(request: ChatRequest, encoding: Encoding): Fields[] {
  const { losses } = encoding
  const blocks: Fields[] = []
  let hasBegun = false
  const push = (block: Block): void => {
    const encoded = block.type === 'media' ? lostInstruction(block, encoding) : encodeBlock(block, 'user', encoding)
    if (!encoded) return
    const cachePoint = cachePointAfter(block, encoding)
    blocks.push(...(cachePoint ? [encoded, cachePoint] : [encoded]))
  }
  request.instructions.forEach(push)
  for (const turn of request.turns) {
    if (!isInstruction(turn)) hasBegun = true
    else {
      loseTurnMembers(turn, encoding)
      if (hasBegun) losses.rewritten(turn.path, 'instructions in mid-conversation go to the front')
      turn.blocks.forEach(push)
    }
  }
  return blocks
}

function isInstruction({ role }: Turn): boolean {
  return role === 'system' || role === 'developer'
}

function lostInstruction({ path }: Block, { losses }: Encoding): null {
  losses.severe(path, 'Bedrock takes instructions as text only')
  return null
}

function loseTurnMembers({ path, name, ext }: Turn, { losses }: Encoding): void {
  if (name !== undefined) losses.dropped(`${path}/name`, 'Bedrock has no names of participants')
  loseExtensions(path, ext, losses)
}

function encodePieces(turn: Turn, role: 'user' | 'assistant', encoding: Encoding): Piece[] {
  const pieces: Piece[] = []
  for (const block of turn.blocks) {
    const encoded = encodeBlock(block, role, encoding)
    const cachePoint = cachePointAfter(block, encoding)
    const last = pieces.at(-1)
    if (encoded) pieces.push({ block: encoded, cachePoint })
    // The breakpoint of a block that says nothing stands behind the one before it.
    else if (last) last.cachePoint ??= cachePoint
  }
  return pieces
}

function finishMessage({ role, path, pieces }: Draft, { losses }: Encoding): Message {
  const isResult = ({ block }: Piece): boolean => 'toolResult' in block
  const results = pieces.filter(isResult)
  const ordered =
    role === 'user' && results.length > 0 ? [...results, ...pieces.filter((piece) => !isResult(piece))] : pieces
  const content = ordered.flatMap(({ block, cachePoint }) => (cachePoint ? [block, cachePoint] : [block]))
  if (content.some((block) => 'document' in block) && !content.some((block) => 'text' in block)) {
    losses.emulated(path, 'Bedrock wants a text beside a document')
    content.push(DOCUMENT_TEXT)
  }
  return { role, content }
}

/** Claude refuses a beginning of its own answer that ends in white space. */
function trimPrefill(draft: Draft | undefined, { losses }: Encoding): void {
  const last = draft?.pieces.at(-1)
  if (draft?.role !== 'assistant' || !last || typeof last.block['text'] !== 'string') return
  const trimmed = last.block['text'].trimEnd()
  if (trimmed === last.block['text']) return
  losses.rewritten(draft.path, 'the beginning of an answer cannot end in white space')
  draft.pieces[draft.pieces.length - 1] = { ...last, block: { text: trimmed } }
}

/**
 * Whether the model is in the middle of calling tools, in a turn that it did not begin with reasoning of its own. Claude then
 * cannot think: a turn with thinking has to begin with it, signed ("Expected `thinking`, but found `tool_use`").
 */
export function isForeignToolTurn(messages: readonly Message[]): boolean {
  const holds = (message: Message, member: string): boolean => message.content.some((block) => member in block)
  let at = messages.length
  while (at > 0 && (messages[at - 1]!.role === 'assistant' || holds(messages[at - 1]!, 'toolResult'))) at--
  const first = messages.slice(at).find(({ role }) => role === 'assistant')
  if (!first || !holds(messages.at(-1)!, 'toolResult')) return false
  return !isObject(first.content[0]?.['reasoningContent'])
}

/** Names of the tools that the conversation called, each once. */
export function calledTools(messages: readonly Message[]): string[] {
  const names = new Set<string>()
  for (const { content } of messages) {
    for (const { toolUse } of content) if (isObject(toolUse)) names.add(String(toolUse['name']))
  }
  return [...names]
}

/** Whether the conversation has calls or results of tools: then Converse wants to know the tools. */
export function hasToolBlocks(messages: readonly Message[]): boolean {
  return messages.some(({ content }) => content.some((block) => 'toolUse' in block || 'toolResult' in block))
}
