import type { Citation } from '#ir/blocks.ts'
import type { BlockCitation, BlockHead, BlockStart, ChatEvent, Finish } from '#ir/chat-event.ts'
import { collect, type Candidate, type CollectedBlock } from '#ir/collect.ts'
import type { Usage } from '#ir/usage.ts'
import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { Failure } from '#codecs/codec.ts'
import type { AnswerContext, StreamEncoder } from '#codecs/translation.ts'
import {
  callPart,
  type CitationSource,
  citationSource,
  endingOf,
  hidesThoughts,
  mediaPart,
  OwnMembers,
  SealCarrier,
  textSignature,
  usageMetadataOf,
} from './answer-parts.ts'
import { answerCallIds } from './call-ids.ts'
import { geminiPassthrough } from './passthrough.ts'

type Part = Record<string, unknown>

interface OpenCandidate {
  readonly number: number
  /** What stands before and after the parts of each of its events. */
  readonly before: string
  readonly after: string
  readonly seals: SealCarrier
  readonly sources: CitationSource[]
  readonly tokens: unknown[]
  /** Text of the blocks before the open one. */
  text: string
  hasRefusal: boolean
  finish: Finish | null
}

interface OpenBlock {
  readonly head: BlockHead
  readonly candidate: OpenCandidate
  /** What stands before and after the text of each delta; empty for one that is not written as text. */
  readonly before: string
  readonly after: string
  text: string
}

/**
 * Writes an answer as events of streamGenerateContent: each is a whole GenerateContentResponse with the next part. Why it
 * finished and the usage stand in the last one. A call goes out when its arguments are complete, as the wire has no other
 * form for it that every client reads.
 */
export class GeminiEncoder implements StreamEncoder {
  private readonly context: AnswerContext
  private readonly callIds: AnswerCallIds
  private readonly tail: string
  private readonly isHidden: boolean
  private readonly blocks: OpenBlock[] = []
  private readonly candidates: OpenCandidate[] = []
  private readonly own = new OwnMembers()
  private usage: Usage | null = null

  constructor(context: AnswerContext) {
    this.context = context
    this.callIds = answerCallIds(context.id)
    this.isHidden = hidesThoughts(context)
    this.tail = `"modelVersion":${JSON.stringify(context.model)},"responseId":${JSON.stringify(context.id)}}\n\n`
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case 'block-delta': {
        const block = this.blocks[event.index]!
        block.text += event.text
        if (block.before === '') return ''
        return block.before + inOneLine(JSON.stringify(event.text)) + block.after
      }
      case 'block-start':
        return this.start(event)
      case 'block-seal':
        return this.seal(this.blocks[event.index]!, event)
      case 'block-citation':
        this.cite(this.blocks[event.index]!, event)
        return ''
      case 'block-logprobs':
        this.blocks[event.index]!.candidate.tokens.push(...event.tokens)
        return ''
      case 'block-end':
        return this.endBlock(this.blocks[event.index]!, event.index)
      case 'usage':
        this.usage = event.usage
        return ''
      case 'finish':
        this.candidate(event.candidate).finish = event
        return ''
      case 'opaque':
        if (event.issuer === 'gemini') this.own.add(event.value)
        else this.context.losses.opaque(event)
        return ''
      case 'response-start':
        return ''
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }

  end(): string {
    // Without a candidate there is no place for a finish, and without a finish no answer is complete.
    this.candidate(0)
    const open = Object.values(this.candidates)
    const isBlocked = this.own.tellsBlock(open.map(({ finish }) => finish))
    const candidates = open.map((candidate) => ({
      content: { parts: [lastPart(candidate.seals)], role: 'model' },
      ...endingOf(candidate.number, { ...candidate, members: this.own.ofCandidate(candidate.number) }, this.context),
    }))
    this.context.losses.usage(this.usage)
    const counts = usageMetadataOf(this.usage)
    const usageMetadata = counts && { ...counts, ...this.own.usage }
    const body = JSON.stringify({
      ...(isBlocked ? {} : { candidates }),
      ...(usageMetadata === null ? {} : { usageMetadata }),
      ...this.own.answer,
    })
    return `data: ${inOneLine(body.slice(0, -1))},${this.tail}`
  }

