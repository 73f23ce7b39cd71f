import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import { ArgumentText } from './argument-text.ts'
import type { ToolNames } from './tool-names.ts'
import type { EncodedRequest } from './translation.ts'

/** The one parameter of a function that stands for a custom tool. */
export const CUSTOM_TOOL_PARAMETER = 'input'

/**
 * Undoes in the answer what the request had to emulate: a function that stood for a custom tool calls the custom tool
 * again, a tool that was forced in place of a JSON format speaks as text, and a tool that had to be renamed is called by the
 * client's name, within its namespace. Events pass at once; nothing waits for another.
 */
export class Emulation {
  private readonly customTools: ReadonlySet<string>
  private readonly formatTool: string | null
  private readonly names: ToolNames
  /** Blocks whose deltas are argument text with the custom tool's input inside. */
  private readonly inputs = new Map<number, ArgumentText>()
  private spokeAsText = false
  private calledTool = false

  /** Null when there is nothing to undo. */
  static of(names: ToolNames, encoded: EncodedRequest): Emulation | null {
    const isNeeded = encoded.emulatedCustomTools.size > 0 || encoded.formatTool !== null || !names.isPlain
    return isNeeded ? new Emulation(encoded, names) : null
  }

  private constructor(encoded: EncodedRequest, names: ToolNames) {
    this.customTools = encoded.emulatedCustomTools
    this.formatTool = encoded.formatTool
    this.names = names
  }

  /** The event as the client is to see it; null when it says nothing to it. */
  push(event: ChatEvent): ChatEvent | null {
    switch (event.type) {
      case 'block-start':
        return { ...event, block: this.headOf(event.index, event.block) }
      case 'block-delta': {
        const input = this.inputs.get(event.index)
        if (!input) return event
        const text = input.push(event.text)
        return text === '' ? null : { ...event, text }
      }
      case 'finish':
        return event.reason === 'tool-calls' && this.spokeAsText && !this.calledTool
          ? { ...event, reason: 'stop' }
          : event
      default:
        return event
    }
  }

  private headOf(index: number, head: BlockHead): BlockHead {
    if (head.type !== 'tool-call') return head
    if (head.name === this.formatTool) {
      this.spokeAsText = true
      return { type: 'text' }
    }
    this.calledTool = true
    const client = this.names.clientOf(head.name)
    const namespace = head.namespace ?? client?.namespace
    const named = { ...head, name: client?.name ?? head.name, ...(namespace === undefined ? {} : { namespace }) }
    // A host that calls a custom tool by itself writes its input plain.
    if (head.kind === 'custom' || !this.customTools.has(head.name)) return named
    this.inputs.set(index, new ArgumentText(CUSTOM_TOOL_PARAMETER))
    return { ...named, kind: 'custom' }
  }
}
