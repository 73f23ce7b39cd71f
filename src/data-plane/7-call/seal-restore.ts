import type { Block, ReasoningBlock, ToolCallBlock } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { digestOfCall, type KeptSeal, type SealEntry } from './seal-entry.ts'

/** A block of an assistant, and the turn that it stands in. */
interface Slot {
  readonly block: Block
  readonly turn: Turn
}

/** The turns of one answer: a client may write each item as a turn of its own. */
type Run = readonly Turn[]

/**
 * The ids of the calls that may have lost their seals, newest first: those of answers that came back without any seal.
 * Who gives back one of an answer gives back what it got.
 */
export function unsealedCallIds(request: ChatRequest): readonly string[] {
  const ids = runsOf(request.turns)
    .filter((run) => !run.some(({ blocks }) => blocks.some((block) => sealOf(block) !== null)))
    .flatMap((run) => run.flatMap(({ blocks }) => blocks.flatMap((block) => idOf(block) ?? [])))
  return [...new Set(ids.toReversed())]
}

/** What is known of a call with this id. */
type Find = (callId: string) => SealEntry | null

/** The request with the seals that its client left out put back where they stood. */
export function restoreSeals(request: ChatRequest, find: Find): ChatRequest {
  const restored = new Map<Turn, Turn>()
  for (const run of runsOf(request.turns)) {
    const slots = new RunRestorer(run, find).restore()
    if (slots === null) continue
    const byTurn = Map.groupBy(slots, ({ turn }) => turn)
    for (const turn of run) restored.set(turn, { ...turn, blocks: (byTurn.get(turn) ?? []).map(({ block }) => block) })
  }
  return restored.size === 0 ? request : { ...request, turns: request.turns.map((turn) => restored.get(turn) ?? turn) }
}

function runsOf(turns: readonly Turn[]): Run[] {
  const runs: Turn[][] = []
  for (const [at, turn] of turns.entries()) {
    if (turn.role !== 'assistant') continue
    if (turns[at - 1]?.role === 'assistant') runs.at(-1)!.push(turn)
    else runs.push([turn])
  }
  return runs.filter((run) => run.some(({ blocks }) => blocks.some((block) => idOf(block) !== null)))
}

const idOf = (block: Block): string | null => (block.type === 'tool-call' ? block.id || null : null)

function sealOf(block: Block): string | null {
  return 'seal' in block && block.seal ? block.seal.value : null
}

/** Puts the seals of one answer back. */
class RunRestorer {
  private readonly slots: readonly Slot[]
  private readonly find: Find
  /** The seals that the client gave back itself. */
  private readonly present: ReadonlySet<string>
  private readonly out: Slot[] = []
  private readonly texts: string[] = []
  private isChanged = false

  constructor(run: Run, find: Find) {
    this.find = find
    this.slots = run.flatMap((turn) => turn.blocks.map((block) => ({ block, turn })))
    this.present = new Set(this.slots.flatMap(({ block }) => sealOf(block) ?? []))
  }

  /** Null when there is nothing to put back. */
  restore(): readonly Slot[] | null {
    let start = 0
    let after: readonly KeptSeal[] = []
    for (const [at, { block, turn }] of this.slots.entries()) {
      if (block.type !== 'tool-call') continue
      const entry = this.entryOf(block)
      this.fill(this.slots.slice(start, at), entry?.before ?? [], turn)
      this.out.push({ block: this.sealCall(block, entry), turn })
      after = entry?.after ?? []
      start = at + 1
    }
    this.fill(this.slots.slice(start), after, this.slots.at(-1)!.turn)
    return this.isChanged ? this.withoutCopies() : null
  }

  /** What is missing of this call; null when it is another call, or when nothing is. */
  private entryOf(call: ToolCallBlock): SealEntry | null {
    const entry = call.id ? this.find(call.id) : null
    if (entry === null) return null
    const seals = [...entry.before, ...entry.after].map(({ seal }) => seal)
    if (call.seal === undefined && entry.callSeal) seals.push(entry.callSeal)
    const isWhole = seals.every(({ value }) => this.present.has(value))
    return isWhole || entry.call !== digestOfCall(call.name, call.arguments) ? null : entry
  }

  private sealCall(block: ToolCallBlock, entry: SealEntry | null): ToolCallBlock {
    if (block.seal !== undefined || !entry?.callSeal) return block
    this.isChanged = true
    return { ...block, seal: entry.callSeal }
  }

  /** Writes the blocks between two calls, with what stood there. What finds no place of its own stands at the end. */
  private fill(slots: readonly Slot[], kept: readonly KeptSeal[], lastTurn: Turn): void {
    let said = 0
    let next = 0
    for (const { block, turn } of slots) {
      next = this.putBack(kept, next, said, { block, turn })
      if (block.type === 'text') said += block.text.length
      const due = kept[next]
      if (due !== undefined && sealOf(block) === due.seal.value) next++
      const isSigned =
        block.type === 'text' && due?.place === 'text' && due.at === said && !this.present.has(due.seal.value)
      if (isSigned) {
        next++
        this.isChanged = true
        this.out.push({ block: { ...block, seal: due.seal }, turn })
      } else this.out.push({ block, turn })
    }
    for (const each of kept.slice(next)) this.put(each, { block: slots.at(-1)?.block ?? null, turn: lastTurn })
  }

  /** Puts back the reasoning that stood before this block; gives the number of the next that is not yet due. */
  private putBack(kept: readonly KeptSeal[], from: number, said: number, before: Slot): number {
    let next = from
    for (let due = kept[next]; due !== undefined; due = kept[++next]) {
      if (due.at > said || this.present.has(due.seal.value)) break
      this.put(due, before)
    }
    return next
  }

  private put(
    { place, seal, text, summary, id }: KeptSeal,
    { block, turn }: { block: Block | null; turn: Turn },
  ): void {
    // The text that a seal signed has become another one: then the seal would be wrong.
    if (place === 'text' || this.present.has(seal.value)) return
    const path = block?.path ?? turn.path
    const reasoning: ReasoningBlock = { type: 'reasoning', text, ...(summary ? { summary } : {}), seal, id, path }
    this.out.push({ block: reasoning, turn })
    this.texts.push(text)
    this.isChanged = true
  }

  /** Reasoning that the client gave back without its seal is there twice now. */
  private withoutCopies(): readonly Slot[] {
    const known = withoutSpaces(this.texts.join(''))
    return this.out.filter(
      ({ block }) => block.type !== 'reasoning' || block.seal !== null || !known.includes(withoutSpaces(block.text)),
    )
  }
}

/** Clients join the pieces of reasoning with line breaks of their own. */
const withoutSpaces = (text: string): string => text.replaceAll(/\s+/g, '')
