import type { Protocol, Surface } from '#base/protocols.ts'
import type { Citation } from '#ir/blocks.ts'
import type { BlockHead, BlockStart, Finish, OpaqueEvent } from '#ir/chat-event.ts'
import { escapePointer, type Loss, Losses } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import { fieldsOf } from '#ir/counts.ts'

/** Different losses that one answer tells; more are counted, repeats among them. */
export const ANSWER_LOSSES_MAX = 512
const WORD_CHARACTERS_MAX = 60

type Kind = BlockHead['type']

/**
 * What an answer loses on its way to a client of another protocol (B2). Each encoder declares what it drops, where it
 * drops it: an answer that loses nothing costs nothing. The same loss again, as each token's probability, is one loss. A
 * path is a JSON pointer into the upstream's whole answer behind `/response`, as exact as the neutral form knows it:
 * blocks of Responses and Gemini are told by their list.
 */
export class AnswerLosses extends Losses {
  /** Losses beyond ANSWER_LOSSES_MAX. */
  more = 0
  private readonly upstream: Protocol
  private readonly client: Surface
  private readonly told = new Set<string>()

  constructor(upstream: Protocol, client: Surface) {
    super()
    this.upstream = upstream
    this.client = client
  }

  /** A block that the client's protocol has no place for. */
  block({ index, candidate, block }: BlockStart): void {
    this.dropped(this.placeOf(block, candidate, index), `${this.name} has no place for ${contentOf(block)}`)
  }

  /** A refusal goes out as text. */
  refusal({ index, candidate, block }: BlockStart): void {
    this.rewritten(this.placeOf(block, candidate, index), `${this.name} tells a refusal as text and by its finish`)
  }

  /** Arguments that are cut off or are no object, where the protocol has objects only. */
  arguments(candidate: number, index: number): void {
    const path = this.placeOf({ type: 'tool-call', id: null, name: '', kind: 'function' }, candidate, index)
    this.rewritten(path, `${this.name} has arguments as objects only: others stand in __invalid_json`)
  }

  /** Another answer than the first. */
  candidate(number: number): void {
    const list = this.upstream === 'gemini' ? 'candidates' : 'choices'
    this.dropped(`/response/${list}/${number}`, `${this.name} has one answer`)
  }

  /** Token probabilities. */
  logprobs(candidate: number): void {
    this.dropped(LOGPROBS[this.upstream](candidate), `${this.name} tells no probabilities of this part`)
  }

  /** A source: `isKept` when the client gets it in its own form. */
  citation({ native, citedText }: Citation, candidate: number, index: number, isKept: boolean): void {
    if (native?.issuer === this.client) return
    const path = CITATIONS[this.upstream](candidate, index)
    if (!isKept) this.dropped(path, `${this.name} has no form for these sources`)
    else if (native || (citedText !== undefined && this.client !== 'openai-chat'))
      this.rewritten(path, `${this.name} tells of a source its address and its place`)
  }

  /** The seal of a text that nothing carries. */
  seal(candidate: number, index: number): void {
    this.dropped(this.placeOf({ type: 'text' }, candidate, index), `${this.name} carries no signature of a last text`)
  }

  /** The upstream's own word for the end, where it says more than `told`, the client's. */
  finish(finish: Finish | null, told: string): void {
    if (!finish) return
    const { raw, candidate, stopSequence } = finish
    if (raw !== null && raw !== told && !PLAIN_WORDS.has(raw))
      this.rewritten(FINISHES[this.upstream](candidate), `${wordOf(raw)} is told as ${told}`)
    if (stopSequence !== null && this.client !== 'anthropic-messages')
      this.dropped(STOPS[this.upstream](candidate), `${this.name} does not tell which stop sequence it was`)
  }

