import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { citationsOf } from './citations.ts'
import { finishReasonOf, finishWordOf } from './finish-reasons.ts'
import { tokensOf } from './logprobs.ts'
import { kindOf } from './media-types.ts'
import { PartialArguments } from './partial-arguments.ts'

type Fields = Readonly<Record<string, unknown>>

/** Where a candidate's events go. */
export interface EventSink {
  emit(event: ChatEvent): void
  /** Index of the next block of the whole answer. */
  nextIndex(): number
  fail(message: string): void
}

/** Reads one candidate of an answer, part by part. */
export class CandidateDecoder {
  private readonly number: number
  private readonly sink: EventSink
  /** The block that is open, -1 when none is. */
  private index = -1
  private kind: BlockHead['type'] = 'text'
  /** Text of the open block: places of citations are counted in it. */
  private text = ''
  /** A signature ends its block, but what the same event tells of the text comes before. */
  private seal: Seal | null = null
  private args: PartialArguments | null = null
  private hasCalls = false
  private word: string | null = null
  private readonly cited = new Set<string>()

  constructor(number: number, sink: EventSink) {
    this.number = number
    this.sink = sink
  }

  /** Whether it has told why it finished. */
  get isFinished(): boolean {
    return this.word !== null
  }

  read(candidate: Fields): void {
    const { parts } = fieldsOf(candidate['content'])
    if (Array.isArray(parts)) for (const part of parts as unknown[]) this.readPart(fieldsOf(part))
    this.readMetadata(candidate)
    this.word = finishWordOf(candidate['finishReason']) ?? this.word
    if (this.seal !== null) this.close()
  }

  /** Ends what is open. `isWhole`: nothing is missing, although no reason may have been told. */
  end(isWhole: boolean, blockedReason: string | null): void {
    this.close()
    const raw = this.word ?? blockedReason
    if (raw === null && !isWhole) return
    const reason = finishReasonOf(raw, this.hasCalls)
    this.sink.emit({ type: 'finish', candidate: this.number, reason, raw, stopSequence: null })
  }

  private readPart(part: Fields): void {
    const { text, functionCall, inlineData } = part
    if (typeof text === 'string') this.readText(part, text)
    else if (isPresent(functionCall)) this.readCall(part, fieldsOf(functionCall))
    else if (isPresent(inlineData)) this.readData(part, fieldsOf(inlineData))
    else if (isSignatureAlone(part)) this.readText(part, '')
    else if (Object.keys(part).length > 0) this.addWhole({ type: 'opaque', issuer: 'gemini', value: part })
  }

  /** Google says never to join a signed text with an unsigned one, but sends signatures of what went before with ''. */
  private readText(part: Fields, text: string): void {
    const kind = part['thought'] === true ? 'reasoning' : 'text'
    const seal = sealOfPart(part)
    if (text === '' && seal === null) return
    const isOther = this.index < 0 || this.kind !== kind || this.seal !== null
    if (isOther || (kind === 'text' && seal !== null && text !== '' && this.text !== '')) {
      this.open(kind === 'text' ? TEXT : REASONING)
    }
    if (text !== '') {
      if (kind === 'text') this.text += text
      this.sink.emit({ type: 'block-delta', index: this.index, text })
    }
    this.seal = seal
  }

  private readCall(part: Fields, call: Fields): void {
    const { id, name, args, partialArgs } = call
    if (typeof name === 'string' && name !== '') {
      const seal = sealOfPart(part)
      this.open({
        type: 'tool-call',
        id: typeof id === 'string' && id !== '' ? id : null,
        name,
        kind: 'function',
        ...(seal === null ? {} : { seal }),
      })
      this.hasCalls = true
      this.args = new PartialArguments()
      if (isPresent(args)) this.addArguments(JSON.stringify(args))
    }
    // A piece of no call has nothing to belong to.
    if (this.args === null) return
    if (isPresent(partialArgs)) this.addArguments(this.args.write(partialArgs))
    if (this.args.isBroken) this.sink.fail('The upstream sent pieces of arguments that do not fit together.')
    if (call['willContinue'] !== true) this.close()
  }

  private addArguments(text: string): void {
    if (text !== '') this.sink.emit({ type: 'block-delta', index: this.index, text })
  }

  private readData(part: Fields, { mimeType, data }: Fields): void {
    const type = typeof mimeType === 'string' ? mimeType : ''
    const kind = kindOf(type)
    // Drafts of an image are thoughts; documents are nothing that an answer can hold elsewhere.
    if (kind === 'document' || typeof data !== 'string' || part['thought'] === true)
      this.addWhole({ type: 'opaque', issuer: 'gemini', value: part })
    else this.addWhole({ type: 'media', mimeType: type, data, kind })
  }

  private addWhole(block: BlockHead): void {
    this.open(block)
    this.close()
  }

  private open(block: BlockHead): void {
    this.close()
    this.index = this.sink.nextIndex()
    this.kind = block.type
    this.text = ''
    this.sink.emit({ type: 'block-start', index: this.index, candidate: this.number, block })
  }

  private close(): void {
    if (this.index < 0) return
    if (this.args !== null) {
      this.addArguments(this.args.end())
      this.args = null
    }
    if (this.seal !== null) this.sink.emit({ type: 'block-seal', index: this.index, seal: this.seal })
    this.sink.emit({ type: 'block-end', index: this.index })
    this.seal = null
    this.index = -1
  }

  /** What a candidate tells beside its content: sources, probabilities, and what only Gemini knows. */
  private readMetadata(candidate: Fields): void {
    let members: Record<string, unknown> | null = null
    for (const name in candidate) {
      if (name === 'content' || name === 'finishReason' || name === 'index') continue
      members ??= { index: this.number }
      members[name] = candidate[name]
    }
    if (members === null) return
    const retold = this.index >= 0 && this.kind === 'text' ? this.readSources(candidate) : []
    const value = { candidates: [members] }
    this.sink.emit({ type: 'opaque', issuer: 'gemini', value, ...(retold.length > 0 ? { retold } : {}) })
  }

  /** Tells probabilities and sources with the open text, and the names of the members that they stand in. Cumulative metadata repeat their sources. */
  private readSources(candidate: Fields): string[] {
    const { index } = this
    const tokens = tokensOf(candidate['logprobsResult'])
    if (tokens.length > 0) this.sink.emit({ type: 'block-logprobs', index, tokens })
    const sources = SOURCES.filter((name) => isPresent(candidate[name]))
    const retold = tokens.length > 0 ? ['logprobsResult', ...sources] : sources
    if (sources.length === 0) return retold
    for (const citation of citationsOf(candidate, this.text)) {
      const key = JSON.stringify(citation)
      if (this.cited.has(key)) continue
      this.cited.add(key)
      this.sink.emit({ type: 'block-citation', index, citation })
    }
    return retold
  }
}

const SOURCES = ['groundingMetadata', 'citationMetadata']

const TEXT: BlockHead = { type: 'text' }
/** What Gemini tells of its thoughts are summaries of them. Source: ai.google.dev/gemini-api/docs/thinking. */
const REASONING: BlockHead = { type: 'reasoning', id: null, isSummary: true }

const isPresent = (value: unknown): boolean => value !== undefined && value !== null

function isSignatureAlone(part: Fields): boolean {
  return (
    sealOfPart(part) !== null && Object.keys(part).every((name) => name === 'thoughtSignature' || name === 'thought')
  )
}

function sealOfPart(part: Fields): Seal | null {
  const value = part['thoughtSignature']
  return typeof value === 'string' && value !== '' ? { issuer: 'gemini', kind: 'signature', value } : null
}
