import { isDeepStrictEqual } from 'node:util'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { collect, type Collected, type CollectedBlock } from '#ir/collect.ts'
import type { Usage } from '#ir/usage.ts'
import { EventFramer } from '#wire/sse.ts'
import { type Answer, decodeAnswer, decodeStream, faultsOf } from './answers.ts'
import { undeclared } from './declared.ts'
import {
  answerContext,
  clientOf,
  type ClientProtocol,
  CLIENTS,
  type Exchange,
  isClient,
  STREAMED,
  upstreamOf,
  WHOLE,
} from './exchanges.ts'
import { differencesOf, shown } from './differences.ts'
import { law } from './law.ts'
import { cut, FACTS, randomOf } from './reading.ts'

/** The laws of translated answers over everything that was recorded (design.md section 4, laws 3, 4, 5 and 7). */

const SEED = 20_260_801
const EVENT_BYTES_MAX = 64 * 1024 * 1024
/** Streams up to this size are also read byte by byte. */
const SINGLE_BYTES_MAX = 4000

law('the events of every stream keep their grammar', 500, (tell) => {
  for (const { id, protocol, stream, candidates } of STREAMED) {
    const { events, failure, complete } = decodeStream(protocol, [stream!], candidates)
    for (const fault of faultsOf(events, failure === null && complete)) tell(id, fault)
  }
  return STREAMED.length
})

law('the events of every whole answer keep their grammar', 1000, (tell) => {
  for (const exchange of WHOLE) {
    const { events, failure } = decodeAnswer(exchange)
    for (const fault of faultsOf(events, failure === null)) tell(exchange.id, fault)
  }
  return WHOLE.length
})

law('a stream gives the same events however its bytes are cut', 500, (tell) => {
  const random = randomOf(SEED)
  for (const { id, protocol, stream, candidates } of STREAMED) {
    const entire = decodeStream(protocol, [stream!], candidates)
    for (const sizeMax of stream!.length <= SINGLE_BYTES_MAX ? [1, 40, 2000] : [40, 2000]) {
      const again = decodeStream(protocol, cut(stream!, sizeMax, random), candidates)
      if (!isDeepStrictEqual(again, entire)) tell(id, `differs in pieces of up to ${sizeMax} bytes`)
    }
  }
  return STREAMED.length
})

law('a stream means what its whole twin means', 400, (tell) => {
  let count = 0
  for (const { id, protocol, stream, candidates } of STREAMED) {
    if (!isClient(protocol)) continue
    const answer = decodeStream(protocol, [stream!], candidates)
    if (answer.failure || !answer.complete) continue
    count++
    compareTwin(answer.events, protocol, candidates, (fault) => tell(id, fault))
  }
  return count
})

function compareTwin(
  events: readonly ChatEvent[],
  protocol: ClientProtocol,
  candidates: number,
  tell: (fault: string) => void,
): void {
  const written = clientOf(protocol).encodeWhole(events, answerContext(protocol, protocol, false))
  const body: unknown = JSON.parse(JSON.stringify(written))
  const { events: again, failure } = upstreamOf(protocol).decodeWhole(body, { candidates })
  if (failure) {
    tell(`the twin fails: ${failure.message}`)
    return
  }
  const [left, right] = [events, again].map((each) => meaningOf(collect(each), protocol))
  for (const difference of differencesOf(left, right)) tell(shown(difference))
}

/**
 * What an answer says. Ids of the answer, its model and its time are the gateway's own in the twin, and what Messages and
 * Gemini write as an object has lost the white space of its text.
 */
function meaningOf({ candidates, usage }: Collected, protocol: ClientProtocol): unknown {
  return {
    candidates: candidates.map(({ blocks, finish }) => ({
      blocks: protocol === 'openai-chat' ? channelsOf(blocks) : blocks.map(blockMeaning),
      // The upstream's own word is one of the surface's words in the twin.
      finish: finish && [finish.reason, finish.stopSequence],
    })),
    usage: usage && countsOf(usage),
  }
}

/** A whole chat message has one place for each kind of block, whatever their order was. */
function channelsOf(blocks: readonly CollectedBlock[]): unknown {
  const of = (type: string): CollectedBlock[] => blocks.filter(({ head }) => head.type === type)
  const textOf = (type: string): string =>
    of(type)
      .map(({ text }) => text)
      .join('')
  return {
    texts: ['text', 'refusal', 'reasoning'].map(textOf),
    // The details of all reasoning stand in one list.
    seals: blocks.flatMap(({ seal }) => (seal ? (JSON.parse(seal.value) as unknown) : [])),
    citations: blocks.flatMap(({ citations }) => citations),
    logprobs: blocks.flatMap(({ logprobs }) => logprobs),
    calls: of('tool-call').map(blockMeaning),
    others: blocks.filter(({ head }) => head.type === 'media' || head.type === 'opaque'),
  }
}

function blockMeaning({ head, text, parts, seal, citations, logprobs }: CollectedBlock): unknown {
  if (head.type !== 'tool-call') return { head, text, parts, seal, citations, logprobs }
  return { head: { ...head, id: head.id?.startsWith(MADE_ID) ? null : head.id }, text: compact(text), seal }
}

/** Calls that the upstream left without an id (Gemini) get one of ours. */
const MADE_ID = 'call_01M7WMS0000000000000000000_'

/** JSON text without white space between its tokens; other text as it is. No arguments are an empty object. */
function compact(text: string): string {
  if (text === '') return '{}'
  try {
    return JSON.stringify(parseFaithfulJson(text))
  } catch {
    return text
  }
}

