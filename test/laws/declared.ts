import { isDeepStrictEqual } from 'node:util'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { OpaqueEvent } from '#ir/chat-event.ts'
import type { Candidate, Collected, CollectedBlock } from '#ir/collect.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { Loss } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'

/**
 * What an answer said before it went to a client of another protocol and what the client can read of it, beside what was
 * declared. Not compared: the order of blocks of different kinds and how texts are cut into blocks (each client has its
 * own), ids, the answer's own id, model and time (the gateway's own), seals (`sealed-turns.test.ts`), how sources are
 * worded, and the single counts of a usage that the neutral form does not tell apart.
 */
export function undeclared(before: Collected, after: Collected, losses: readonly Loss[]): string[] {
  const faults: string[] = []
  const isTold = (pattern: RegExp): boolean => losses.some(({ path, reason }) => pattern.test(`${path}: ${reason}`))
  for (const [number, candidate] of before.candidates.entries()) {
    if (isTold(new RegExp(`/${number}: .* has one answer$`))) continue
    const other = {
      blocks: [],
      finish: null,
      ...after.candidates[number],
      members: geminiMembers(after.opaque, number),
    }
    faults.push(...candidateFaults({ ...candidate, members: {} }, other, isTold).map((fault) => `${number}: ${fault}`))
  }
  faults.push(...usageFaults(before.usage, after.usage, isTold))
  if (!isDeepStrictEqual(membersOf(before.opaque), membersOf(after.opaque)) && !coversMembers(before.opaque, losses))
    faults.push(`members ${JSON.stringify(membersOf(before.opaque))} are lost`)
  return faults
}

type IsTold = (pattern: RegExp) => boolean

/** What stands beside the content of one of Gemini's candidates: its decoder reads it with a text only. */
interface Read extends Candidate {
  readonly members: Readonly<Record<string, unknown>>
}

function geminiMembers(events: readonly OpaqueEvent[], number: number): Readonly<Record<string, unknown>> {
  const told = events.flatMap(({ issuer, value }) =>
    issuer === 'gemini' ? ((value as { candidates?: { index: number }[] }).candidates ?? []) : [],
  )
  return Object.assign({}, ...told.filter(({ index }) => index === number)) as Record<string, unknown>
}

