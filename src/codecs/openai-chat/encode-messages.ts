import type { Block, ReasoningBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import { AssistantMessage } from './assistant-message.ts'
import { ConversationCallIds } from './call-ids.ts'
import { cacheControlFor, contentOf, type Encoding, type Part, partOf } from './encode-content.ts'
import { declareForeign, type Members, ownMembers, PROTOCOL, withOwn } from './members.ts'

/** The turns as messages: instructions first, one assistant message per answer, and results directly behind their calls. */
export function writeMessages(request: ChatRequest, encoding: Encoding): Members[] {
  const writer = new MessageWriter(encoding)
  writer.addInstructions(request)
  for (const turn of request.turns) writer.add(turn)
  return inOrder(writer.end())
}

/** One message, and what pairs it with others. */
interface Written {
  readonly message: Members
  /** Ids of the calls it makes. */
  readonly calls: readonly string[]
  /** Id of the call it answers. */
  readonly answers: string | null
}

class MessageWriter {
  private readonly encoding: Encoding
  private readonly ids: ConversationCallIds
  private readonly written: Written[] = []
  /** The assistant message that following turns of the same answer join. */
  private open: AssistantMessage | null = null
  /** Media of tool results, which may not stand in them. */
  private media: Part[] = []

  constructor(encoding: Encoding) {
    this.encoding = encoding
    this.ids = new ConversationCallIds(encoding.target.callIds)
  }

  addInstructions({ instructions }: ChatRequest): void {
    const parts = this.partsOf(instructions)
    if (parts.length > 0) this.write({ role: 'system', content: contentOf(parts) })
  }

  add(turn: Turn): void {
    declareForeign(turn.path, turn.ext, this.encoding.losses)
    if (turn.role === 'assistant') this.addAssistant(turn)
    else this.addOther(turn)
  }

  end(): readonly Written[] {
    this.closeAssistant()
    this.flushMedia([])
    return this.written
  }

  private addOther(turn: Turn): void {
    this.closeAssistant()
    const results = turn.blocks.filter((block) => block.type === 'tool-result')
    const others = turn.blocks.filter((block) => block.type !== 'tool-result')
    if (results.length > 0) {
      for (const result of results) this.addResult(result)
      if (others.length === 0) return
    }
    const parts = this.partsOf(others)
    // What could not be said at all leaves no message behind.
    if (parts.length === 0 && others.length > 0) return
    if (turn.role === 'user' && results.length > 0) this.flushMedia(parts, turn)
    else {
      this.flushMedia([])
      this.writeTurn(turn, parts)
    }
  }

  /** Media of results go with what else the same turn says. */
  private flushMedia(parts: readonly Part[], turn?: Turn): void {
    const all = [...this.media, ...parts]
    this.media = []
    if (turn) this.writeTurn(turn, all)
    else if (all.length > 0) this.write({ role: 'user', content: contentOf(all) })
  }

  private writeTurn(turn: Turn, parts: readonly Part[]): void {
    const role = turn.role === 'developer' && !this.encoding.target.hasDeveloperRole ? 'system' : turn.role
    const name = turn.name === undefined ? {} : { name: turn.name }
    this.write(withOwn({ role, ...name, content: contentOf(parts) }, ownMembers(turn)))
  }

  private addResult(block: ToolResultBlock): void {
    const { losses } = this.encoding
    declareForeign(block.path, block.ext, losses)
    const { path, content, name } = block
    if (block.isError === true) losses.dropped(`${path}/is_error`, 'a tool message cannot say that the call failed')
    const texts: Part[] = []
    for (const inner of content) {
      const part = partOf(inner, this.encoding)
      if (!part) continue
      if (inner.type !== 'media' || part['type'] === 'text') texts.push(part)
      else {
        losses.rewritten(inner.path, 'media of a tool result stand in a user message behind it')
        this.media.push(part)
      }
    }
    const id = this.ids.forResult(block)
    const message = {
      role: 'tool',
      tool_call_id: id,
      ...(name === null ? {} : { name }),
      content: contentOf(texts),
      ...cacheControlFor(block, this.encoding),
    }
    this.write(withOwn(message, ownMembers(block)), [], id)
  }

  private addAssistant(turn: Turn): void {
    const isCalling = turn.blocks.some((block) => block.type === 'tool-call')
    if (this.open && !this.open.takes(turn.name, isCalling)) this.closeAssistant()
    const first = this.openAssistant(turn)
    first.addMembers(ownMembers(turn))
    // An empty turn is a message too.
    if (turn.blocks.length === 0) first.isEmpty = false
    for (const block of turn.blocks) this.addToAssistant(turn, block)
  }

  private openAssistant(turn: Turn): AssistantMessage {
    if (!this.open) this.flushMedia([])
    return (this.open ??= new AssistantMessage(turn.name))
  }

  private addToAssistant(turn: Turn, block: Block): void {
    // Gemini's clients may tell calls and results in one turn of the model.
    if (block.type === 'tool-result') {
      this.closeAssistant()
      this.addResult(block)
      return
    }
    const message = this.openAssistant(turn)
    if (block.type === 'reasoning') this.addReasoning(message, block)
    else if (block.type === 'tool-call') this.addCall(message, block)
    else {
      const part = partOf(block, this.encoding)
      if (part) message.addPart(part, block)
    }
  }

  /** Reasoning goes back to the protocol that issued it, and its text alone to the hosts that want it. */
  private addReasoning(message: AssistantMessage, block: ReasoningBlock): void {
    const { losses, target } = this.encoding
    declareForeign(block.path, block.ext, losses)
    const own = ownMembers(block)
    if (own?.['thinking'] !== undefined) message.addPart({ type: 'thinking', ...own }, block)
    else if (block.seal && block.seal.issuer !== PROTOCOL) losses.dropped(block.path, 'foreign_reasoning')
    else if (block.seal) message.addSealedReasoning(block, block.seal, target.takesReasoningContent)
    else if (target.takesReasoningContent) message.addReasoning(block)
    else if (block.text !== '') losses.dropped(block.path, 'the upstream takes no reasoning back')
  }

  private addCall(message: AssistantMessage, block: ToolCallBlock): void {
    const { losses, emulatesCustomTools } = this.encoding
    declareForeign(block.path, block.ext, losses)
    if (block.seal && block.seal.issuer !== PROTOCOL) losses.dropped(block.path, 'foreign_reasoning')
    const id = this.ids.forCall(block)
    const { name } = block
    const cacheControl = cacheControlFor(block, this.encoding)
    if (block.kind === 'custom' && !emulatesCustomTools) {
      message.addCall({ id, type: 'custom', custom: { name, input: block.arguments }, ...cacheControl }, block)
      return
    }
    const input = block.kind === 'custom' ? JSON.stringify({ [CUSTOM_TOOL_PARAMETER]: block.arguments }) : null
    const called = { name, arguments: input ?? (block.arguments === '' ? '{}' : block.arguments) }
    message.addCall({ id, type: 'function', function: called, ...cacheControl }, block)
  }

  private closeAssistant(): void {
    const { open } = this
    this.open = null
    if (open && !open.isEmpty) this.write(open.value, open.callIds)
  }

  private partsOf(blocks: readonly Block[]): Part[] {
    return blocks.map((block) => partOf(block, this.encoding)).filter((part) => part !== null)
  }

  private write(message: Members, calls: readonly string[] = [], answers: string | null = null): void {
    this.written.push({ message, calls, answers })
  }
}

/** Results stand directly behind their calls, whatever their client put between. */
function inOrder(written: readonly Written[]): Members[] {
  const answers = new Map<string, Written[]>()
  const ordered: Members[] = []
  const placed = new Set<Written>()
  for (const one of written.toReversed()) {
    if (one.answers === null) continue
    const list = answers.get(one.answers)
    if (list) list.push(one)
    else answers.set(one.answers, [one])
  }
  const place = (one: Written): void => {
    placed.add(one)
    ordered.push(one.message)
  }
  const positions = new Map(written.map((one, index) => [one, index]))
  for (const one of written) {
    if (placed.has(one)) continue
    // A result without its call stays where it is.
    if (one.answers !== null) answers.get(one.answers)!.pop()
    place(one)
    const results = one.calls.map((id) => answers.get(id)?.pop()).filter((result) => result !== undefined)
    for (const result of results.toSorted((left, right) => positions.get(left)! - positions.get(right)!)) place(result)
  }
  return ordered
}
