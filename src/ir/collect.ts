import type { Block, Citation, Seal } from './blocks.ts'
import type { BlockHead, ChatEvent, Finish, OpaqueEvent } from './chat-event.ts'
import type { Usage } from './usage.ts'

/** A whole answer: the fold of its events. */
export interface Collected {
  readonly id: string | null
  readonly model: string | null
  readonly createdAt: number | null
  readonly candidates: readonly Candidate[]
  readonly usage: Usage | null
  readonly usageTotal: number | null
  readonly opaque: readonly OpaqueEvent[]
}

export interface Candidate {
  readonly blocks: readonly CollectedBlock[]
  readonly finish: Finish | null
}

/** One block with all that its deltas said. */
export interface CollectedBlock {
  readonly head: BlockHead
  /** Deltas joined. */
  readonly text: string
  /** The same, cut where a part began. */
  readonly parts: readonly string[]
  readonly seal: Seal | null
  readonly citations: readonly Citation[]
  readonly logprobs: readonly unknown[]
}

interface Open {
  head: BlockHead
  candidate: number
  parts: string[]
  seal: Seal | null
  citations: Citation[]
  logprobs: unknown[]
}

/** Folds the events of one answer. */
export function collect(events: Iterable<ChatEvent>): Collected {
  const blocks = new Map<number, Open>()
  const finishes = new Map<number, Finish>()
  const opaque: OpaqueEvent[] = []
  let start: { id: string | null; model: string | null; createdAt: number | null } = EMPTY_START
  let usage: Usage | null = null
  let usageTotal: number | null = null
  for (const event of events) {
    switch (event.type) {
      case 'response-start':
        start = event
        break
      case 'block-start':
        blocks.set(event.index, {
          head: event.block,
          candidate: event.candidate,
          parts: [],
          seal: null,
          citations: [],
          logprobs: [],
        })
        break
      case 'block-delta': {
        const { parts } = blocks.get(event.index)!
        if (parts.length === 0 || event.startsPart) parts.push(event.text)
        else parts[parts.length - 1] += event.text
        break
      }
      case 'block-seal':
        blocks.get(event.index)!.seal = event.seal
        break
      case 'block-citation':
        blocks.get(event.index)!.citations.push(event.citation)
        break
      case 'block-logprobs':
        blocks.get(event.index)!.logprobs.push(...event.tokens)
        break
      case 'block-end':
        break
      case 'usage':
        usage = event.usage
        usageTotal = event.total
        break
      case 'finish':
        finishes.set(event.candidate, event)
        break
      case 'opaque':
        opaque.push(event)
        break
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }
  const { id, model, createdAt } = start
  return { id, model, createdAt, candidates: candidatesOf(blocks, finishes), usage, usageTotal, opaque }
}

const EMPTY_START = { id: null, model: null, createdAt: null }

function candidatesOf(blocks: ReadonlyMap<number, Open>, finishes: ReadonlyMap<number, Finish>): Candidate[] {
  const numbers = new Set([0, ...finishes.keys()])
  for (const open of blocks.values()) numbers.add(open.candidate)
  return [...numbers]
    .toSorted((left, right) => left - right)
    .map((number) => ({
      blocks: [...blocks.values()].filter((open) => open.candidate === number).map(closed),
      finish: finishes.get(number) ?? null,
    }))
}

function closed({ head, parts, seal, citations, logprobs }: Open): CollectedBlock {
  return { head, text: parts.join(''), parts, seal, citations, logprobs }
}

/** The text of the blocks that are text, joined. */
export function textOf(blocks: readonly Block[]): string {
  return blocks.map((block) => (block.type === 'text' ? block.text : '')).join('')
}
