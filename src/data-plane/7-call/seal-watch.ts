import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { Seal } from '#ir/blocks.ts'
import type { BlockStart, ChatEvent } from '#ir/chat-event.ts'
import { digestOfCall, type KeptSeal } from './seal-entry.ts'
import type { SealStash, StashScope } from './seal-stash.ts'

interface Open {
  readonly type: 'reasoning' | 'text' | 'tool-call' | 'other'
  readonly candidate: number
  /** Of reasoning. */
  readonly id: string | null
  readonly isSummary: boolean
  parts: string[]
  characters: number
  seal: Seal | null
  readonly call: { readonly id: string; readonly name: string; readonly seal: Seal | null } | null
}

/** Follows one answer, and keeps the seals of its tool calls when it is whole. */
export class SealWatch {
  private readonly stash: SealStash
  private readonly scope: StashScope
  private readonly callIds: AnswerCallIds
  private readonly blocks = new Map<number, Open>()
  private callsCount = 0

  /** `callIds` are those of the client's protocol: under them the calls come back. */
  constructor(stash: SealStash, scope: StashScope, callIds: AnswerCallIds) {
    this.stash = stash
    this.scope = scope
    this.callIds = callIds
  }

  see(event: ChatEvent): void {
    if (event.type === 'block-delta') {
      const open = this.blocks.get(event.index)
      if (open) addDelta(open, event.text, event.startsPart ?? false)
    } else if (event.type === 'block-start') this.start(event)
    else if (event.type === 'block-seal') {
      const open = this.blocks.get(event.index)
      if (open) open.seal = event.seal
    }
  }

  /** The answer is whole. */
  done(): void {
    if (this.callsCount === 0) return
    const candidates = Map.groupBy(this.blocks.values(), ({ candidate }) => candidate)
    for (const blocks of candidates.values()) this.keepCandidate(blocks)
  }

  private start({ index, candidate, block }: BlockStart): void {
    const isCall = block.type === 'tool-call'
    if (isCall) this.callsCount++
    this.blocks.set(index, {
      type: block.type === 'reasoning' || block.type === 'text' || isCall ? block.type : 'other',
      candidate,
      id: block.type === 'reasoning' ? block.id : null,
      isSummary: block.type === 'reasoning' && block.isSummary,
      parts: [],
      characters: 0,
      seal: null,
      call: isCall ? { id: this.callIds.idOf(block.id, index), name: block.name, seal: block.seal ?? null } : null,
    })
  }

  private keepCandidate(blocks: readonly Open[]): void {
    const last = blocks.findLastIndex(({ call }) => call !== null)
    const after = sealsOf(blocks.slice(last + 1))
    let start = 0
    for (const [at, { call, parts }] of blocks.entries()) {
      if (call === null) continue
      this.stash.keep(this.scope, call.id, {
        call: digestOfCall(call.name, parts.join('')),
        before: sealsOf(blocks.slice(start, at)),
        callSeal: call.seal,
        after: at === last ? after : [],
      })
      start = at + 1
    }
  }
}

/** The text of an answer is counted and not kept. */
function addDelta(open: Open, text: string, startsPart: boolean): void {
  open.characters += text.length
  if (open.type === 'text' || open.type === 'other') return
  if (open.parts.length === 0 || startsPart) open.parts.push(text)
  else open.parts[open.parts.length - 1] += text
}

/** The seals of blocks between two calls. */
function sealsOf(blocks: readonly Open[]): KeptSeal[] {
  const kept: KeptSeal[] = []
  let said = 0
  for (const { type, characters, seal, parts, isSummary, id } of blocks) {
    if (type === 'text') said += characters
    if (seal === null || (type !== 'text' && type !== 'reasoning')) continue
    kept.push({ place: type, at: said, seal, text: parts.join(''), ...(isSummary ? { summary: parts } : {}), id })
  }
  return kept
}
