import type { AnswerFacts, EventRole } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, valueOf } from '#codecs/event-text.ts'
import { EventReader } from '#codecs/event-reader.ts'
import { failureOf } from '#codecs/failure.ts'
import { spanOf } from '#codecs/request-fields.ts'
import { countOf, fieldsOf, isMiscount, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { isNull, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { readEvent } from '#wire/sse.ts'
import { type CandidatesSeen, walkCandidates } from './candidates-walk.ts'

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
    finishReason: (has(CANDIDATES) ? candidatesOf(body, scan).finishes[0]?.reason : null) ?? blockOf(body),
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
  if (isMiscount(fields['promptTokenCount']) || isMiscount(fields['candidatesTokenCount'])) return null
  const prompt = countOf(fields['promptTokenCount'])
  const candidates = countOf(fields['candidatesTokenCount'])
  const thoughts = countOf(fields['thoughtsTokenCount'])
  const output = sumOf(candidates, thoughts)
  if (prompt === null && output === null) return null
  const cacheRead = countOf(fields['cachedContentTokenCount'])
  const fresh = prompt === null ? null : Math.max(0, prompt - (cacheRead ?? 0))
  const input = sumOf(fresh, countOf(fields['toolUsePromptTokenCount']))
  // Two counts may add up to none.
  if (isMiscount(input) || isMiscount(output)) return null
  return {
    input,
    cacheRead,
    cacheWrite: null,
    cacheWrite1h: null,
    output,
    reasoning: thoughts,
    source: 'upstream',
  }
}

/** Reads the `data:` events of streamGenerateContent. The stream's end is the end of the body; there is no last event. */
export class GeminiStreamReader extends EventReader {
  private readonly scan = STREAM_SCAN
  private readonly begun = new Set<number>()
  private readonly finished = new Set<number>()
  private isBlocked = false

  override get complete(): boolean {
    return this.isBlocked || (this.finished.size > 0 && this.finished.size === this.begun.size)
  }

  override readAnew(event: Buffer): EventRole {
    this.modelStart = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    if (dataStart < 0) return 'noise'
    if (!this.scanData(this.scan, event, dataStart, dataEnd)) return 'lifecycle'
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
    const usage = scan.has(USAGE) ? readGeminiUsage(readValue(event, scan.start[USAGE]!, scan.end[USAGE]!)) : null
    this.usage = usage ?? this.usage
    if (!scan.has(CANDIDATES)) {
      this.readBlock(event)
      return this.finishReason === null ? 'lifecycle' : 'content'
    }
    const { finishes, callsCount, contentBytes, textAt } = candidatesOf(event, scan)
    for (const { index, reason } of finishes) {
      this.begun.add(index)
      if (reason === null) continue
      this.finished.add(index)
      this.finishReason = reason
    }
    this.toolCallsCount += callsCount
    this.contentBytes += contentBytes
    this.sampleString(event, textAt)
    if (usage) this.reportedBytes = this.contentBytes
    return contentBytes > 0 || this.finishReason !== null || callsCount > 0 ? 'content' : 'lifecycle'
  }

  private readBlock(event: Buffer): void {
    const blocked = blockOf(event)
    if (blocked === null) return
    this.isBlocked = true
    this.finishReason = blocked
  }
}

const candidatesOf = (bytes: Buffer, scan: ObjectScan): CandidatesSeen =>
  walkCandidates(bytes, scan.start[CANDIDATES]!, scan.end[CANDIDATES]!)

/** Why the prompt was refused. */
function blockOf(bytes: Buffer): string | null {
  const blocked = stringAt(bytes, valueOf(bytes, BLOCK_REASON))
  return blocked === null ? null : `blocked:${blocked}`
}

function callsIn(bytes: Buffer): number {
  let count = 0
  for (let at = valueOf(bytes, FUNCTION_CALL); at >= 0; at = valueOf(bytes, FUNCTION_CALL, at)) count++
  return count
}
