import { CALL_IDS, legalCallId as legalIdOf } from '#codecs/legal-call-id.ts'
import type { Block, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { Turn } from '#ir/chat-request.ts'

/** The id itself where Converse takes it as `toolUseId`; else one that it does. */
export const legalCallId = (id: string): string => legalIdOf(id, CALL_IDS['bedrock-converse'])

interface OpenCall {
  readonly block: ToolCallBlock
  readonly id: string
}

/**
 * Ids for all tool calls and results of a conversation. A result belongs to the first call of its id that has none yet, or
 * of its name where it has no id. Calls that share an id, as some hosts number them anew in each turn, get ids of their own.
 */
export function pairCalls(turns: readonly Turn[]): ReadonlyMap<Block, string> {
  const ids = new Map<Block, string>()
  const used = new Set<string>()
  const open: OpenCall[] = []
  for (const { blocks } of turns) {
    for (const block of blocks) {
      if (block.type === 'tool-call') {
        const id = unusedId(
          block.id === null || block.id === '' ? `call_${used.size + 1}` : legalCallId(block.id),
          used,
        )
        used.add(id)
        ids.set(block, id)
        open.push({ block, id })
      } else if (block.type === 'tool-result') ids.set(block, answeredId(block, open))
    }
  }
  return ids
}

function unusedId(id: string, used: ReadonlySet<string>): string {
  if (!used.has(id)) return id
  for (let count = 2; ; count++) {
    const next = legalCallId(`${id}_${count}`)
    if (!used.has(next)) return next
  }
}

/** The id of the call that this result answers, which is then no longer open. */
function answeredId(result: ToolResultBlock, open: OpenCall[]): string {
  const { callId, name } = result
  const hasId = callId !== null && callId !== ''
  const isNamed = ({ block }: OpenCall): boolean => name === null || block.name === name
  const exact = hasId ? open.findIndex(({ block }) => block.id === callId) : open.findIndex(isNamed)
  // A client may give an id to what had none.
  const at = exact < 0 && hasId ? open.findIndex((call) => call.block.id === null && isNamed(call)) : exact
  const call = at < 0 ? undefined : open.splice(at, 1)[0]
  return call?.id ?? (hasId ? legalCallId(callId) : 'call_unknown')
}
