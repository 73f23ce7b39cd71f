import { Losses } from '#ir/extensions.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { collect } from '#ir/collect.ts'
import { decodeAnswer } from './answers.ts'
import { nextRequest, withoutThoughts } from './echo.ts'
import {
  ASKED,
  clientOf,
  CLIENTS,
  type ClientProtocol,
  type Exchange,
  isClient,
  STREAMED,
  traitsFor,
  upstreamOf,
  WHOLE,
} from './exchanges.ts'
import { law } from './law.ts'
import { eventsOfBlocks, stepsOfAnswer, stepsOfBlocks, stepsOfRequest } from './seals.ts'

/**
 * Signed reasoning comes back to its issuer byte for byte and at its place, through a client of any protocol (B3). Held
 * against the assistant's turns of every recorded conversation and against every recorded answer that has a seal.
 */

interface Signed {
  readonly exchange: Exchange
  readonly events: readonly ChatEvent[]
  readonly steps: readonly string[]
}

const SIGNED: readonly Signed[] = [...ASKED.flatMap(signedTurns), ...[...STREAMED, ...WHOLE].flatMap(signedAnswer)]

function isSigned({ steps }: Signed): boolean {
  return steps.some((step) => step.startsWith('seal '))
}

function isReal({ features }: Exchange): boolean {
  return !features.has('signature_placeholder')
}

/** Assistant turns that follow each other are one answer. */
function signedTurns(exchange: Exchange): Signed[] {
  const { protocol, request, stream } = exchange
  if (!isClient(protocol) || !isReal(exchange)) return []
  const { turns } = clientOf(protocol).decodeRequest(request!, { stream: stream !== null })
  const answers = turns.flatMap(({ role }, at) => {
    if (role !== 'assistant' || turns[at - 1]?.role === 'assistant') return []
    const end = turns.findIndex((turn, index) => index > at && turn.role !== 'assistant')
    return [turns.slice(at, end < 0 ? turns.length : end).flatMap(({ blocks }) => blocks)]
  })
  return answers
    .map((blocks) => ({ exchange, events: eventsOfBlocks(blocks), steps: stepsOfBlocks(blocks) }))
    .filter(isSigned)
}

function signedAnswer(exchange: Exchange): Signed[] {
  if (!isReal(exchange)) return []
  const { events, failure, complete } = decodeAnswer(exchange)
  if (failure || !complete) return []
  const { blocks } = collect(events).candidates[0]!
  return [{ exchange, events, steps: stepsOfAnswer(blocks) }].filter(isSigned)
}

interface How {
  readonly isStreamed: boolean
  readonly keepsThoughts: boolean
}

/** What arrives at the issuer when the client sends the turn back. */
function arrivedThrough(client: ClientProtocol, { exchange, events }: Signed, how: How): string[] {
  const { protocol, model } = exchange
  const echoed = nextRequest(client, protocol, events, how.isStreamed)
  const request = how.keepsThoughts ? echoed : withoutThoughts(echoed)
  const read = clientOf(client).decodeRequest(request, { stream: false })
  const { body } = upstreamOf(protocol).encodeRequest(read, traitsFor(protocol, model), new Losses())
  return stepsOfRequest(protocol, JSON.parse(JSON.stringify(body)))
}

const WAYS = CLIENTS.flatMap((client) => [true, false].map((isStreamed) => ({ client, isStreamed })))

for (const { client, isStreamed } of WAYS) {
  law(`seals come back through a client of ${client}, ${isStreamed ? 'streamed' : 'whole'}`, 350, (tell) => {
    let count = 0
    for (const signed of SIGNED) {
      const sent = expected(client, signed)
      if (sent === null) continue
      count++
      const arrived = arrivedThrough(client, signed, { isStreamed, keepsThoughts: true })
      compare(asKept(client, signed, sent), asKept(client, signed, arrived), (fault) => tell(signed.exchange.id, fault))
    }
    return count
  })
}

law('seals come back through the Gemini CLI, which gives back no thoughts', 100, (tell) => {
  let count = 0
  for (const signed of SIGNED) {
    const { exchange, steps } = signed
    // Without a call there is nothing that could carry them, and thoughts of Gemini itself are its own business.
    if (!steps.some(isCall) || exchange.protocol === 'gemini') continue
    count++
    const arrived = arrivedThrough('gemini', signed, { isStreamed: true, keepsThoughts: false })
    // What stood behind the last call has no carrier either; texts keep their order among themselves.
    const carried = steps.slice(0, steps.findLastIndex(isCall) + 1)
    const isKept = (step: string) => !step.startsWith('text ')
    const [sent, came] = [carried, arrived].map((each) => asKept('gemini', signed, each.filter(isKept)))
    compare(sent!, came!, (fault) => tell(exchange.id, fault))
  }
  return count
})

const isCall = (step: string): boolean => step.startsWith('call ')
const isText = (step: string): boolean => step.startsWith('text ')

/** What can come back through this client; null when there is nothing that carries it. */
function expected(client: ClientProtocol, { exchange, steps }: Signed): readonly string[] | null {
  // Items of server tools do not pass through other clients, and reasoning that nothing follows is refused by OpenAI.
  if (exchange.protocol === 'openai-responses' && !steps.some((step) => isCall(step) || isText(step))) return null
  // Messages clients take the last block for the answer, so that the seal of a text that ends it is not written behind it.
  const endsInSealedText = steps.at(-1)?.startsWith('seal ') && isText(steps.at(-2) ?? '')
  const isLost = client === 'anthropic-messages' && exchange.protocol === 'gemini' && endsInSealedText
  return isLost ? steps.slice(0, -1) : steps
}

/** A chat message has one place for its text, one for its calls and one for the details of its reasoning. */
function asKept(client: ClientProtocol, { exchange }: Signed, steps: readonly string[]): readonly string[] {
  const isChatIssuer = exchange.protocol === 'openai-chat'
  if (client !== 'openai-chat' && !isChatIssuer) return steps
  const text = steps
    .filter(isText)
    .map((step) => step.slice(5))
    .join('')
  const others = steps.filter((step) => !isText(step))
  return [text, ...(isChatIssuer ? [...others.flatMap(detailsOf), ...others.filter(isCall)] : others)]
}

/** The elements of chat hosts' lists of details. */
function detailsOf(step: string): string[] {
  if (!step.startsWith('seal ')) return []
  const value: unknown = JSON.parse(step.slice(5))
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((each) => JSON.stringify(each))
}

function compare(sent: readonly string[], arrived: readonly string[], tell: (fault: string) => void): void {
  if (JSON.stringify(sent) !== JSON.stringify(arrived)) tell(`${brief(sent)} became ${brief(arrived)}`)
}

const brief = (steps: readonly string[]): string => JSON.stringify(steps.map((step) => step.slice(0, 60)))
