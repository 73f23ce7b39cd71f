import type { Block, Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import type { CollectedBlock } from '#ir/collect.ts'
import { type ChatProtocol, clientOf, isClient } from './exchanges.ts'

/** The order in which seals, texts and calls stand in an assistant's turn: what a round trip through a client must keep. */

type Members = Readonly<Record<string, unknown>>

const sealed = (seal: Seal | null | undefined): string[] => (seal && seal.value !== '' ? [`seal ${seal.value}`] : [])
const spoken = (text: string): string[] => (text === '' ? [] : [`text ${text}`])

/** Texts that follow each other are one text. */
function joined(steps: readonly string[]): string[] {
  const result: string[] = []
  for (const step of steps) {
    const last = result.at(-1)
    if (last?.startsWith('text ') && step.startsWith('text ')) result[result.length - 1] = last + step.slice(5)
    else result.push(step)
  }
  return result
}

export const stepsOfBlocks = (blocks: readonly Block[]): string[] => joined(blocks.flatMap(stepsOfBlock))

function stepsOfBlock(block: Block): string[] {
  if (block.type === 'reasoning') return sealed(block.seal)
  if (block.type === 'text') return [...spoken(block.text), ...sealed(block.seal)]
  return block.type === 'tool-call' ? [...sealed(block.seal), `call ${block.name}`] : []
}

export const stepsOfAnswer = (blocks: readonly CollectedBlock[]): string[] =>
  joined(
    blocks.flatMap(({ head, text, seal }) => {
      if (head.type === 'tool-call') return [...sealed(head.seal), `call ${head.name}`]
      return [...(head.type === 'text' ? spoken(text) : []), ...sealed(seal)]
    }),
  )

/** What the assistant's turns of a request to an upstream hold. */
export function stepsOfRequest(protocol: ChatProtocol, body: unknown): string[] {
  if (!isClient(protocol)) return joined(converseBlocks(body as Members).flatMap(stepsOfConverse))
  const { turns } = clientOf(protocol).decodeRequest(body, { stream: false })
  const steps = stepsOfBlocks(turns.filter(({ role }) => role === 'assistant').flatMap(({ blocks }) => blocks))
  return protocol === 'openai-chat' ? [...steps, ...copilotSeals(body as Members)] : steps
}

/** Copilot's seal is a member of the message that no other protocol knows, so that it is no seal when a client writes it. */
function copilotSeals({ messages }: Members): string[] {
  return (messages as Members[]).flatMap(({ reasoning_opaque: opaque }) =>
    typeof opaque === 'string' ? [`seal ${JSON.stringify({ reasoning_opaque: opaque })}`] : [],
  )
}

function converseBlocks({ messages }: Members): Members[] {
  return (messages as Members[])
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => content as Members[])
}

function stepsOfConverse({ text, toolUse, reasoningContent }: Members): string[] {
  if (typeof text === 'string') return spoken(text)
  if (toolUse) return [`call ${String((toolUse as Members)['name'])}`]
  const { reasoningText, redactedContent } = (reasoningContent ?? {}) as Members
  const value = (reasoningText as Members | undefined)?.['signature'] ?? redactedContent
  return typeof value === 'string' ? [`seal ${value}`] : []
}

/** The turn as the answer that it once was. */
export function eventsOfBlocks(blocks: readonly Block[]): ChatEvent[] {
  const events: ChatEvent[] = [{ type: 'response-start', id: null, model: null, createdAt: null }]
  let index = 0
  let calls = 0
  for (const block of blocks) {
    const head = headOf(block)
    if (!head) continue
    events.push({ type: 'block-start', index, candidate: 0, block: head })
    const text = block.type === 'tool-call' ? block.arguments : 'text' in block ? block.text : ''
    if (text !== '') events.push({ type: 'block-delta', index, text })
    const seal = block.type === 'text' || block.type === 'reasoning' ? block.seal : null
    if (seal) events.push({ type: 'block-seal', index, seal })
    events.push({ type: 'block-end', index })
    if (block.type === 'tool-call') calls++
    index++
  }
  const reason = calls > 0 ? 'tool-calls' : 'stop'
  return [...events, { type: 'finish', candidate: 0, reason, raw: null, stopSequence: null }]
}

function headOf(block: Block): BlockHead | null {
  switch (block.type) {
    case 'text':
      return { type: 'text' }
    case 'reasoning':
      return { type: 'reasoning', id: block.id, isSummary: block.summary !== undefined }
    case 'tool-call': {
      const { type, id, name, kind, itemId, namespace, seal } = block
      return {
        type,
        id,
        name,
        kind,
        ...(itemId === undefined ? {} : { itemId }),
        ...(namespace === undefined ? {} : { namespace }),
        ...(seal === undefined ? {} : { seal }),
      }
    }
    default:
      return null
  }
}
