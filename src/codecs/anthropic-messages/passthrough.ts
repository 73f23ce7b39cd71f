import { fieldsOf } from '#ir/counts.ts'
import type { AnswerFacts, Failure, Passthrough, RequestFacts } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt } from '#codecs/event-text.ts'
import { failureOf } from '#codecs/failure.ts'
import {
  unseenInput,
  type UnseenNames,
  OUTPUT_TOKENS_MAX,
  readCount,
  readFlag,
  readModel,
  requestScan,
  scanBody,
  spanOf,
  rewriteRequest,
} from '#codecs/request-fields.ts'
import { isArray, isNull, isObject, isString, ObjectScan, readValue, type Span } from '#wire/json-scan.ts'
import { MessagesStreamReader } from './stream.ts'
import { readMessagesUsage } from './usage.ts'

const UNSEEN: UnseenNames = { media: ['image'], files: ['file_id', 'document'] }

const KEYS = ['model', 'stream', 'max_tokens', 'container', 'mcp_servers'] as const
/** Shared: scanning is synchronous, and what it found is copied before the next scan. */
const REQUEST_SCAN = requestScan(KEYS, UNSEEN)
const [MODEL, STREAM, LIMIT, CONTAINER, MCP_SERVERS] = [0, 1, 2, 3, 4] as const
const UNIQUE = [
  [MODEL, 'model'],
  [STREAM, 'stream'],
  [LIMIT, 'max_tokens'],
] as const
/** `POST /v1/messages`. Source: Anthropic API reference, versions 2023-06-01 and 2026-10-21 (R88). */
export const messagesPassthrough: Passthrough = {
  protocol: 'anthropic-messages',
  readRequest,
  writeRequest: (body, facts, changes) => rewriteRequest(body, facts, changes, ['max_tokens']),
  readAnswer,
  openStream: () => new MessagesStreamReader(),
  terminator: '',
  failureEvents,
}

function readRequest(body: Buffer, jsonDepthMax: number): RequestFacts {
  const scan = REQUEST_SCAN
  scanBody(scan, body, jsonDepthMax, UNIQUE)
  const model = spanOf(scan, MODEL)
  const limit = spanOf(scan, LIMIT)
  const spans: Record<string, Span> = { body: { start: scan.open, end: scan.empty ? 0 : 1 } }
  if (model) spans['model'] = model
  if (limit) spans['max_tokens'] = limit
  const isGiven = (index: number) => scan.has(index) && !isNull(body, scan.start[index]!)
  return {
    model: readModel(body, model),
    stream: readFlag(body, spanOf(scan, STREAM), 'stream') ?? false,
    outputTokensMax: readCount(body, limit, 'max_tokens', OUTPUT_TOKENS_MAX),
    candidates: 1,
    showsUsage: null,
    unseen: unseenInput(scan, body, UNSEEN, isGiven(CONTAINER) || isGiven(MCP_SERVERS)),
    namesRouting: scan.noticed,
    spans,
  }
}

const ANSWER_KEYS = ['id', 'model', 'usage', 'error', 'stop_reason', 'content', 'type'] as const
const ANSWER_SCAN = new ObjectScan(ANSWER_KEYS)
const [ID, ANSWER_MODEL, USAGE, ERROR, STOP_REASON, CONTENT] = [0, 1, 2, 3, 4, 5] as const
const CONTENT_KEYS = ['text', 'thinking', 'input', 'data'].map(quoted)
const TOOL_USE = /"type"\s*:\s*"tool_use"/g

function readAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const has = (index: number) => object && scan.has(index) && !isNull(body, scan.start[index]!)
  const usageObject = has(USAGE) && isObject(body, scan.start[USAGE]!)
  const content = has(CONTENT) && isArray(body, scan.start[CONTENT]!)
  return {
    usage: usageObject
      ? readMessagesUsage(fieldsOf(readValue(body, scan.start[USAGE]!, scan.end[USAGE]!)), null)
      : null,
    finishReason: has(STOP_REASON) ? stringAt(body, scan.start[STOP_REASON]!) : null,
    responseId: has(ID) ? stringAt(body, scan.start[ID]!) : null,
    toolCallsCount: content ? (body.toString('latin1').match(TOOL_USE)?.length ?? 0) : 0,
    modelSpan: has(ANSWER_MODEL) && isString(body, scan.start[ANSWER_MODEL]!) ? spanOf(scan, ANSWER_MODEL)! : null,
    // Anthropic bodies stay native: the cost is told in a header (R100).
    usageOpen: null,
    contentBytes: contentBytesOf(body, CONTENT_KEYS),
    failure: has(ERROR)
      ? failureOf(200, { error: readValue(body, scan.start[ERROR]!, scan.end[ERROR]!) })
      : content
        ? null
        : { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without content.' },
  }
}

function failureEvents(failure: Failure): string {
  const error = { type: failure.upstreamType ?? 'api_error', message: failure.message }
  return `event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`
}
