import type { ChatEvent } from '#ir/chat-event.ts'
import { type Candidate, collect, type CollectedBlock } from '#ir/collect.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import {
  annotationOf,
  answerId,
  finishError,
  hasPlace,
  imageOf,
  isLegacyClient,
  ownBlockMembers,
  PartPlaces,
  sealedCallMembers,
  showsReasoning,
  usageOf,
} from './answer-parts.ts'
import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import { answerCallIds } from './call-ids.ts'
import { writeFinishReason } from './finish-reasons.ts'
import { isObject, type Members, PROTOCOL, withOwn } from './members.ts'
import { addDetails, openOwnSeal, sealEntry, summaryEntry } from './reasoning-details.ts'

/** Writes a whole answer, `chat.completion`. */
export function encodeChatAnswer(events: readonly ChatEvent[], context: AnswerContext): unknown {
  const { candidates, usage, opaque } = collect(events)
  const ids = answerCallIds(context.id)
  const choices: Record<string, unknown>[] = []
  let firstBlock = 0
  for (const [index, candidate] of candidates.entries()) {
    choices.push(choiceOf(index, candidate, new MessageParts(context, ids, firstBlock, index)))
    firstBlock += candidate.blocks.length
  }
  const body: Record<string, unknown> = {
    id: answerId(context),
    object: 'chat.completion',
    created: context.createdAt,
    model: context.model,
    choices,
    ...(usage ? { usage: usageOf(usage, context) } : {}),
  }
  for (const event of opaque) {
    if (event.issuer === PROTOCOL && isObject(event.value)) addOwn(body, choices, event.value)
    else context.losses.opaque(event)
  }
  context.losses.usage(usage)
  if (context.isOpenRouter) {
    body['system_fingerprint'] ??= null
    for (const [index, choice] of choices.entries())
      choice['native_finish_reason'] ??= candidates[index]?.finish?.raw ?? null
  }
  return body
}

/** What only hosts of this protocol tell goes where they tell it. */
function addOwn(body: Record<string, unknown>, choices: readonly Record<string, unknown>[], value: Members): void {
  const { choices: told, ...members } = value
  withOwn(body, members)
  for (const one of Array.isArray(told) ? told : []) {
    const choice = isObject(one) ? choices.find(({ index }) => index === one['index']) : undefined
    if (choice) withOwn(choice, one as Members)
  }
}

function choiceOf(index: number, { blocks, finish }: Candidate, parts: MessageParts): Record<string, unknown> {
  for (const block of blocks) parts.add(block)
  const reason = finish?.reason ?? 'stop'
  const word = writeFinishReason(reason, parts.isLegacy)
  parts.context.losses.finish(finish, word)
  return {
    index,
    message: parts.message,
    logprobs: parts.logprobs,
    finish_reason: word,
    ...(reason === 'error' ? { error: finishError(finish) } : {}),
  }
}

/** The message of one candidate while its blocks are put together. */
class MessageParts {
  readonly isLegacy: boolean
  readonly context: AnswerContext
  private readonly candidate: number
  private readonly ids: AnswerCallIds
  private readonly places = new PartPlaces()
  /** Number of the next block in the answer, for calls without an id. */
  private blockIndex: number
  private content: string | null = null
  private refusal: string | null = null
  private reasoning = ''
  private readonly details: Record<string, unknown>[] = []
  private readonly calls: Members[] = []
  private readonly annotations: unknown[] = []
  private readonly images: Members[] = []
  private readonly members: Record<string, unknown> = {}
  private readonly tokens: Record<string, unknown[]> = {}

  constructor(context: AnswerContext, ids: AnswerCallIds, firstBlock: number, candidate: number) {
    this.context = context
    this.candidate = candidate
    this.ids = ids
    this.blockIndex = firstBlock
    this.isLegacy = isLegacyClient(context)
  }

