import type { Block, ReasoningBlock, Seal, ToolCallBlock } from '#ir/blocks.ts'
import { contentOf, type Part } from './encode-content.ts'
import { isObject, type Members, ownMembers, PROTOCOL, withOwn } from './members.ts'
import { addDetails, detailsText, openOwnSeal, sealedValue } from './reasoning-details.ts'

/** One assistant message while the turns of one answer are put together. */
export class AssistantMessage {
  /** Nothing was said, or nothing of it could be. */
  isEmpty = true
  readonly callIds: string[] = []
  private readonly name: string | undefined
  private readonly members: Record<string, unknown> = {}
  private readonly parts: Part[] = []
  private readonly calls: Part[] = []
  private readonly details: Record<string, unknown>[] = []
  private refusal: string | null = null
  private hasDetails = false

  constructor(name: string | undefined) {
    this.name = name
  }

  /**
   * Whether the next assistant turn belongs to this message: calls stand in one message with all that was thought and said
   * before them, and what was thought stands before what is said. Two that only speak stay two.
   */
  takes(name: string | undefined, isCalling: boolean): boolean {
    if (name !== this.name) return false
    const hasSpoken = this.parts.length > 0 || this.refusal !== null
    return isCalling || this.calls.length > 0 || !hasSpoken
  }

  addMembers(own: Members | undefined): void {
    withOwn(this.members, own)
  }

  addPart(part: Part, block: Block): void {
    this.isEmpty = false
    // The member is as old as the part, and a client that used it talks to a host that knows it.
    if (block.type === 'refusal' && this.refusal === null && block.path.endsWith('/refusal')) this.refusal = block.text
    else this.parts.push(part)
  }

  addReasoning(block: ReasoningBlock): void {
    this.isEmpty = false
    this.addText('reasoning_content', block.text)
  }

  /** What an upstream of this protocol sealed, as it stood, and the text that its client showed beside it. */
  addSealedReasoning(block: ReasoningBlock, seal: Seal, takesReasoningContent: boolean): void {
    this.isEmpty = false
    const { details, members } = openOwnSeal(seal)
    if (details.length > 0) {
      this.hasDetails = true
      addDetails(this.details, details)
    }
    withOwn(this.members, members)
    if (block.path.endsWith('/reasoning')) this.addText('reasoning', block.text)
    // Entries with text say it already.
    else if (takesReasoningContent && detailsText(details) === '' && block.text !== '')
      this.addText('reasoning_content', block.text)
  }

  addCall(call: Part, block: ToolCallBlock): void {
    this.isEmpty = false
    this.callIds.push(String(call['id']))
    const sealed = block.seal?.issuer === PROTOCOL ? sealedValue(block.seal) : null
    this.calls.push(withOwn(withOwn(call, ownMembers(block)), isObject(sealed) ? sealed : undefined))
  }

  private addText(name: 'reasoning_content' | 'reasoning', text: string): void {
    const before = this.members[name]
    this.members[name] = typeof before === 'string' ? before + text : text
  }

  get value(): Members {
    const { name, refusal, parts, calls } = this
    const hasContent = parts.length > 0 || (calls.length === 0 && refusal === null)
    return withOwn(
      {
        role: 'assistant',
        ...(name === undefined ? {} : { name }),
        content: hasContent ? contentOf(parts) : null,
        ...(refusal === null ? {} : { refusal }),
        ...(this.hasDetails ? { reasoning_details: this.details } : {}),
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
      },
      this.members,
    )
  }
}