/** What another gateway charged is no count, and the twin tells our own cost. */
const countsOf = ({ source: _source, costUsd: _cost, ...counts }: Usage): unknown => counts

for (const isStream of [true, false])
  law(`what a client does not get of ${isStream ? 'a stream' : 'a whole answer'} is declared`, 1000, (tell) => {
    let count = 0
    for (const exchange of isStream ? STREAMED : WHOLE)
      for (const client of CLIENTS)
        if (client !== exchange.protocol) count += compareCrossed(exchange, client, isStream, tell)
    return count
  })

/** Reads what a client of another protocol gets with that protocol's own decoder. The count of cases: 0 for a failed answer. */
function compareCrossed(
  exchange: Exchange,
  client: ClientProtocol,
  isStream: boolean,
  tell: (id: string, fault: string) => void,
): 0 | 1 {
  const { events, failure, complete } = decodeAnswer(exchange)
  const before = collect(events)
  // Where a client's protocol has no word for a failed end, its answer is an error.
  const isFailed = before.candidates.some(({ finish }) => finish?.reason === 'error')
  if (failure || !complete || isFailed) return 0
  const context = answerContext(client, exchange.protocol, isStream)
  const { candidates } = exchange
  const again = isStream
    ? decodeStream(client, [Buffer.from(streamOf(client, events, context))], candidates)
    : wholeOf(client, events, context, candidates)
  const fault = (text: string) => tell(exchange.id, `${exchange.protocol} -> ${client}: ${text}`)
  if (again.failure) fault(`fails: ${again.failure.message}`)
  else undeclared(before, collect(again.events), context.losses.list).forEach(fault)
  return 1
}

function streamOf(client: ClientProtocol, events: readonly ChatEvent[], context: AnswerContext): string {
  const encoder = clientOf(client).openEncoder(context)
  return events.map((event) => encoder.push(event)).join('') + encoder.end()
}

function wholeOf(client: ClientProtocol, events: readonly ChatEvent[], context: AnswerContext, candidates: number) {
  const written = JSON.stringify(clientOf(client).encodeWhole(events, context))
  return upstreamOf(client).decodeWhole(parseFaithfulJson(written), { candidates })
}

law('passthrough and translation read the same usage, finish and calls in a stream', 400, (tell) => {
  let count = 0
  for (const { id, protocol, stream, candidates } of STREAMED) {
    if (!isClient(protocol)) continue
    count++
    const reader = PASSTHROUGH[protocol].openStream({ ...FACTS, candidates })
    const framer = new EventFramer(EVENT_BYTES_MAX)
    for (const event of framer.push(stream!)) reader.read(event)
    const rest = framer.end()
    if (rest) reader.read(rest)
    compareReadings(reader, decodeStream(protocol, [stream!], candidates), stream!, (fault) => tell(id, fault))
  }
  return count
})

law('passthrough and translation read the same usage, finish and calls in a whole answer', 900, (tell) => {
  let count = 0
  for (const exchange of WHOLE) {
    if (!isClient(exchange.protocol)) continue
    count++
    const read = PASSTHROUGH[exchange.protocol].readAnswer(exchange.whole!)
    compareReadings(read, decodeAnswer(exchange), exchange.whole!, (fault) => tell(exchange.id, fault))
  }
  return count
})

/** Old Vertex hosts write Gemini's enumeration as numbers. */
const NUMBERED: Readonly<Record<string, string>> = { '1': 'STOP', '2': 'MAX_TOKENS' }
const wordOf = (reason: string | null): string | null => (reason && (NUMBERED[reason] ?? reason)) || null

interface Read {
  readonly usage: Usage | null
  readonly finishReason: string | null
  readonly toolCallsCount: number
  readonly contentBytes: number
  readonly failure: unknown
}

function compareReadings(read: Read, answer: Answer, source: Buffer, tell: (fault: string) => void): void {
  const { candidates, usage } = collect(answer.events)
  if ((read.failure === null) !== (answer.failure === null))
    tell(`failure ${JSON.stringify([read.failure, answer.failure])}`)
  if (read.failure !== null) return
  // Groq repeats the usage in a member of its own, alone where nobody asked for it: passthrough leaves that to the estimate.
  const isElsewhere = read.usage === null && source.includes('"x_groq"')
  if (!isElsewhere && !isDeepStrictEqual(read.usage, usage)) tell(`usage ${JSON.stringify([read.usage, usage])}`)
  const words = candidates.map(({ finish }) => finish?.raw || null)
  const word = wordOf(read.finishReason)
  // The retired vision preview told its finish in `finish_details`, which passthrough does not read.
  const isRetired = word === null && source.includes('"finish_details"')
  if (!isRetired && !words.includes(word)) tell(`finish ${JSON.stringify([word, words])}`)
  const blocks = candidates.flatMap((candidate) => candidate.blocks)
  // Tools that OpenAI declares and the client runs (shell, patches) are opaque to other protocols.
  const hasCalls = blocks.some(({ head }) => head.type === 'tool-call' || head.type === 'opaque')
  if (read.toolCallsCount > 0 && !hasCalls) tell('the translation saw no tool call')
  if (read.toolCallsCount === 0 && blocks.some(({ head }) => head.type === 'tool-call'))
    tell('the passthrough saw no tool call')
  // Content is counted for an estimate, which a usage that was told makes needless; and arguments are not in it.
  const hasText = blocks.some(({ head, text }) => (head.type === 'text' || head.type === 'reasoning') && text !== '')
  if (hasText && read.usage === null && read.contentBytes === 0) tell('the passthrough saw no content')
}