  add(block: CollectedBlock): void {
    const { head } = block
    const place = this.places.next(head.type)
    const index = this.blockIndex++
    if (!hasPlace(head))
      this.context.losses.block({ type: 'block-start', index, candidate: this.candidate, block: head })
    switch (head.type) {
      case 'text':
        this.addText(block, index, place)
        break
      case 'refusal':
        this.refusal = (this.refusal ?? '') + block.text
        break
      case 'reasoning':
        this.addReasoning(block, place)
        break
      case 'tool-call':
        this.addCall(block, index, place)
        break
      case 'media':
        if (head.kind === 'image') this.images.push(imageOf(head, this.images.length))
        else if (head.kind === 'audio') this.addAudio(head.data)
        break
      case 'opaque':
        withOwn(this.members, ownBlockMembers(head.issuer, head.value))
        break
      default: {
        const missed: never = head
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
    this.addTokens(block)
  }

  get message(): Members {
    const { content, refusal, reasoning, details, calls, annotations, images, members } = this
    const [first, ...more] = this.isLegacy ? calls : []
    const listed = this.isLegacy ? more : calls
    const isSilent = calls.length > 0 || refusal !== null || 'audio' in members
    return withOwn(
      {
        role: 'assistant',
        content: content ?? (isSilent ? null : ''),
        refusal,
        ...(reasoning === '' || !showsReasoning(this.context) ? {} : { reasoning_content: reasoning, reasoning }),
        ...(details.length > 0 ? { reasoning_details: details } : {}),
        ...(first ? { function_call: first['function'] ?? first['custom'] } : {}),
        ...(listed.length > 0 ? { tool_calls: listed } : {}),
        ...(annotations.length > 0 ? { annotations } : {}),
        ...(images.length > 0 ? { images } : {}),
      },
      members,
    )
  }

  get logprobs(): Members | null {
    return Object.keys(this.tokens).length === 0 ? null : { content: null, refusal: null, ...this.tokens }
  }

  private addText({ text, seal, citations }: CollectedBlock, index: number, place: number): void {
    const start = this.content?.length ?? 0
    this.content = (this.content ?? '') + text
    if (seal) {
      this.details.push({ ...sealEntry({ seal, place: 'text' }, place) })
      this.places.endText()
    }
    for (const citation of citations) {
      const annotation = annotationOf(citation, start, this.content.length, this.annotations.length)
      this.context.losses.citation(citation, this.candidate, index, annotation !== null)
      if (annotation !== null) this.annotations.push(annotation)
    }
  }

  /** The list of a host of this protocol passes as it stood. */
  private addReasoning({ head, text, parts, seal }: CollectedBlock, place: number): void {
    this.reasoning += text
    if (!seal || head.type !== 'reasoning') return
    if (seal.issuer === PROTOCOL) {
      const { details, members } = openOwnSeal(seal)
      addDetails(this.details, details)
      withOwn(this.members, members)
      return
    }
    if (seal.kind === 'encrypted' && showsReasoning(this.context))
      for (const part of parts) this.details.push({ ...summaryEntry(part, seal.issuer, place) })
    const id = head.id === null ? {} : { id: head.id }
    const shown = showsReasoning(this.context) ? { text } : {}
    const hidden = showsReasoning(this.context) || text === '' ? {} : { text }
    this.details.push({ ...sealEntry({ seal, place: 'reasoning', ...hidden, ...id }, place, shown) })
  }

  private addCall({ head, text }: CollectedBlock, index: number, place: number): void {
    if (head.type !== 'tool-call') return
    const { name, kind, seal } = head
    const id = this.ids.idOf(head.id, index)
    const called =
      kind === 'custom'
        ? { custom: { name, input: text } }
        : { function: { name, arguments: text === '' ? '{}' : text } }
    this.calls.push({ id, type: kind, ...called, ...sealedCallMembers(seal) })
    if (seal && seal.issuer !== PROTOCOL)
      this.details.push({ ...sealEntry({ seal, place: 'tool-call' }, place, { id }) })
  }

  /** Pieces of one sound; what else its host told stands in a block of its own. */
  private addAudio(data: string): void {
    const told = isObject(this.members['audio']) ? this.members['audio'] : {}
    const before = typeof told['data'] === 'string' ? told['data'] : ''
    this.members['audio'] = { ...told, data: before + data }
  }

  private addTokens({ head, logprobs }: CollectedBlock): void {
    if (logprobs.length === 0) return
    const name = head.type === 'reasoning' ? 'reasoning_content' : head.type === 'refusal' ? 'refusal' : 'content'
    this.tokens[name] = [...(this.tokens[name] ?? []), ...logprobs]
  }
}
