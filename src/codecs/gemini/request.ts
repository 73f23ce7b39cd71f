import { GatewayError } from '#base/errors.ts'
import type { RequestChanges, RequestFacts } from '#codecs/codec.ts'
import {
  CANDIDATES_MAX,
  unseenInput,
  type UnseenNames,
  insertMember,
  OUTPUT_TOKENS_MAX,
  readCount,
  replaceWithString,
  requestScan,
  scanBody,
  spanOf,
} from '#codecs/request-fields.ts'
import { arrayElements, isArray, isNull, isObject, isString, ObjectScan, type Span } from '#wire/json-scan.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'

/** Google's JSON accepts every member in camelCase and in snake_case. */
const UNSEEN: UnseenNames = { media: [], files: ['fileData', 'file_data'] }

const KEYS = [
  'generationConfig',
  'generation_config',
  'cachedContent',
  'cached_content',
  'model',
  'requests',
  'generateContentRequest',
  'generate_content_request',
] as const
/** Shared: scanning is synchronous, and what it found is copied before the next scan. */
const REQUEST_SCAN = requestScan(KEYS, UNSEEN)
const [CONFIG, CONFIG_SNAKE, CACHED, CACHED_SNAKE, MODEL, REQUESTS, INNER, INNER_SNAKE] = [
  0, 1, 2, 3, 4, 5, 6, 7,
] as const
const UNIQUE = [[MODEL, 'model']] as const

/** A request's body for any Gemini method; the model and the streaming are in the path (R24). */
export function readGeminiRequest(body: Buffer, jsonDepthMax: number): RequestFacts {
  const scan = REQUEST_SCAN
  scanBody(scan, body, jsonDepthMax, UNIQUE)
  const spans: Record<string, Span> = { body: { start: scan.open, end: scan.empty ? 0 : 1 } }
  refuseBoth(scan, CONFIG, CONFIG_SNAKE, 'generationConfig')
  const config = spanOf(scan, CONFIG) ?? spanOf(scan, CONFIG_SNAKE)
  const settings = config && isObject(body, config.start) ? readConfig(body, config) : null
  if (config) spans['config'] = config
  if (settings?.limit) spans['limit'] = settings.limit
  for (const [index, name] of [
    [MODEL, 'model'],
    [REQUESTS, 'requests'],
    [scan.has(INNER) ? INNER : INNER_SNAKE, 'inner'],
  ] as const) {
    const span = spanOf(scan, index)
    if (span) spans[name] = span
  }
  const cached = (index: number) => scan.has(index) && !isNull(body, scan.start[index]!)
  return {
    model: null,
    stream: false,
    outputTokensMax: settings?.outputTokensMax ?? null,
    candidates: settings?.candidates ?? 1,
    showsUsage: null,
    unseen: unseenInput(scan, body, UNSEEN, cached(CACHED) || cached(CACHED_SNAKE)),
    namesRouting: scan.noticed,
    spans,
  }
}

export function writeGeminiRequest(body: Buffer, facts: RequestFacts, changes: RequestChanges): Buffer {
  const { spans } = facts
  const name = `models/${changes.model}`
  const edits: Edit[] = []
  if (spans['model'] && isString(body, spans['model'].start)) edits.push(replaceWithString(spans['model'], name))
  if (spans['inner']) renameModel(body, spans['inner'], name, edits)
  if (spans['requests'] && isArray(body, spans['requests'].start)) {
    const elements = arrayElements(body, spans['requests'].start, spans['requests'].end)
    for (let at = 0; at < elements.length; at += 2)
      renameModel(body, { start: elements[at]!, end: elements[at + 1]! }, name, edits)
  }
  if (changes.outputTokensMax !== undefined) edits.push(limitEdit(body, spans, changes.outputTokensMax))
  return applyEdits(body, edits)
}

const CONFIG_SCAN = new ObjectScan(['maxOutputTokens', 'max_output_tokens', 'candidateCount', 'candidate_count'])
const MODEL_SCAN = new ObjectScan(['model'])

function readConfig(
  body: Buffer,
  config: Span,
): { limit: Span | undefined; outputTokensMax: number | null; candidates: number } {
  CONFIG_SCAN.scan(body, config.start, config.end)
  refuseBoth(CONFIG_SCAN, 0, 1, 'generationConfig.maxOutputTokens')
  refuseBoth(CONFIG_SCAN, 2, 3, 'generationConfig.candidateCount')
  const limit = spanOf(CONFIG_SCAN, 0) ?? spanOf(CONFIG_SCAN, 1)
  const count = spanOf(CONFIG_SCAN, 2) ?? spanOf(CONFIG_SCAN, 3)
  return {
    limit,
    outputTokensMax: readCount(body, limit, 'generationConfig.maxOutputTokens', OUTPUT_TOKENS_MAX),
    candidates: readCount(body, count, 'generationConfig.candidateCount', CANDIDATES_MAX) ?? 1,
  }
}

/** Two spellings of one member are a duplicate: the gateway and the upstream might each believe another one (S18). */
function refuseBoth(scan: ObjectScan, camel: number, snake: number, name: string): void {
  if (scan.count[camel]! + scan.count[snake]! <= 1) return
  throw new GatewayError('invalid_request', `The member "${name}" occurs more than once.`, { param: name })
}

function renameModel(body: Buffer, request: Span, name: string, edits: Edit[]): void {
  if (!isObject(body, request.start)) return
  MODEL_SCAN.scan(body, request.start, request.end)
  const span = spanOf(MODEL_SCAN, 0)
  if (span && isString(body, span.start)) edits.push(replaceWithString(span, name))
}

function limitEdit(body: Buffer, spans: RequestFacts['spans'], limit: number): Edit {
  if (spans['limit']) return { ...spans['limit'], bytes: Buffer.from(String(limit)) }
  const config = spans['config']
  const root = spans['body']!
  if (!config) return insertMember(root.start, root.end === 0, 'generationConfig', `{"maxOutputTokens":${limit}}`)
  if (!isObject(body, config.start)) return { ...config, bytes: Buffer.from(`{"maxOutputTokens":${limit}}`) }
  CONFIG_SCAN.scan(body, config.start, config.end)
  return insertMember(config.start, CONFIG_SCAN.empty, 'maxOutputTokens', String(limit))
}
