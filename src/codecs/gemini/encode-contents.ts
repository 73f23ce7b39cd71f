import type { Block } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { CallNames } from './call-names.ts'
import { loseForeign, type Part, type PartContext, partsOfBlock } from './encode-parts.ts'

export interface Content {
  readonly role: 'user' | 'model'
  readonly parts: readonly Part[]
}

export interface Conversation {
  readonly contents: readonly Content[]
  readonly system: readonly Part[]
}

interface Placed {
  readonly part: Part
  readonly path: string
}

interface OpenContent {
  readonly role: Content['role']
  placed: Placed[]
  turnsCount: number
}

/**
 * The turns as Gemini wants them: users and models in turn, system text apart. `isStrict` is a model that refuses calls
 * without a signature (from Gemini 3 on), and takes media inside results.
 */
export function encodeConversation(request: ChatRequest, isStrict: boolean, losses: Losses): Conversation {
  const context: PartContext = { losses, calls: new CallNames(), hasMediaInResults: isStrict }
  const systemText: Part[] = request.instructions.flatMap((block) => partsOfBlock(block, context))
  const contents: OpenContent[] = []
  for (const turn of request.turns) {
    loseForeign(turn.ext, turn.path, losses)
    if (turn.name !== undefined) losses.dropped(`${turn.path}/name`, 'Gemini takes no names of participants')
    context.calls.add(turn)
    if (turn.role === 'system' || turn.role === 'developer') {
      if (contents.length > 0) losses.rewritten(turn.path, 'system text stands before the conversation')
      systemText.push(...systemParts(turn.blocks, context))
    } else addTurn(contents, turn, context)
  }
  if (isStrict) signCalls(contents, losses)
  const system = systemText.filter((part) => !isEmptyText(part))
  const closed = contents.map(closeContent).filter(({ parts }) => parts.length > 0)
  if (closed.length > 0 || system.length === 0) return { contents: closed, system }
  losses.emulated(
    request.turns[0]?.path ?? '',
    'Gemini wants a turn beside system text: it is sent as the turn of the user',
  )
  return { contents: [{ role: 'user', parts: system }], system: [] }
}

function systemParts(blocks: readonly Block[], context: PartContext): readonly Part[] {
  return blocks.flatMap((block) => {
    if (block.type === 'text') return partsOfBlock(block, context)
    context.losses.dropped(block.path, 'system instructions are text alone')
    return []
  })
}

function addTurn(contents: OpenContent[], turn: Turn, context: PartContext): void {
  const role = turn.role === 'assistant' ? 'model' : 'user'
  const placed = turn.blocks.flatMap((block) =>
    partsOfBlock(block, context).map((part) => ({ part, path: block.path })),
  )
  const last = contents.at(-1)
  if (last?.role === role) {
    last.placed.push(...placed)
    last.turnsCount++
  } else contents.push({ role, placed, turnsCount: 1 })
}

/** Results come first, as they answer the calls just before; a single turn stays in the client's own order. */
function closeContent({ role, placed, turnsCount }: OpenContent): Content {
  const spoken = placed.length > 1 ? placed.filter(({ part }) => !isEmptyText(part)) : placed
  const kept = spoken.length > 0 ? spoken : placed.slice(0, 1)
  const parts = kept.map(({ part }) => part)
  if (turnsCount === 1 || role === 'model') return { role, parts }
  return { role, parts: [...parts.filter(isResult), ...parts.filter((part) => !isResult(part))] }
}

/** Google refuses empty texts; where they carry a signature it takes them. */
const isEmptyText = (part: Part): boolean => part['text'] === '' && part['thoughtSignature'] === undefined
const isResult = (part: Part): boolean => 'functionResponse' in part

/** Google's own word for calls that another model made. Source: ai.google.dev/gemini-api/docs/thought-signatures. */
const NO_SIGNATURE = 'skip_thought_signature_validator'

/**
 * In the current turn the first call of each step needs a signature, or the request is refused. The turn starts with what
 * the user said without a result beside it; one call too many with the placeholder does no harm.
 */
function signCalls(contents: readonly OpenContent[], losses: Losses): void {
  const start = contents.findLastIndex(
    ({ role, placed }) => role === 'user' && !placed.some(({ part }) => isResult(part)),
  )
  for (const content of contents.slice(start + 1)) {
    const index = content.placed.findIndex(({ part }) => 'functionCall' in part)
    const first = content.placed[index]
    if (first === undefined || first.part['thoughtSignature'] !== undefined) continue
    losses.emulated(first.path, 'Gemini wants a signature of its own: its placeholder stands for it')
    content.placed[index] = { ...first, part: { ...first.part, thoughtSignature: NO_SIGNATURE } }
  }
}
