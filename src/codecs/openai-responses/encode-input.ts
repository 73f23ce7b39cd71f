import type { Block, ReasoningBlock, TextBlock, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { declareForeign, encodePart } from './encode-parts.ts'
import { isOurItemId, legalCallId } from './item-ids.ts'
import { type Members, ownMembers, PROTOCOL } from './members.ts'

/** The `input` for the upstream. `isOwn`: the client spoke this protocol. */
export function encodeInput(turns: readonly Turn[], isOwn: boolean, losses: Losses): unknown {
  const [only] = turns
  const [block] = only?.blocks ?? []
  if (turns.length === 1 && only!.path === '/input' && block?.type === 'text') return block.text
  const encoder = new InputEncoder(isOwn, losses)
  for (const turn of turns) encoder.addTurn(turn)
  return encoder.end()
}

class InputEncoder {
  private readonly items: Members[] = []
  /** Where reasoning of a foreign client stands, for those that turn out to be followed by nothing. */
  private readonly reasoningPaths = new Map<Members, string>()
  private readonly callKinds = new Map<string, ToolCallBlock['kind']>()
  /** Calls without an id that still wait for their result, by the tool's name. */
  private readonly unnamedCalls: { readonly name: string; readonly id: string }[] = []
  private madeIdsCount = 0
  private readonly isOwn: boolean
  private readonly losses: Losses

  constructor(isOwn: boolean, losses: Losses) {
    this.isOwn = isOwn
    this.losses = losses
  }

  addTurn(turn: Turn): void {
    declareForeign(turn, this.losses)
    if (turn.name !== undefined)
      this.losses.dropped(`${turn.path}/name`, 'the Responses API has no names of participants')
    let content: Block[] = []
    for (const block of turn.blocks) {
      if (isContent(block, turn)) {
        content.push(block)
        continue
      }
      this.addMessage(turn, content)
      content = []
      this.addItem(block)
    }
    // A client of this protocol may well say nothing.
    if (content.length > 0 || (this.isOwn && turn.blocks.length === 0)) this.addMessage(turn, content)
  }

  end(): readonly Members[] {
    if (this.reasoningPaths.size === 0) return this.items
    const kept: Members[] = []
    for (let at = this.items.length - 1; at >= 0; at--) {
      const item = this.items[at]!
      const path = this.reasoningPaths.get(item)
      // The API refuses reasoning that nothing of the model's follows.
      if (path !== undefined && !isOfModel(kept.at(-1)))
        this.losses.dropped(path, 'reasoning without an answer cannot be given back')
      else kept.push(item)
    }
    return kept.toReversed()
  }

  private addMessage(turn: Turn, blocks: readonly Block[]): void {
    if (blocks.length === 0 && turn.blocks.length > 0) return
    const role = turn.role === 'tool' ? 'user' : turn.role
    const context = {
      voice: role === 'assistant' ? ('output' as const) : ('input' as const),
      isOwn: this.isOwn,
      losses: this.losses,
    }
    const plain = this.plainText(blocks)
    const parts = plain
      ? []
      : blocks.map((block) => encodePart(block, context)).filter((part) => part !== null && part !== undefined)
    if (plain) declareForeign(plain, this.losses)
    else if (parts.length === 0 && blocks.length > 0) return
    const { type, id, status, ...more } = ownMembers(turn)
    this.items.push({
      ...(this.isOwn && type === undefined ? {} : { type: 'message' }),
      ...(id === undefined || isOurItemId(id) ? {} : { id }),
      role,
      content: plain ? plain.text : parts,
      // The state of an item belongs to its id.
      ...(status === undefined || isOurItemId(id) ? {} : { status }),
      ...more,
    })
  }

  /** The block when all there is to say is one text: that needs no list of parts. */
  private plainText(blocks: readonly Block[]): TextBlock | null {
    const [block] = blocks
    if (blocks.length !== 1 || block?.type !== 'text' || block.citations || block.seal || block.ext?.[PROTOCOL])
      return null
    return this.isOwn && IN_LIST.test(block.path) ? null : block
  }

  private addItem(block: Block): void {
    declareForeign(block, this.losses)
    switch (block.type) {
      case 'tool-call':
        return this.addCall(block)
      case 'tool-result':
        return this.addResult(block)
      case 'reasoning':
        return this.addReasoning(block)
      case 'opaque':
        if (block.issuer === PROTOCOL) this.items.push(block.value as Members)
        else this.losses.dropped(block.path, `only ${block.issuer} understands it`)
        return
      case 'text':
      case 'refusal':
      case 'media':
        return
      default: {
        const missed: never = block
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  private addCall(block: ToolCallBlock): void {
    const { kind, name, namespace, itemId, path } = block
    if (block.seal) this.losses.dropped(path, 'foreign_reasoning')
    const callId = this.callIdOf(block)
    this.callKinds.set(callId, kind)
    const { status, ...more } = ownMembers(block)
    const isOurs = isOurItemId(itemId)
    this.items.push({
      type: kind === 'custom' ? 'custom_tool_call' : 'function_call',
      ...(itemId === undefined || isOurs ? {} : { id: itemId }),
      call_id: callId,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(kind === 'custom' ? { input: block.arguments } : { arguments: block.arguments || '{}' }),
      ...(status === undefined || isOurs ? {} : { status }),
      ...more,
    })
  }

  /** The API demands an id. */
  private callIdOf({ id, name }: ToolCallBlock): string {
    if (id !== null && id !== '') return legalCallId(id)
    const made = `call_${this.madeIdsCount++}`
    this.unnamedCalls.push({ name, id: made })
    return made
  }

  private addResult(block: ToolResultBlock): void {
    const { isError, path } = block
    if (isError) this.losses.dropped(`${path}/is_error`, 'the Responses API has no flag of failed tools')
    const callId = this.resultIdOf(block)
    const kind = this.callKinds.get(callId) ?? block.kind
    this.items.push({
      type: kind === 'custom' ? 'custom_tool_call_output' : 'function_call_output',
      call_id: callId,
      output: this.outputOf(block),
      ...ownMembers(block),
    })
  }

  private resultIdOf({ callId, name }: ToolResultBlock): string {
    if (callId !== null && callId !== '') return legalCallId(callId)
    const at = this.unnamedCalls.findIndex((call) => name === null || call.name === name)
    if (at < 0) return `call_${this.madeIdsCount++}`
    return this.unnamedCalls.splice(at, 1)[0]!.id
  }

  private outputOf({ content }: ToolResultBlock): unknown {
    if (content.length === 0) return ''
    const plain = this.plainText(content)
    if (plain) {
      declareForeign(plain, this.losses)
      return plain.text
    }
    const context = { voice: 'input' as const, isOwn: this.isOwn, losses: this.losses }
    return content.map((block) => encodePart(block, context)).filter((part) => part !== null && part !== undefined)
  }

  private addReasoning(block: ReasoningBlock): void {
    const { seal, id, path, text, summary } = block
    const isNative = seal === null ? this.isOwn && !isOurItemId(id) : seal.issuer === PROTOCOL
    if (!isNative) {
      this.losses.dropped(path, 'foreign_reasoning')
      return
    }
    const parts = summary ?? (text === '' ? [] : [text])
    const item = {
      type: 'reasoning',
      ...(id === null || isOurItemId(id) ? {} : { id }),
      summary: parts.map((part) => ({ type: 'summary_text', text: part })),
      ...(seal === null ? {} : { encrypted_content: seal.value }),
      ...ownMembers(block),
    }
    this.items.push(item)
    if (!this.isOwn) this.reasoningPaths.set(item, path)
  }
}

/** The path of a part ends with its number. */
const IN_LIST = /\/\d+$/

/** Whether the block is part of a message; own opaque parts are, own opaque items have the turn for themselves. */
function isContent(block: Block, turn: Turn): boolean {
  if (block.type === 'opaque') return block.path !== turn.path
  return block.type === 'text' || block.type === 'refusal' || block.type === 'media'
}

function isOfModel(item: Members | undefined): boolean {
  if (item === undefined) return false
  const { type, role } = item
  return type === 'message' || type === undefined ? role === 'assistant' : !String(type).endsWith('_output')
}
