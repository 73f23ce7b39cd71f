import { isNull, isObject, ObjectScan, type Span } from '#wire/json-scan.ts'
import type { Edit } from '#wire/splice.ts'
import type { RequestChanges, RequestFacts } from '#codecs/codec.ts'
import {
  CANDIDATES_MAX,
  unseenInput,
  type UnseenNames,
  insertMember,
  OUTPUT_TOKENS_MAX,
  readCount,
  readFlag,
  readModel,
  requestScan,
  scanBody,
  spanOf,
  rewriteRequest,
} from '#codecs/request-fields.ts'

const UNSEEN: UnseenNames = { media: ['image_url', 'video_url'], files: ['file_id'] }

const KEYS = ['model', 'stream', 'max_tokens', 'max_completion_tokens', 'n', 'stream_options'] as const
/** Shared: scanning is synchronous, and what it found is copied before the next scan. */
const REQUEST_SCAN = requestScan(KEYS, UNSEEN)
const [MODEL, STREAM, MAX_TOKENS, MAX_COMPLETION_TOKENS, COUNT, STREAM_OPTIONS] = [0, 1, 2, 3, 4, 5] as const
const UNIQUE = [
  [MODEL, 'model'],
  [STREAM, 'stream'],
  [MAX_TOKENS, 'max_tokens'],
  [MAX_COMPLETION_TOKENS, 'max_completion_tokens'],
  [COUNT, 'n'],
  [STREAM_OPTIONS, 'stream_options'],
] as const

export function readChatRequest(body: Buffer, jsonDepthMax: number): RequestFacts {
  const scan = REQUEST_SCAN
  scanBody(scan, body, jsonDepthMax, UNIQUE)
  const model = spanOf(scan, MODEL)
  const limit = spanOf(scan, MAX_TOKENS)
  const completionLimit = spanOf(scan, MAX_COMPLETION_TOKENS)
  const options = spanOf(scan, STREAM_OPTIONS)
  const maxTokens = readCount(body, limit, 'max_tokens', OUTPUT_TOKENS_MAX)
  const maxCompletionTokens = readCount(body, completionLimit, 'max_completion_tokens', OUTPUT_TOKENS_MAX)
  const spans: Record<string, Span> = { body: { start: scan.open, end: scan.empty ? 0 : 1 } }
  if (model) spans['model'] = model
  if (limit) spans['max_tokens'] = limit
  if (completionLimit) spans['max_completion_tokens'] = completionLimit
  if (options) spans['stream_options'] = options
  return {
    model: readModel(body, model),
    stream: readFlag(body, spanOf(scan, STREAM), 'stream') ?? false,
    // With both given some hosts obey the one, some the other: the larger is the safe bound.
    outputTokensMax: largerOf(maxTokens, maxCompletionTokens),
    candidates: readCount(body, spanOf(scan, COUNT), 'n', CANDIDATES_MAX) ?? 1,
    showsUsage: readIncludeUsage(body, options),
    unseen: unseenInput(scan, body, UNSEEN),
    namesRouting: scan.noticed,
    spans,
  }
}

export function writeChatRequest(body: Buffer, facts: RequestFacts, changes: RequestChanges): Buffer {
  return rewriteRequest(body, facts, changes, LIMITS, (edits, added) => {
    if (!changes.includeUsage) return
    const options = facts.spans['stream_options']
    if (options) edits.push(includeUsageEdit(body, options))
    else added.push(['stream_options', '{"include_usage":true}'])
  })
}

/** The newer name counts where a client gives both. */
const LIMITS = ['max_completion_tokens', 'max_tokens'] as const

const OPTIONS_SCAN = new ObjectScan(['include_usage'])

function readIncludeUsage(body: Buffer, options: Span | undefined): boolean | null {
  if (!options || !isObject(body, options.start)) return null
  OPTIONS_SCAN.scan(body, options.start, options.end)
  return readFlag(body, spanOf(OPTIONS_SCAN, 0), 'stream_options.include_usage')
}

function includeUsageEdit(body: Buffer, options: Span): Edit {
  if (isNull(body, options.start) || !isObject(body, options.start)) {
    return { ...options, bytes: Buffer.from('{"include_usage":true}') }
  }
  OPTIONS_SCAN.scan(body, options.start, options.end)
  const present = spanOf(OPTIONS_SCAN, 0)
  if (present) return { ...present, bytes: Buffer.from('true') }
  return insertMember(options.start, OPTIONS_SCAN.empty, 'include_usage', 'true')
}

function largerOf(left: number | null, right: number | null): number | null {
  return left === null || right === null ? (left ?? right) : Math.max(left, right)
}
