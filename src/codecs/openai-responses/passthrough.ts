import type { Failure, Passthrough, RequestFacts } from '#codecs/codec.ts'
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
import { isNull, type Span } from '#wire/json-scan.ts'
import { readResponsesAnswer } from './answer.ts'
import { ResponsesStreamReader } from './stream.ts'

const UNSEEN: UnseenNames = { media: ['input_image'], files: ['file_id', 'file_url'] }

const KEYS = ['model', 'stream', 'max_output_tokens', 'previous_response_id', 'conversation'] as const
/** Shared: scanning is synchronous, and what it found is copied before the next scan. */
const REQUEST_SCAN = requestScan(KEYS, UNSEEN)
const [MODEL, STREAM, LIMIT, PREVIOUS, CONVERSATION] = [0, 1, 2, 3, 4] as const
const UNIQUE = [
  [MODEL, 'model'],
  [STREAM, 'stream'],
  [LIMIT, 'max_output_tokens'],
] as const
/** `POST /v1/responses`. Source: OpenAI API reference. */
export const responsesPassthrough: Passthrough = {
  protocol: 'openai-responses',
  readRequest,
  writeRequest: (body, facts, changes) => rewriteRequest(body, facts, changes, ['max_output_tokens']),
  readAnswer: readResponsesAnswer,
  openStream: () => new ResponsesStreamReader(),
  terminator: '',
  failureEvents,
}

function readRequest(body: Buffer, jsonDepthMax: number): RequestFacts {
  const scan = REQUEST_SCAN
  scanBody(scan, body, jsonDepthMax, UNIQUE)
  const model = spanOf(scan, MODEL)
  const limit = spanOf(scan, LIMIT)
  const outputTokensMax = readCount(body, limit, 'max_output_tokens', OUTPUT_TOKENS_MAX)
  const spans: Record<string, Span> = { body: { start: scan.open, end: scan.empty ? 0 : 1 } }
  if (model) spans['model'] = model
  if (limit) spans['max_output_tokens'] = limit
  const keepsState = (index: number) => scan.has(index) && !isNull(body, scan.start[index]!)
  return {
    model: readModel(body, model),
    stream: readFlag(body, spanOf(scan, STREAM), 'stream') ?? false,
    outputTokensMax,
    candidates: 1,
    showsUsage: null,
    unseen: unseenInput(scan, body, UNSEEN, keepsState(PREVIOUS) || keepsState(CONVERSATION)),
    namesRouting: scan.noticed,
    spans,
  }
}

function failureEvents(failure: Failure): string {
  const error = { code: failure.upstreamCode ?? failure.code, message: failure.message }
  const response = { id: '', object: 'response', created_at: 0, status: 'failed', error, output: [], usage: null }
  const event = {
    type: 'response.failed',
    sequence_number: Number.MAX_SAFE_INTEGER,
    response,
    error_type: failure.code,
  }
  return `event: response.failed\ndata: ${JSON.stringify(event)}\n\n`
}
