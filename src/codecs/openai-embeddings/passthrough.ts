import type { AnswerFacts, Passthrough, RequestChanges, RequestFacts, StreamReader } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import { CHAT_USAGE, openAiUsageAt } from '#codecs/openai-chat/usage.ts'
import { readModel, renameEdits, insertMember, requestScan, scanBody, spanOf } from '#codecs/request-fields.ts'
import { isArray, isNull, isObject, isString, ObjectScan, readValue, type Span } from '#wire/json-scan.ts'
import { applyEdits } from '#wire/splice.ts'

const KEYS = ['model', 'input'] as const
/** Shared: scanning is synchronous, and what it found is copied before the next scan. */
const REQUEST_SCAN = requestScan(KEYS)
const ANSWER_KEYS = ['model', 'usage', 'error', 'data'] as const
const ANSWER_SCAN = new ObjectScan(ANSWER_KEYS)
const [MODEL, USAGE, ERROR, DATA] = [0, 1, 2, 3] as const

/** `POST /v1/embeddings` (R4). Source: OpenAI API reference. Billed on prompt tokens only; never streamed. */
export const embeddingsPassthrough: Passthrough = {
  protocol: 'openai-embeddings',
  readRequest,
  writeRequest,
  readAnswer,
  openStream: refuseStream,
  terminator: '',
  failureEvents: () => '',
}

function readRequest(body: Buffer, jsonDepthMax: number): RequestFacts {
  const scan = REQUEST_SCAN
  scanBody(scan, body, jsonDepthMax, [[0, 'model']])
  const model = spanOf(scan, 0)
  const spans: Record<string, Span> = { body: { start: scan.open, end: scan.empty ? 0 : 1 } }
  if (model) spans['model'] = model
  return {
    model: readModel(body, model),
    stream: false,
    outputTokensMax: 0,
    candidates: 1,
    showsUsage: null,
    unseen: { mediaCount: 0, unbounded: false },
    namesRouting: scan.noticed,
    spans,
  }
}

function writeRequest(body: Buffer, facts: RequestFacts, changes: RequestChanges): Buffer {
  const span = facts.spans['model']
  const root = facts.spans['body']!
  if (span) return applyEdits(body, renameEdits(body, span, changes.model))
  return applyEdits(body, [insertMember(root.start, root.end === 0, 'model', JSON.stringify(changes.model))])
}

function readAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const has = (index: number) => object && scan.has(index) && !isNull(body, scan.start[index]!)
  const usageObject = has(USAGE) && isObject(body, scan.start[USAGE]!)
  const usage = usageObject ? openAiUsageAt(body, scan.start[USAGE]!, scan.end[USAGE]!, CHAT_USAGE) : null
  return {
    usage: usage && { ...usage, output: usage.output ?? 0 },
    finishReason: null,
    responseId: null,
    toolCallsCount: 0,
    modelSpan: has(MODEL) && isString(body, scan.start[MODEL]!) ? spanOf(scan, MODEL)! : null,
    usageOpen: usageObject ? scan.start[USAGE]! + 1 : null,
    contentBytes: 0,
    failure: has(ERROR)
      ? failureOf(200, { error: readValue(body, scan.start[ERROR]!, scan.end[ERROR]!) })
      : has(DATA) && isArray(body, scan.start[DATA]!)
        ? null
        : { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without embeddings.' },
  }
}

function refuseStream(): StreamReader {
  throw new Error('embeddings are never streamed')
}
