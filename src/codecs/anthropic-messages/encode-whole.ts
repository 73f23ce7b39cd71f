import { argumentObject, invalidArguments } from '#codecs/argument-object.ts'
import type { AnswerLosses } from '#codecs/answer-losses.ts'
import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import type { BlockHead, BlockStart, ChatEvent } from '#ir/chat-event.ts'
import { collect, type CollectedBlock } from '#ir/collect.ts'
import { fieldsOf } from '#ir/counts.ts'
import { brokenAnswer } from './answer-failure.ts'
import {
  carrierOf,
  hidesReasoning,
  isRedacted,
  messageHead,
  PART_BREAK,
  redactedOf,
  signatureOf,
  UNSIGNED,
} from './answer-heads.ts'
import { readMembers } from './answer-members.ts'
import { isObject, type Members, nativeCitation, PROTOCOL } from './members.ts'
import { writeStopReason } from './stop-reasons.ts'
import { answerToolIds } from './tool-ids.ts'
import { writeUsage } from './write-usage.ts'

/** The body of a whole answer. One whose model could not bring it to an end is the API's error body. */
export function encodeWhole(events: readonly ChatEvent[], context: AnswerContext): unknown {
  const { candidates, usage } = collect(events)
  const { blocks, finish } = candidates[0]!
  const content = new WholeContent(context)
  let index = -1
  let members: Members = {}
  let usageMembers: Members = {}
  let blockMembers: Members = {}
  for (const event of events) {
    if (event.type === 'block-start' && event.candidate === 0) {
      content.add(blocks[++index]!, event.index, blockMembers)
      blockMembers = {}
    }
    if (event.type === 'block-start' && event.candidate !== 0) context.losses.candidate(event.candidate)
    if (event.type === 'block-logprobs') context.losses.logprobs(0)
    if (event.type !== 'opaque') continue
    if (event.issuer !== PROTOCOL) {
      context.losses.opaque(event)
      continue
    }
    const kept = readMembers(event.value)
    if (kept?.at === 'content_block') blockMembers = kept.members
    if (kept?.at !== 'message' && kept?.at !== 'message_delta') continue
    const { usage: more, delta, ...others } = kept.members
    members = { ...members, ...others, ...fieldsOf(delta) }
    usageMembers = { ...usageMembers, ...fieldsOf(more) }
  }
  content.end()
  const reason = writeStopReason(finish, content)
  if (reason === null) return brokenAnswer(finish?.raw ?? null)
  context.losses.finish(finish, reason)
  return {
    ...messageHead(context),
    content: content.blocks,
    stop_reason: reason,
    stop_sequence: finish?.stopSequence ?? null,
    ...members,
    usage: writeUsage(usage, usageMembers),
  }
}

/** The content of a whole answer, block by block. */
class WholeContent {
  readonly blocks: Members[] = []
  /** Seals of the texts before, which are written only when something else follows: clients take the last block for the answer. */
  private carriers: Members[] = []
  /** The text before, when it may go on: one text of the model is one block for clients. */
  private lingering: string | null = null
  hasToolCalls = false
  hasRefusal = false
  readonly isNative: boolean
  private readonly hidesReasoning: boolean
  private readonly toolIds: AnswerCallIds
  private readonly losses: AnswerLosses
  /** Index of the text that was sealed last. */
  private sealedText = -1

  constructor(context: AnswerContext) {
    this.losses = context.losses
    this.isNative = context.upstream === PROTOCOL
    this.hidesReasoning = hidesReasoning(context)
    this.toolIds = answerToolIds(context.id)
  }

  /** `index` is that of the block in the answer; `members` are those that only this protocol knows. */
  add(block: CollectedBlock, index: number, members: Members): void {
    const { head, text } = block
    if (head.type !== 'text' || this.carriers.length > 0) this.endText()
    switch (head.type) {
      case 'text':
        this.addText(block, index, members)
        break
      case 'refusal':
        this.hasRefusal = true
        this.losses.refusal(startOf(head, index))
        if (text !== '') this.blocks.push({ type: 'text', text })
        break
      case 'reasoning':
        this.addReasoning(block, members)
        break
      case 'tool-call': {
        this.hasToolCalls = true
        if (head.seal !== undefined) this.blocks.push(carrierOf(head.seal, 'tool-call'))
        const input = head.kind === 'custom' ? { input: text } : argumentObject(text)
        if (invalidArguments(input) !== null) this.losses.arguments(0, index)
        this.blocks.push({
          type: 'tool_use',
          id: this.toolIds.idOf(head.id, index),
          name: head.name,
          input,
          ...members,
        })
        break
      }
      case 'opaque':
        if (head.issuer === PROTOCOL && isObject(head.value)) this.blocks.push(head.value)
        else this.losses.block(startOf(head, index))
        break
      // The API has no images or sounds in an answer.
      case 'media':
        this.losses.block(startOf(head, index))
        break
      default: {
        const missed: never = head
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  /** The answer is whole: a seal behind its last text has no place. */
  end(): void {
    if (this.carriers.length > 0) this.losses.seal(0, this.sealedText)
  }

  private addText(block: CollectedBlock, index: number, members: Members): void {
    const { text, seal } = block
    if (seal !== null) this.sealedText = index
    for (const citation of block.citations) this.losses.citation(citation, 0, index, nativeCitation(citation) !== null)
    if (text === '' && !this.isNative) {
      if (seal !== null) this.carriers.push(carrierOf(seal, 'text', ''))
      return
    }
    const before = this.lingering ?? ''
    if (before !== '') this.blocks.pop()
    this.blocks.push({ type: 'text', text: before + text, ...members, ...citationsOf(block) })
    this.lingering = this.isNative ? null : before + text
    if (seal !== null) this.carriers.push(carrierOf(seal, 'text', before === '' ? undefined : text))
    if (this.isNative) this.endText()
  }

  private endText(): void {
    this.blocks.push(...this.carriers)
    this.carriers = []
    this.lingering = null
  }

  private addReasoning({ head, text, parts, seal }: CollectedBlock, members: Members): void {
    if (head.type !== 'reasoning') return
    const thinking = this.hidesReasoning ? '' : parts.join(PART_BREAK)
    if (seal === null) {
      if (thinking !== '' || this.isNative)
        this.blocks.push({ type: 'thinking', thinking, signature: this.isNative ? '' : UNSIGNED, ...members })
    } else if (thinking === '' && isRedacted(seal)) this.blocks.push({ ...redactedOf(seal, head, text), ...members })
    else this.blocks.push({ type: 'thinking', thinking, signature: signatureOf(seal, head), ...members })
  }
}

const startOf = (block: BlockHead, index: number): BlockStart => ({ type: 'block-start', index, candidate: 0, block })

function citationsOf({ citations }: CollectedBlock): { citations?: readonly unknown[] } {
  const native = citations.map(nativeCitation).filter((citation) => citation !== null)
  return native.length === 0 ? {} : { citations: native }
}
