import type { Seal } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'

/** How long the seals of a tool call are kept: who returns its result later has lost them. */
export const STASH_HOURS = 24
/** All seals and their texts together; the oldest go first. */
export const STASH_BYTES_MAX = 64 * 1024 * 1024

/** Reasoning that stood before a tool call, as its issuer wrote it. */
export interface StashedReasoning {
  readonly text: string
  readonly seal: Seal
  readonly id: string | null
}

interface Entry {
  readonly reasoning: readonly StashedReasoning[]
  /** The seal of the call itself (Gemini). */
  readonly callSeal: Seal | null
  readonly bytes: number
  readonly expiresAtMs: number
}

/** Where seals came from: they mean something to this account's calls at this backend alone (B3, attack S6). */
export interface StashScope {
  readonly accountId: string
  readonly backendId: string
}

/**
 * Keeps the seals of tool calls for clients that give back the call and not the reasoning before it (B3). In memory of this
 * process: after a restart, and at another node, the upstream is asked without them.
 */
export class SealStash {
  private readonly entries = new Map<string, Entry>()
  private readonly now: () => number
  private readonly bytesMax: number
  private bytes = 0

  constructor(now: () => number = Date.now, bytesMax: number = STASH_BYTES_MAX) {
    this.now = now
    this.bytesMax = bytesMax
  }

  /** Keeps what a call of this account at this backend needs. */
  keep(scope: StashScope, callId: string, reasoning: readonly StashedReasoning[], callSeal: Seal | null): void {
    if (reasoning.length > 0 || callSeal !== null) this.put(keyOf(scope, callId), reasoning, callSeal)
  }

  /** The request with the seals that its client left out put back where they stood. */
  restore(scope: StashScope, request: ChatRequest): ChatRequest {
    if (this.entries.size === 0) return request
    let isChanged = false
    let isSealed = false
    const turns = request.turns.map((turn) => {
      if (turn.role !== 'assistant') {
        isSealed = false
        return turn
      }
      isSealed ||= turn.blocks.some((block) => block.type === 'reasoning' && block.seal !== null)
      const restored = this.restoreTurn(scope, turn, isSealed)
      if (restored !== turn) isChanged = true
      isSealed = true
      return restored
    })
    return isChanged ? { ...request, turns } : request
  }

  private restoreTurn(scope: StashScope, turn: Turn, isSealed: boolean): Turn {
    let needsReasoning = !isSealed
    let isChanged = false
    const blocks = turn.blocks.flatMap((block) => {
      if (block.type !== 'tool-call' || block.id === null) return [block]
      const entry = this.get(keyOf(scope, block.id))
      if (!entry) return [block]
      const reasoning = needsReasoning
        ? entry.reasoning.map((kept) => ({ type: 'reasoning' as const, ...kept, path: block.path }))
        : []
      needsReasoning = false
      const isSigned = block.seal !== undefined || entry.callSeal === null
      if (reasoning.length === 0 && isSigned) return [block]
      isChanged = true
      return [...reasoning, isSigned ? block : { ...block, seal: entry.callSeal! }]
    })
    if (!isChanged) return turn
    // Reasoning begins its turn, whatever the model said between it and the call.
    const sealed = blocks.filter((block) => block.type === 'reasoning' && block.seal !== null)
    return { ...turn, blocks: [...sealed, ...blocks.filter((block) => !sealed.includes(block))] }
  }

  private put(key: string, reasoning: readonly StashedReasoning[], callSeal: Seal | null): void {
    this.drop(key)
    const texts = reasoning.flatMap(({ text, seal }) => [text, seal.value])
    const bytes = [key, callSeal?.value ?? '', ...texts].reduce((sum, text) => sum + 2 * text.length, ENTRY_BYTES)
    if (bytes > this.bytesMax) return
    this.entries.set(key, { reasoning, callSeal, bytes, expiresAtMs: this.now() + STASH_HOURS * HOUR_MS })
    this.bytes += bytes
    // A map keeps the order of insertion, and all entries live equally long.
    for (const [oldest, entry] of this.entries) {
      if (this.bytes <= this.bytesMax && entry.expiresAtMs > this.now()) break
      this.drop(oldest)
    }
  }

  private get(key: string): Entry | null {
    const entry = this.entries.get(key)
    return entry && entry.expiresAtMs > this.now() ? entry : null
  }

  private drop(key: string): void {
    this.bytes -= this.entries.get(key)?.bytes ?? 0
    this.entries.delete(key)
  }
}

const HOUR_MS = 3_600_000
/** Roughly what an entry costs beside its texts. */
const ENTRY_BYTES = 300

const keyOf = ({ accountId, backendId }: StashScope, callId: string): string => `${accountId} ${backendId} ${callId}`