  /** Counts that the client's usage adds up, or has no name for. */
  usage(usage: Usage | null): void {
    if (!usage || this.client === 'anthropic-messages') return
    const { cacheWrite, cacheWrite1h } = usage
    const path = `/response/${USAGES[this.upstream]}`
    if (this.client === 'gemini') {
      if (cacheWrite || cacheWrite1h) this.narrowed(path, 'Gemini counts cache writes as prompt')
    } else if (cacheWrite1h) this.narrowed(path, `${this.name} counts both kinds of cache writes as one`)
  }

  /** What only the upstream's protocol tells beside its blocks. */
  opaque({ issuer, value, retold }: OpaqueEvent): void {
    for (const [path, member] of membersOf(issuer, fieldsOf(value))) {
      if (member === null || member === undefined || ECHOED.has(path)) continue
      const isRetold = this.client !== 'anthropic-messages' && retold?.some((name) => path.endsWith(`/${name}`))
      if (isRetold && path.endsWith('/logprobsResult')) continue
      if (isRetold) this.rewritten(`/response${path}`, `${this.name} tells of it the sources of the text`)
      else this.dropped(`/response${path}`, `${this.name} has no such member`)
    }
  }

  protected override add(loss: Loss): void {
    const key = `${loss.path}\n${loss.reason}`
    if (this.told.has(key)) return
    if (this.list.length >= ANSWER_LOSSES_MAX) {
      this.more++
      return
    }
    this.told.add(key)
    this.list.push(loss)
  }

  private get name(): string {
    return NAMES[this.client]
  }

  private placeOf(head: BlockHead, candidate: number, index: number): string {
    if (this.upstream !== 'openai-chat') return BLOCKS[this.upstream](candidate, index)
    const member = head.type === 'opaque' ? Object.keys(fieldsOf(head.value))[0] : undefined
    return `/response/choices/${candidate}/message/${escapePointer(member ?? CHAT_MEMBERS[head.type])}`
  }
}

const NAMES: Readonly<Record<Surface, string>> = {
  'openai-chat': 'Chat Completions',
  'openai-responses': 'the Responses API',
  'openai-embeddings': 'the Embeddings API',
  'anthropic-messages': 'the Messages API',
  gemini: 'Gemini',
}

const CHAT_MEMBERS: Readonly<Record<Kind, string>> = {
  text: 'content',
  refusal: 'refusal',
  reasoning: 'reasoning_content',
  'tool-call': 'tool_calls',
  media: 'images',
  opaque: 'content',
}

type Place = (candidate: number, index: number) => string
type Places = Readonly<Record<Protocol, Place>>

const places = (chat: Place, responses: Place, messages: Place, gemini: Place, bedrock: Place): Places => ({
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': messages,
  gemini,
  'bedrock-converse': bedrock,
  'cohere-chat': () => '/response/message',
  'openai-embeddings': () => '/response',
})

const BLOCKS = places(
  (candidate) => `/response/choices/${candidate}/message`,
  () => '/response/output',
  (_, index) => `/response/content/${index}`,
  (candidate) => `/response/candidates/${candidate}/content/parts`,
  (_, index) => `/response/output/message/content/${index}`,
)
const CITATIONS = places(
  (candidate) => `/response/choices/${candidate}/message/annotations`,
  () => '/response/output',
  (_, index) => `/response/content/${index}/citations`,
  (candidate) => `/response/candidates/${candidate}/groundingMetadata`,
  (_, index) => `/response/output/message/content/${index}/citationsContent`,
)
const FINISHES: Readonly<Record<Protocol, (candidate: number) => string>> = {
  'openai-chat': (candidate) => `/response/choices/${candidate}/finish_reason`,
  'openai-responses': () => '/response/status',
  'openai-embeddings': () => '/response',
  'anthropic-messages': () => '/response/stop_reason',
  gemini: (candidate) => `/response/candidates/${candidate}/finishReason`,
  'bedrock-converse': () => '/response/stopReason',
  'cohere-chat': () => '/response/finish_reason',
}
const LOGPROBS: typeof FINISHES = {
  ...FINISHES,
  'openai-chat': (candidate) => `/response/choices/${candidate}/logprobs`,
  'openai-responses': () => '/response/output',
  gemini: (candidate) => `/response/candidates/${candidate}/logprobsResult`,
}
const STOPS: typeof FINISHES = {
  ...FINISHES,
  'openai-chat': (candidate) => `/response/choices/${candidate}/stop_reason`,
  'anthropic-messages': () => '/response/stop_sequence',
  'bedrock-converse': () => '/response/additionalModelResponseFields/stop_sequence',
}
const USAGES: Readonly<Record<Protocol, string>> = {
  'openai-chat': 'usage',
  'openai-responses': 'usage',
  'openai-embeddings': 'usage',
  'anthropic-messages': 'usage',
  gemini: 'usageMetadata',
  'bedrock-converse': 'usage',
  'cohere-chat': 'usage',
}

