import type { ToolResultBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'

interface Call {
  readonly id: string | null
  readonly name: string
  isAnswered: boolean
}

/** Gemini wants the function's name with each result; other protocols tell it with the call alone. */
export class CallNames {
  private readonly calls: Call[] = []

  /** Remembers the calls of a turn, for the results that follow. */
  add(turn: Turn): void {
    for (const block of turn.blocks)
      if (block.type === 'tool-call') this.calls.push({ id: block.id, name: block.name, isAnswered: false })
  }

  /** Name of the function whose result this is: by the call's id, else by name and order. */
  nameOf(result: ToolResultBlock): string {
    const call = this.callOf(result)
    if (call) call.isAnswered = true
    return result.name ?? call?.name ?? result.callId ?? 'unknown'
  }

  private callOf({ callId, name }: ToolResultBlock): Call | undefined {
    if (callId !== null) return this.calls.findLast(({ id }) => id === callId)
    return this.calls.find((call) => !call.isAnswered && (name === null || call.name === name))
  }
}
