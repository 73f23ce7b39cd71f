import type { AnswerFacts, EventRole, Failure, StreamReader } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, valueOf } from '#codecs/event-text.ts'
import { failureOf } from '#codecs/failure.ts'
import { spanOf } from '#codecs/request-fields.ts'
import { countOf, fieldsOf, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { isNull, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'

const KEYS = [
  'candidates',
  'usageMetadata',
  'modelVersion',
  'responseId',
  'promptFeedback',
  'error',
  'embedding',
  'embeddings',
  'totalTokens',
] as const
const ANSWER_SCAN = new ObjectScan(KEYS)
const [CANDIDATES, USAGE, MODEL_VERSION, RESPONSE_ID, FEEDBACK, ERROR, EMBEDDING, EMBEDDINGS, TOTAL_TOKENS] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan(KEYS)
const CONTENT_KEYS = ['text', 'args', 'data', 'code', 'output'].map(quoted)
const FINISH_REASON = quoted('finishReason')
const BLOCK_REASON = quoted('blockReason')
const FUNCTION_CALL = quoted('functionCall')

/** Reads an answer of any Gemini method: generateContent, embedContent, batchEmbedContents. */
export function readGeminiAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const has = (index: number) => object && scan.has(index) && !isNull(body, scan.start[index]!)
  const isAnswer =
    has(CANDIDATES) || has(FEEDBACK) || has(EMBEDDING) || has(EMBEDDINGS) || has(TOTAL_TOKENS) || has(USAGE)
  return {
    usage: has(USAGE) ? readGeminiUsage(readValue(body, scan.start[USAGE]!, scan.end[USAGE]!)) : null,
    finishReason: finishOf(body),
    responseId: has(RESPONSE_ID) ? stringAt(body, scan.start[RESPONSE_ID]!) : null,
    toolCallsCount: callsIn(body),
    modelSpan: has(MODEL_VERSION) && isString(body, scan.start[MODEL_VERSION]!) ? spanOf(scan, MODEL_VERSION)! : null,
    // Gemini bodies stay native: the cost is told in a header (R100).
    usageOpen: null,
    contentBytes: contentBytesOf(body, CONTENT_KEYS),
    failure: has(ERROR)
      ? failureOf(200, { error: readValue(body, scan.start[ERROR]!, scan.end[ERROR]!) })
      : isAnswer
        ? null
        : { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without candidates.' },
  }
}

/** The prompt count includes the cached part; the candidates exclude the thoughts (R87). */
export function readGeminiUsage(value: unknown): Usage | null {
  const fields = fieldsOf(value)
  const prompt = countOf(fields['promptTokenCount'])
  const candidates = countOf(fields['candidatesTokenCount'])
  const thoughts = countOf(fields['thoughtsTokenCount'])
  const output = sumOf(candidates, thoughts)
  if (prompt === null && output === null) return null
  const cacheRead = countOf(fields['cachedContentTokenCount'])
  const fresh = prompt === null ? null : Math.max(0, prompt - (cacheRead ?? 0))
  return {
    input: sumOf(fresh, countOf(fields['toolUsePromptTokenCount'])),
    cacheRead,
    cacheWrite: null,
    cacheWrite1h: null,
    output,
    reasoning: thoughts,
    source: 'upstream',
  }
}

/** Reads the `data:` events of streamGenerateContent. The stream's end is the end of the body; there is no last event. */
export class GeminiStreamReader implements StreamReader {
  modelStart = -1
  modelEnd = -1
  readonly usageOpen = -1
  usage: Usage | null = null
  finishReason: string | null = null
  responseId: string | null = null
  toolCallsCount = 0
  contentBytes = 0
  failure: Failure | null = null
  private readonly scan = STREAM_SCAN
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }

  get complete(): boolean {
    return this.finishReason !== null
  }

  read(event: Buffer): EventRole {
    this.modelStart = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    if (dataStart < 0) return 'noise'
    if (!this.scanData(event, dataStart, dataEnd)) return 'lifecycle'
    const { scan } = this
    if (scan.has(ERROR) && !isNull(event, scan.start[ERROR]!)) {
      this.failure = failureOf(200, { error: readValue(event, scan.start[ERROR]!, scan.end[ERROR]!) })
      return 'failure'
    }
    if (scan.has(MODEL_VERSION) && isString(event, scan.start[MODEL_VERSION]!)) {
      this.modelStart = scan.start[MODEL_VERSION]!
      this.modelEnd = scan.end[MODEL_VERSION]!
    }
    if (this.responseId === null && scan.has(RESPONSE_ID)) this.responseId = stringAt(event, scan.start[RESPONSE_ID]!)
    if (scan.has(USAGE))
      this.usage = readGeminiUsage(readValue(event, scan.start[USAGE]!, scan.end[USAGE]!)) ?? this.usage
    this.finishReason = finishOf(event) ?? this.finishReason
    this.toolCallsCount += callsIn(event)
    const bytes = contentBytesOf(event, CONTENT_KEYS)
    this.contentBytes += bytes
    return bytes > 0 || this.finishReason !== null || callsIn(event) > 0 ? 'content' : 'lifecycle'
  }

  private scanData(event: Buffer, from: number, to: number): boolean {
    try {
      return this.scan.scan(event, from, to)
    } catch {
      return false
    }
  }
}

/** The finish of a candidate, or why the prompt was refused. Old Vertex sends the enum as a number. */
function finishOf(bytes: Buffer): string | null {
  const at = valueOf(bytes, FINISH_REASON)
  if (at >= 0 && isString(bytes, at)) return stringAt(bytes, at)
  if (at >= 0 && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) return String.fromCharCode(bytes[at]!)
  const blocked = stringAt(bytes, valueOf(bytes, BLOCK_REASON))
  return blocked === null ? null : `blocked:${blocked}`
}

function callsIn(bytes: Buffer): number {
  let count = 0
  for (let at = valueOf(bytes, FUNCTION_CALL); at >= 0; at = valueOf(bytes, FUNCTION_CALL, at)) count++
  return count
}
