import { collect } from '#ir/collect.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { decodeAnswer } from './answers.ts'
import { ASKED, clientOf, type ClientProtocol, type Exchange, isClient, STREAMED, WHOLE } from './exchanges.ts'
import { eventsOfBlocks, stepsOfAnswer, stepsOfBlocks } from './seals.ts'

/** The recorded answers that have a seal, and how what came back of them is compared with what was sent. */

export interface Signed {
  readonly exchange: Exchange
  readonly events: readonly ChatEvent[]
  readonly steps: readonly string[]
}

export const SIGNED: readonly Signed[] = [
  ...ASKED.flatMap(signedTurns),
  ...[...STREAMED, ...WHOLE].flatMap(signedAnswer),
]

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

export const isCall = (step: string): boolean => step.startsWith('call ')
export const isText = (step: string): boolean => step.startsWith('text ')

/** A chat message has one place for its text, one for its calls and one for the details of its reasoning. */
export function asKept(client: ClientProtocol, { exchange }: Signed, steps: readonly string[]): readonly string[] {
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

export function compare(sent: readonly string[], arrived: readonly string[], tell: (fault: string) => void): void {
  if (JSON.stringify(sent) !== JSON.stringify(arrived)) tell(`${brief(sent)} became ${brief(arrived)}`)
}

const brief = (steps: readonly string[]): string => JSON.stringify(steps.map((step) => step.slice(0, 60)))