/** Words that say no more than what they mean in every protocol. */
const PLAIN_WORDS: ReadonlySet<string> = new Set([
  'stop',
  'end_turn',
  'stop_sequence',
  'STOP',
  'completed',
  'eos',
  'tool_calls',
  'function_call',
  'tool_use',
  'length',
  'max_tokens',
  'MAX_TOKENS',
  'incomplete:max_output_tokens',
  'content_filter',
  'content_filtered',
  'incomplete:content_filter',
  'SAFETY',
  'refusal',
  'error',
  'COMPLETE',
  'STOP_SEQUENCE',
  'TOOL_CALL',
])

const WORD = /^[\w.:-]+$/

/** A word of an upstream's enumeration; what is none could be anything. */
const wordOf = (raw: string): string => (raw.length <= WORD_CHARACTERS_MAX && WORD.test(raw) ? raw : 'another word')

/** What the Responses API repeats of its request. */
const ECHOED: ReadonlySet<string> = new Set(
  'temperature top_p top_logprobs presence_penalty frequency_penalty reasoning max_tool_calls prompt_cache_retention prompt_cache_options completed_at'
    .split(' ')
    .map((name) => `/${name}`),
)

function contentOf(head: BlockHead): string {
  switch (head.type) {
    case 'media':
      return `an answer's ${head.kind}`
    case 'opaque': {
      const { type } = fieldsOf(head.value)
      return typeof type === 'string' ? `a block of type ${wordOf(type)}` : `a block of ${head.issuer}`
    }
    default:
      return `a block of ${head.type}`
  }
}

/** The members of an opaque event, each with its pointer into the upstream's answer. */
function* membersOf(issuer: Protocol, value: Readonly<Record<string, unknown>>): Generator<[string, unknown]> {
  switch (issuer) {
    case 'openai-chat':
    case 'gemini': {
      const { choices, candidates, usageMetadata, ...members } = value
      yield* under('', members)
      yield* under('/usageMetadata', fieldsOf(usageMetadata))
      for (const each of listOf(choices ?? candidates)) {
        const { index, message, ...rest } = fieldsOf(each)
        const path = `/${choices ? 'choices' : 'candidates'}/${typeof index === 'number' ? index : 0}`
        yield* under(`${path}/message`, fieldsOf(message))
        yield* under(path, rest)
      }
      return
    }
    case 'anthropic-messages': {
      const { at, members } = value
      const { usage, delta, ...rest } = fieldsOf(members)
      if (at === 'event') yield [`/${escapePointer(String(rest['type']))}`, members]
      else yield* under(at === 'content_block' ? '/content/-' : '', rest)
      yield* under('/usage', fieldsOf(usage))
      yield* under('', fieldsOf(delta))
      return
    }
    default:
      yield* under('', value)
  }
}

function* under(path: string, members: Readonly<Record<string, unknown>>): Generator<[string, unknown]> {
  for (const name of Object.keys(members)) yield [`${path}/${escapePointer(name)}`, members[name]]
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
