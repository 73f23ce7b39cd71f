import type { Block, ReasoningBlock, ToolCallBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'
import type { CarriedSeal } from '#codecs/seal-envelope.ts'
import { decodePart, type DecodedPart } from './decode-parts.ts'
import { type Element, extensionOf, invalid, Members, spellingsOf, withExtension } from './members.ts'
import { PartialArguments } from './partial-arguments.ts'

const CONTENT = spellingsOf(['role', 'parts'])

/** `function` is the role of results in Google's first examples; it still passes. */
const ROLES: ReadonlyMap<string, Turn['role']> = new Map([
  ['user', 'user'],
  ['model', 'assistant'],
  ['function', 'user'],
])

export function decodeContents(elements: readonly Element[]): Turn[] {
  const turns = elements.map(decodeContent)
  const ids = new Set(turns.flatMap(({ blocks }) => blocks.flatMap((block) => (isCall(block) ? [block.id] : []))))
  return turns.map((turn) => ({ ...turn, blocks: turn.blocks.map((block) => pairByName(block, ids)) }))
}

const isCall = (block: Block): block is ToolCallBlock => block.type === 'tool-call'

/** A result whose id no call has belongs to a call by its name, as Gemini reads it; the id stays Gemini's own. */
function pairByName(block: Block, ids: ReadonlySet<string | null>): Block {
  if (block.type !== 'tool-result' || block.callId === null || ids.has(block.callId)) return block
  const own = withExtension({ functionResponse: { id: block.callId } }, block.ext?.gemini)
  return { ...block, callId: null, ...extensionOf(own) }
}

function decodeContent(element: Element): Turn {
  const content = new Members(element.value, element.path, CONTENT)
  const role = ROLES.get(content.string('role') ?? 'user')
  if (role === undefined) throw invalid(content.pathOf('role'), 'must be "user" or "model"')
  return { role, blocks: placeReasoning(joinPieces(content.list('parts').map(decodePart))), path: content.path }
}

/**
 * Gives a call whose arguments came in pieces the whole of them. The pieces that follow it stay, as Gemini's own: an
 * upstream that speaks Gemini gets them as they stood.
 */
function joinPieces(parts: readonly DecodedPart[]): DecodedPart[] {
  const joined = [...parts]
  let open: { readonly index: number; readonly args: PartialArguments; text: string } | null = null
  const close = () => {
    if (open === null) return
    const part = joined[open.index]!
    const text = open.text + open.args.end()
    if (part.block.type === 'tool-call' && text !== '' && !open.args.isBroken)
      joined[open.index] = { ...part, block: { ...part.block, arguments: text } }
    open = null
  }
  for (const [index, { pieces }] of parts.entries()) {
    if (pieces?.isContinuation !== true) {
      close()
      if (pieces) open = { index, args: new PartialArguments(), text: '' }
    }
    if (open !== null && pieces) open.text += open.args.write(pieces.partialArgs)
  }
  close()
  return joined
}

/**
 * Puts the reasoning that signatures carry where it stood. A client such as Gemini CLI gives back nothing but the
 * signature of a call; others give back the thoughts as well, without a seal: those are replaced by the sealed ones.
 */
function placeReasoning(parts: readonly DecodedPart[]): Block[] {
  const blocks: Block[] = []
  let start = 0
  for (const [index, { carried }] of parts.entries()) {
    if (carried.length === 0) continue
    blocks.push(...placeCarried(parts.slice(start, index + 1), carried))
    start = index + 1
  }
  for (const { block } of parts.slice(start)) blocks.push(block)
  return blocks
}

/** `parts` end with the one that carries the seals, which are in the order of their reasoning. */
function placeCarried(parts: readonly DecodedPart[], seals: readonly CarriedSeal[]): Block[] {
  const carrier = parts.at(-1)!.block
  const placed: Block[] = []
  let next = 0
  // Without its thoughts beside it the reasoning stood before all that was said since the last call.
  let place = 0
  for (let at = 0; at < parts.length;) {
    let end = at
    while (end < parts.length && isUnsealed(parts[end]!.block)) end++
    if (end === at) {
      placed.push(parts[at++]!.block)
      continue
    }
    const run = parts.slice(at, end).map(({ block }) => block)
    const until = endOfMatch(seals, next, run.map(textOfThought).join(''))
    if (until === null) placed.push(...run.filter((block) => textOfThought(block) !== ''))
    else {
      for (const seal of seals.slice(next, until)) placed.push(reasoningOf(seal, run[0]!.path))
      next = until
      place = placed.length
    }
    at = end
  }
  const rest = seals.slice(next).map((seal) => reasoningOf(seal, carrier.path))
  return placed.toSpliced(place, 0, ...rest)
}

const isUnsealed = (block: Block): boolean => block.type === 'reasoning' && block.seal === null
const textOfThought = (block: Block): string => (block.type === 'reasoning' ? block.text : '')

/** Index behind the seals, from `from` on, the last of which together have this text; null when none have. */
function endOfMatch(seals: readonly CarriedSeal[], from: number, text: string): number | null {
  if (text === '') return null
  for (let first = from; first < seals.length; first++) {
    let joined = ''
    for (let at = first; at < seals.length && joined.length < text.length; at++) {
      joined += seals[at]!.text ?? ''
      if (joined === text) return at + 1
    }
  }
  return null
}

function reasoningOf({ seal, text, id }: CarriedSeal, path: string): ReasoningBlock {
  return { type: 'reasoning', text: text ?? '', seal, id: id ?? null, path }
}