  fail(failure: Failure): string {
    return geminiPassthrough.failureEvents(failure)
  }

  private start(start: BlockStart): string {
    const { index, candidate: number, block: head } = start
    const candidate = this.candidate(number)
    const block: OpenBlock = { head, candidate, text: '', ...this.framesOf(head, candidate) }
    this.blocks[index] = block
    if (head.type === 'refusal') {
      candidate.hasRefusal = true
      this.context.losses.refusal(start)
    }
    if (head.type === 'media') return this.write(candidate, mediaPart(head))
    if (head.type !== 'opaque') return ''
    if (head.issuer === 'gemini') return this.write(candidate, head.value as Part)
    this.context.losses.block(start)
    return ''
  }

  private framesOf(head: BlockHead, { before, after }: OpenCandidate): Pick<OpenBlock, 'before' | 'after'> {
    if (head.type === 'text' || head.type === 'refusal') return { before: `${before}{"text":`, after: `}${after}` }
    if (head.type !== 'reasoning' || this.isHidden) return { before: '', after: '' }
    return { before: `${before}{"text":`, after: `,"thought":true}${after}` }
  }

  private seal({ head, candidate, text }: OpenBlock, { seal }: Extract<ChatEvent, { type: 'block-seal' }>): string {
    if (head.type === 'text') return this.write(candidate, { text: '', thoughtSignature: textSignature(seal) })
    if (head.type !== 'reasoning') return ''
    if (seal.issuer === 'gemini')
      return this.write(candidate, { text: '', thought: true, thoughtSignature: seal.value })
    candidate.seals.addReasoning(seal, text, head.id)
    return ''
  }

  private cite({ candidate, text }: OpenBlock, { index, citation }: BlockCitation): void {
    const source = citationSource(citation, candidate.text, text)
    this.context.losses.citation(citation, candidate.number, index, source !== null)
    if (source) candidate.sources.push(source)
  }

  private endBlock({ head, candidate, text }: OpenBlock, index: number): string {
    if (head.type === 'text') candidate.text += text
    if (head.type !== 'tool-call') return ''
    return this.write(
      candidate,
      callPart(head, text, this.callIds.idOf(head.id, index), candidate.seals.signCall(head.seal), () =>
        this.context.losses.arguments(candidate.number, index),
      ),
    )
  }

  private write(candidate: OpenCandidate, part: Part): string {
    return candidate.before + inOneLine(JSON.stringify(part)) + candidate.after
  }

  private candidate(number: number): OpenCandidate {
    return (this.candidates[number] ??= {
      number,
      before: 'data: {"candidates":[{"content":{"parts":[',
      after: `],"role":"model"},"index":${number}}],${this.tail}`,
      seals: new SealCarrier(),
      sources: [],
      tokens: [],
      text: '',
      hasRefusal: false,
      finish: null,
    })
  }
}

/**
 * Line ends of Unicode are escaped, as Google does: Google's SDK for Python reads lines with `str.splitlines`, which would
 * cut the event there.
 */
