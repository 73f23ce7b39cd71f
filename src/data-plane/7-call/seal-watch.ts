import type { Seal } from '#ir/blocks.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { SealStash, StashedReasoning, StashScope } from './seal-stash.ts'

/** Follows one answer, and keeps the seals of its tool calls when it is whole. */
export class SealWatch {
  private readonly stash: SealStash
  private readonly scope: StashScope
  /** Of our own call ids, where the upstream gives none. */
  private readonly answerId: string
  private readonly reasoning = new Map<number, { text: string; seal: Seal | null; id: string | null }>()
  private readonly calls: { readonly id: string; readonly seal: Seal | null; readonly index: number }[] = []

  constructor(stash: SealStash, scope: StashScope, answerId: string) {
    this.stash = stash
    this.scope = scope
    this.answerId = answerId
  }

  see(event: ChatEvent): void {
    if (event.type === 'block-start') {
      const { index, block } = event
      if (block.type === 'reasoning') this.reasoning.set(index, { text: '', seal: null, id: block.id })
      else if (block.type === 'tool-call')
        this.calls.push({ id: block.id || `call_${this.answerId}_${index}`, seal: block.seal ?? null, index })
    } else if (event.type === 'block-delta') {
      const open = this.reasoning.size > 0 ? this.reasoning.get(event.index) : undefined
      if (open) open.text += event.text
    } else if (event.type === 'block-seal') {
      const open = this.reasoning.get(event.index)
      if (open) open.seal = event.seal
    }
  }

  /** The answer is whole. */
  done(): void {
    for (const { id, seal, index } of this.calls) {
      const before = [...this.reasoning].filter(([at]) => at < index).map(([, block]) => block)
      const sealed = before.filter((block): block is StashedReasoning => block.seal !== null)
      this.stash.keep(this.scope, id, sealed, seal)
    }
  }
}