function candidateFaults(before: Read, after: Read, isTold: IsTold): string[] {
  const faults: string[] = []
  const check = (what: string, of: (candidate: Read) => unknown, covered?: RegExp): void => {
    const [left, right] = [of(before), of(after)]
    if (isDeepStrictEqual(left, right) || (covered && isTold(covered))) return
    faults.push(`${what} ${shorten(left)} became ${shorten(right)}`)
  }
  check('the text', ({ blocks }) => textOf(blocks, 'text') + textOf(blocks, 'refusal'))
  check('the refusal', ({ blocks }) => textOf(blocks, 'refusal'), /tells a refusal as text/)
  check('the reasoning', ({ blocks }) => textOf(blocks, 'reasoning').replaceAll(/\s/g, ''))
  check('the calls', ({ blocks }) => blocks.flatMap(callOf), /has arguments as objects only/)
  check('media', ({ blocks }) => blocks.flatMap(mediaOf), /has no place for an answer's/)
  check(
    'opaque blocks',
    ({ blocks }) => blocks.filter(({ head }) => head.type === 'opaque').length,
    /has no place for a block/,
  )
  check('sources', urlsOf, /has no form for these sources$/)
  check('token probabilities', tokensOf, /tells no probabilities/)
  check('the finish', ({ finish }) => finish?.reason, /is told as|tells a refusal as text/)
  check('the stop sequence', ({ finish }) => finish?.stopSequence ?? null, /which stop sequence it was$/)
  return faults
}

const textOf = (blocks: readonly CollectedBlock[], type: string): string =>
  blocks
    .filter(({ head }) => head.type === type)
    .map(({ text }) => text)
    .join('')

function callOf({ head, text }: CollectedBlock): unknown[] {
  if (head.type !== 'tool-call') return []
  const value = parsed(text)
  // A custom tool is a function with one text for clients that know no other.
  return [[head.name, head.kind === 'custom' ? JSON.stringify({ input: text }) : value]]
}

function parsed(text: string): string {
  // Some models write `null` for a call without arguments.
  if (text === '' || text.trim() === 'null') return '{}'
  try {
    return JSON.stringify(parseFaithfulJson(text))
  } catch {
    return text
  }
}

const mediaOf = ({ head }: CollectedBlock): unknown[] => (head.type === 'media' ? [[head.kind, head.data]] : [])

function urlsOf({ blocks, members }: Read): string[] {
  const { citationSources } = fieldsOf(members['citationMetadata'])
  const urls = Array.isArray(citationSources)
    ? citationSources.map((source) => fieldsOf(source)['uri'] as string)
    : blocks.flatMap(({ citations }) => citations.map(({ url }) => url ?? ''))
  return urls.toSorted()
}

function tokensOf({ blocks, members }: Read): unknown[] {
  const { chosenCandidates } = fieldsOf(members['logprobsResult'])
  const tokens = Array.isArray(chosenCandidates) ? chosenCandidates : blocks.flatMap(({ logprobs }) => logprobs)
  return tokens.map((token) => fieldsOf(token)['token'])
}

function usageFaults(before: Usage | null, after: Usage | null, isTold: IsTold): string[] {
  if (before === null) return []
  const sums = (usage: Usage | null): unknown =>
    usage && {
      prompt: (usage.input ?? 0) + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0) + (usage.cacheWrite1h ?? 0),
      read: usage.cacheRead ?? 0,
      output: usage.output ?? 0,
      reasoning: usage.reasoning ?? 0,
    }
  const writes = (usage: Usage | null): unknown => [usage?.cacheWrite ?? 0, usage?.cacheWrite1h ?? 0]
  const faults: string[] = []
  if (!isDeepStrictEqual(sums(before), sums(after))) faults.push(`usage ${shorten([sums(before), sums(after)])}`)
  if (!isDeepStrictEqual(writes(before), writes(after)) && !isTold(/cache writes as/))
    faults.push(`cache writes ${shorten([writes(before), writes(after)])}`)
  return faults
}

/** Names of all members inside opaque events that say something. */
function membersOf(events: readonly OpaqueEvent[]): string[] {
  return [...new Set(events.flatMap(({ value }) => [...namesIn(value)]))].toSorted()
}

/** Members that only hold others, and those that the Responses API repeats of its request. */
const INNER = new Set(['choices', 'message', 'candidates', 'index', 'usageMetadata', 'members', 'at', 'usage', 'delta'])
const ECHOED = new Set(
  'temperature top_p top_logprobs presence_penalty frequency_penalty reasoning max_tool_calls prompt_cache_retention prompt_cache_options completed_at'.split(
    ' ',
  ),
)

function* namesIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) for (const each of value as unknown[]) yield* namesIn(each)
  else if (value !== null && typeof value === 'object')
    for (const [name, member] of Object.entries(value)) {
      if (member === null) continue
      if (INNER.has(name)) yield* namesIn(member)
      else if (!ECHOED.has(name)) yield name
    }
}

function coversMembers(events: readonly OpaqueEvent[], losses: readonly Loss[]): boolean {
  const told = new Set(losses.map(({ path }) => path.split('/').at(-1)!.replaceAll('~1', '/').replaceAll('~0', '~')))
  return events.every(
    ({ value }) =>
      isEvent(value, told) || [...namesIn(value)].every((name) => told.has(name) || name === 'logprobsResult'),
  )
}

/** An event of Anthropic's that nobody here knows is named by its type. */
function isEvent(value: unknown, told: ReadonlySet<string>): boolean {
  const { at, members } = value as { at?: unknown; members?: { type?: unknown } }
  return at === 'event' && told.has(String(members?.type))
}

const shorten = (value: unknown): string => String(JSON.stringify(value)).slice(0, 200)
