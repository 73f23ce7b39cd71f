import { isArray, isNull, isObject, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { readEvent } from '#wire/sse.ts'
import type { AnswerFacts, EventRole, Failure, RequestFacts } from '#codecs/codec.ts'
import { quoted, stringAt, stringBytes, valueBehind, valueOf } from '#codecs/event-text.ts'
import { EventReader } from '#codecs/event-reader.ts'
import { failureOf } from '#codecs/failure.ts'
import { MemberWalk } from '#codecs/member-walk.ts'
import { CHAT_USAGE, openAiUsageAt } from './usage.ts'

const KEYS = ['id', 'model', 'choices', 'usage', 'error'] as const
const FINISH = 'finish_reason'
const ANSWER_SCAN = new ObjectScan(KEYS, { watched: ['tool_calls', 'function_call', FINISH, 'cost'] })
const [TOOL_CALLS, FUNCTION_CALL, FINISHES, COSTS] = [0, 1, 2, 3] as const
const [ID, MODEL, CHOICES, USAGE, ERROR, OBFUSCATION] = [0, 1, 2, 3, 4, 5] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan([...KEYS, 'obfuscation'])

/** The members of a choice that say something, in the order of their numbers below. */
const CHOICE_KEYS = [
  'content',
  'arguments',
  'refusal',
  // Spellings of one text: hosts that send several send it several times. Mistral's content is a list of parts with `text`.
  'reasoning_content',
  'reasoning',
  'text',
  'finish_reason',
  'name',
  // A delta holding any of these, even an empty one with a call in it, is the model's answer begun.
  'tool_calls',
  'function_call',
  'reasoning_details',
  'audio',
  'images',
]
const REASONING_FROM = 3
const FINISH_REASON = 6
const NAME = 7
const CHOICE_WALK = new MemberWalk(CHOICE_KEYS)

/** What one pass over the choices of an event or of a whole answer found. */
class ChoiceFacts {
  /** Bytes of generated text, for an estimate of its tokens. */
  bytes = 0
  finishes: string[] = []
  /** Names given: only a call's first delta names it, though some hosts repeat the name empty. */
  names = 0
  hasOutput = false
  /** How many texts there are that are not empty, and where the last of them starts. */
  texts = 0
  textAt = -1
  private readonly spellings = [0, 0, 0]
  private source: Buffer = EMPTY

  read(source: Buffer, from: number, to: number): this {
    this.bytes = 0
    this.names = 0
    this.hasOutput = false
    this.texts = 0
    if (this.finishes.length > 0) this.finishes = []
    this.spellings.fill(0)
    this.source = source
    CHOICE_WALK.walk(source, from, to, this.visit)
    this.source = EMPTY
    this.bytes += Math.max(this.spellings[0]!, this.spellings[1]!, this.spellings[2]!)
    return this
  }

  private readonly visit = (index: number, at: number): void => {
    const { source } = this
    if (index < FINISH_REASON) this.readText(index, at)
    else if (index === FINISH_REASON) {
      const reason = stringAt(source, at)
      if (reason !== null) this.finishes.push(reason)
    } else if (index === NAME) this.names += stringBytes(source, at) > 0 ? 1 : 0
    else if (!isNull(source, at) && !(isArray(source, at) && source[at + 1] === CLOSE_ARRAY)) this.hasOutput = true
  }

  private readText(index: number, at: number): void {
    const bytes = stringBytes(this.source, at)
    if (bytes === 0) return
    this.texts++
    this.textAt = at
    if (index < REASONING_FROM) this.bytes += bytes
    else this.spellings[index - REASONING_FROM]! += bytes
  }
}

const QUOTED_FINISH = quoted(FINISH)
const CLOSE_ARRAY = 0x5d
const EMPTY = Buffer.alloc(0)
/** Shared: what one pass found is used before the next. */
const CHOICES_FOUND = new ChoiceFacts()

export function readChatAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const error = object && scan.has(ERROR) && !isNull(body, scan.start[ERROR]!)
  const choices = object && scan.has(CHOICES) && isArray(body, scan.start[CHOICES]!)
  const usageObject = object && scan.has(USAGE) && isObject(body, scan.start[USAGE]!)
  const usage = usageObject ? openAiUsageAt(body, scan.start[USAGE]!, scan.end[USAGE]!, CHAT_USAGE) : null
  const from = choices ? scan.start[CHOICES]! : 0
  const to = choices ? scan.end[CHOICES]! : 0
  const { watchedCounts: named } = scan
  const hasCalls = named[TOOL_CALLS]! + named[FUNCTION_CALL]! > 0
  // With usage reported nothing has to be counted, and without calls the scan has told the rest.
  const found = usage?.output && !hasCalls ? null : CHOICES_FOUND.read(body, from, to)
  return {
    usage,
    finishReason: found ? (found.finishes[0] ?? null) : finishIn(body, from),
    responseId: object && scan.has(ID) ? stringAt(body, scan.start[ID]!) : null,
    toolCallsCount: found?.hasOutput ? found.names : 0,
    modelSpan:
      object && scan.has(MODEL) && isString(body, scan.start[MODEL]!)
        ? { start: scan.start[MODEL]!, end: scan.end[MODEL]! }
        : null,
    usageOpen: usageObject ? scan.start[USAGE]! + 1 : null,
    namesCost: named[COSTS]! > 0,
    contentBytes: found?.bytes ?? 0,
    hasOtherOutput: found?.hasOutput ?? false,
    failure: error || !choices ? noAnswer(body, error ? scan : null) : null,
  }
}