function inOneLine(json: string): string {
  if (!json.includes('\u2028') && !json.includes('\u2029') && !json.includes('\u0085')) return json
  return json.replace(/[\u0085\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The last event has a part as Google's has: some SDKs drop contents without any. It carries seals that no call took. */
function lastPart(seals: SealCarrier): Part {
  const signature = seals.takeRest()
  return signature === null ? { text: '' } : { text: '', thought: true, thoughtSignature: signature }
}

export function encodeGeminiWhole(events: readonly ChatEvent[], context: AnswerContext): unknown {
  const answer = collect(events)
  const own = new OwnMembers()
  for (const event of answer.opaque) {
    if (event.issuer === 'gemini') own.add(event.value)
    else context.losses.opaque(event)
  }
  context.losses.usage(answer.usage)
  const counts = usageMetadataOf(answer.usage)
  const usageMetadata = counts && { ...counts, ...own.usage }
  const isBlocked = own.tellsBlock(answer.candidates.map(({ finish }) => finish))
  const indexes = indexesOf(events)
  const callIds = answerCallIds(context.id)
  const candidates = answer.candidates.map((candidate, position) =>
    wholeCandidate(candidate, candidate.finish?.candidate ?? position, own, indexes, callIds, context),
  )
  return {
    ...(isBlocked ? {} : { candidates }),
    ...(usageMetadata === null ? {} : { usageMetadata }),
    ...own.answer,
    modelVersion: context.model,
    responseId: context.id,
  }
}

/** The index of each block, which a fold does not tell: ids of calls are made of it. */
function indexesOf(events: readonly ChatEvent[]): ReadonlyMap<BlockHead, number> {
  return new Map(events.flatMap((event) => (event.type === 'block-start' ? [[event.block, event.index] as const] : [])))
}

function wholeCandidate(
  { blocks, finish }: Candidate,
  number: number,
  own: OwnMembers,
  indexes: ReadonlyMap<BlockHead, number>,
  callIds: AnswerCallIds,
  context: AnswerContext,
): Record<string, unknown> {
  const seals = new SealCarrier()
  const parts = blocks.flatMap((block) =>
    wholeParts(block, number, indexes.get(block.head) ?? 0, seals, callIds, context),
  )
  const signature = seals.takeRest()
  const lastCall = parts.findLastIndex((part) => 'functionCall' in part)
  const thought = parts.slice(lastCall + 1).findLast((part) => part['thought'] === true)
  if (signature !== null) {
    if (thought) thought['thoughtSignature'] = signature
    else parts.push({ text: '', thought: true, thoughtSignature: signature })
  }
  const ending = {
    finish,
    hasRefusal: blocks.some(({ head }) => head.type === 'refusal'),
    sources: sourcesOf(blocks, (block, citation, isKept) =>
      context.losses.citation(citation, number, indexes.get(block.head) ?? 0, isKept),
    ),
    tokens: blocks.flatMap(({ logprobs }) => logprobs),
    members: own.ofCandidate(number),
  }
  const content = { parts: parts.length > 0 ? parts : [{ text: '' }], role: 'model' }
  return { content, ...endingOf(number, ending, context) }
}

function sourcesOf(
  blocks: readonly CollectedBlock[],
  tell: (block: CollectedBlock, citation: Citation, isKept: boolean) => void,
): CitationSource[] {
  let before = ''
  const sources: CitationSource[] = []
  for (const block of blocks) {
    const { head, text, citations } = block
    for (const citation of citations) {
      const source = citationSource(citation, before, text)
      tell(block, citation, source !== null)
      if (source) sources.push(source)
    }
    if (head.type === 'text') before += text
  }
  return sources
}

function wholeParts(
  block: CollectedBlock,
  candidate: number,
  index: number,
  seals: SealCarrier,
  callIds: AnswerCallIds,
  context: AnswerContext,
): Part[] {
  const { head, text, seal } = block
  switch (head.type) {
    case 'text':
      if (text === '' && seal === null) return []
      return [{ text, ...(seal === null ? {} : { thoughtSignature: textSignature(seal) }) }]
    case 'refusal':
      context.losses.refusal({ type: 'block-start', index, candidate, block: head })
      return text === '' ? [] : [{ text }]
    case 'reasoning': {
      const shown = hidesThoughts(context) ? '' : text
      const isOwn = seal?.issuer === 'gemini'
      if (seal && !isOwn) seals.addReasoning(seal, text, head.id)
      if (shown === '' && !isOwn) return []
      return [{ text: shown, thought: true, ...(isOwn ? { thoughtSignature: seal.value } : {}) }]
    }
    case 'tool-call':
      return [
        callPart(head, text, callIds.idOf(head.id, index), seals.signCall(head.seal), () =>
          context.losses.arguments(candidate, index),
        ),
      ]
    case 'media':
      return [mediaPart(head)]
    case 'opaque':
      if (head.issuer === 'gemini') return [head.value as Part]
      context.losses.block({ type: 'block-start', index, candidate, block: head })
      return []
    default: {
      const missed: never = head
      throw new Error(`no part for ${String(missed)}`)
    }
  }
}