/** Why the first choice ended, by what the scan of `body` watched; only where there are several has it to be searched for. */
function finishIn(body: Buffer, from: number): string | null {
  const count = ANSWER_SCAN.watchedCounts[FINISHES]!
  if (count > 1) return stringAt(body, valueOf(body, QUOTED_FINISH, from))
  const at = ANSWER_SCAN.watchedLastAt[FINISHES]!
  return count === 0 || at < from ? null : stringAt(body, valueBehind(body, at + FINISH.length + 1))
}

function noAnswer(body: Buffer, scan: ObjectScan | null): Failure {
  if (scan) return failureOf(200, { error: readValue(body, scan.start[ERROR]!, scan.end[ERROR]!) })
  return { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without choices.' }
}

export class ChatStreamReader extends EventReader {
  private readonly scan = STREAM_SCAN
  private readonly candidates: number
  private finished = 0
  private done = false

  constructor(facts: RequestFacts) {
    super()
    // Asking for none is the upstream's to refuse; an answer that comes all the same has to be finished (R80).
    this.candidates = Math.max(1, facts.candidates)
  }

  override get complete(): boolean {
    return this.done || this.finished >= this.candidates
  }

  override readAnew(event: Buffer): EventRole {
    this.modelStart = -1
    this.usageOpen = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    if (dataStart < 0) return 'noise'
    if (isDone(event, dataStart, dataEnd)) {
      this.done = true
      return 'terminal'
    }
    if (!this.scanData(this.scan, event, dataStart, dataEnd)) return 'lifecycle'
    const { scan } = this
    if (scan.has(ERROR) && !isNull(event, scan.start[ERROR]!)) {
      this.failure = failureOf(200, { error: readValue(event, scan.start[ERROR]!, scan.end[ERROR]!) })
      return 'failure'
    }
    if (scan.has(MODEL) && isString(event, scan.start[MODEL]!)) {
      this.modelStart = scan.start[MODEL]!
      this.modelEnd = scan.end[MODEL]!
    }
    if (this.responseId === null && scan.has(ID)) this.responseId = stringAt(event, scan.start[ID]!)
    const reportsUsage = this.readUsage(event)
    const hasChoices = scan.has(CHOICES) && scan.end[CHOICES]! - scan.start[CHOICES]! > 2
    const role = hasChoices ? this.readChoices(event, reportsUsage) : reportsUsage ? 'usage' : 'lifecycle'
    if (reportsUsage) this.reportedBytes = this.contentBytes
    return role
  }

  private readUsage(event: Buffer): boolean {
    const at = this.scan.start[USAGE]!
    if (at < 0 || !isObject(event, at)) return false
    const usage = openAiUsageAt(event, at, this.scan.end[USAGE]!, CHAT_USAGE)
    if (!usage) return false
    this.usage = usage
    this.usageOpen = at + 1
    return true
  }

  private readChoices(event: Buffer, reportsUsage: boolean): EventRole {
    const found = CHOICES_FOUND.read(event, this.scan.start[CHOICES]!, this.scan.end[CHOICES]!)
    for (const reason of found.finishes) {
      this.finishReason = reason
      this.finished++
    }
    this.contentBytes += found.bytes
    if (found.bytes === 0 && this.finishReason === null && !found.hasOutput) return 'lifecycle'
    if (found.hasOutput) this.toolCallsCount += found.names
    const saysText = found.texts === 1 && found.names === 0 && found.finishes.length === 0
    if (saysText && !reportsUsage) this.keep(event, found.textAt, this.scan.start[OBFUSCATION]!)
    return 'content'
  }
}

const DONE = Buffer.from('[DONE]')

const DONE_BYTES_MAX = 16

/** `[DONE]`, which some hosts pad with spaces. */
export function isDone(event: Buffer, from: number, to: number): boolean {
  if (to - from > DONE_BYTES_MAX) return false
  let at = from
  while (event[at] === 0x20) at++
  return event.subarray(at, at + DONE.length).equals(DONE)
}
