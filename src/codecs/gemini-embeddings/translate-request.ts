import { GatewayError } from '#base/errors.ts'
import { paramOf } from '#codecs/openai-embeddings/translate-request.ts'
import type { EmbeddingTarget, EncodedEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { EmbeddingContent, EmbeddingInput, EmbeddingRequest } from '#ir/embedding.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'

/** Neutral names of what Gemini says per input, and its own. */
const SETTINGS = [
  ['dimensions', 'outputDimensionality'],
  ['taskType', 'taskType'],
  ['title', 'title'],
] as const

/**
 * Reads a body of `embedContent`, or of `batchEmbedContents` when that is the action. Google's JSON accepts every member in
 * camelCase and in snake_case, and one object where a list of one is meant; null is absence. The models that a batch names
 * are those of its path.
 */
export function decodeGeminiRequest(body: unknown, action: string | null): EmbeddingRequest {
  if (!isFields(body)) throw new GatewayError('invalid_json', 'The body must be a JSON object.')
  const isBatch = action === 'batchEmbedContents'
  const rest = { ...body }
  const inputs = isBatch ? takeRequests(rest) : [inputOf(body, '')]
  return {
    inputs,
    isBatch,
    // There is no other here: an upstream that could pack its vectors is to be asked for numbers.
    encoding: 'float',
    endUser: null,
    paths: {},
    ext: isBatch ? extOf(rest) : {},
  }
}

/**
 * Writes the body for a Gemini upstream and chooses the method: a list is a batch. Throws GatewayError 400 for tokens, which
 * only their own tokenizer understands, and for contents of another protocol that are no text.
 */
export function encodeGeminiRequest(
  request: EmbeddingRequest,
  target: EmbeddingTarget,
  losses: Losses,
): EncodedEmbeddings {
  if (request.endUser !== null) losses.dropped(request.paths['endUser'] ?? '/user', 'Gemini takes no end user')
  losses.unknown('', request.ext['openai-embeddings'], 'Gemini knows no such member')
  const bodies = request.inputs.map(encodeInput)
  const isBatch = request.isBatch || bodies.length > 1
  if (!isBatch) return { body: { ...bodies[0], ...request.ext['gemini'] }, action: 'embedContent' }
  const model = `models/${target.model}`
  const requests = bodies.map((body) => ({ model, ...body }))
  return { body: { requests, ...request.ext['gemini'] }, action: 'batchEmbedContents' }
}

function takeRequests(rest: Record<string, unknown>): EmbeddingInput[] {
  const { value } = take(rest, '', 'requests')
  take(rest, '', 'model')
  const list = isFields(value) ? [value] : value
  if (Array.isArray(list) && list.length > 0) return list.map((entry, index) => inputOf(entry, `/requests/${index}`))
  throw new GatewayError('invalid_request', '"requests" must be a list with at least one entry.', { param: 'requests' })
}

function inputOf(value: unknown, path: string): EmbeddingInput {
  if (!isFields(value)) throw wrong(path, 'must be an object')
  const rest = { ...value }
  take(rest, path, 'model')
  const content = take(rest, path, 'content')
  if (!isFields(content.value)) throw wrong(`${path}/content`, 'must be an object with parts')
  const config = take(rest, path, 'embedContentConfig')
  if (config.value !== null && !isFields(config.value)) throw wrong(config.path, 'must be an object')
  const inner = { ...fieldsOf(config.value) }
  const settings: Record<(typeof SETTINGS)[number][0], unknown> = { dimensions: null, taskType: null, title: null }
  const paths: Record<string, string> = {}
  for (const [name, theirs] of SETTINGS) {
    const outside = take(rest, path, theirs)
    const inside = take(inner, config.path, theirs)
    if (outside.value !== null && inside.value !== null) throw repeated(inside.path)
    const setting = inside.value === null ? outside : inside
    if (setting.value === null) continue
    settings[name] = setting.value
    paths[name] = setting.path
  }
  if (Object.keys(inner).length > 0) rest['embedContentConfig'] = inner
  return {
    content: contentOf(content.value),
    dimensions: wholeNumber(settings.dimensions),
    taskType: settings.taskType,
    title: settings.title,
    path,
    paths,
    ext: extOf(rest),
  }
}

/** Text that is nothing but text; what has media or any member besides is kept as it stands. */
function contentOf(content: Readonly<Record<string, unknown>>): EmbeddingContent {
  const { parts, role = null, ...others } = content
  const opaque: EmbeddingContent = { type: 'opaque', issuer: 'gemini', value: content }
  if (!isEmpty(others) || (role !== null && typeof role !== 'string')) return opaque
  const list: unknown = isFields(parts) ? [parts] : (parts ?? [])
  if (!Array.isArray(list)) return opaque
  const texts: string[] = []
  for (const part of list) {
    const { text, ...more } = fieldsOf(part)
    if (typeof text !== 'string' || !isEmpty(more)) return opaque
    texts.push(text)
  }
  return { type: 'text', texts, role }
}

function encodeInput(input: EmbeddingInput): Readonly<Record<string, unknown>> {
  const body: Record<string, unknown> = { content: encodeContent(input.content) }
  for (const [name, theirs] of SETTINGS) if (input[name] !== null) body[theirs] = input[name]
  return { ...body, ...input.ext['gemini'] }
}

function encodeContent(content: EmbeddingContent): unknown {
  switch (content.type) {
    case 'text': {
      const parts = content.texts.map((text) => ({ text }))
      return content.role === null ? { parts } : { role: content.role, parts }
    }
    case 'tokens':
      throw new GatewayError('invalid_request', '"input" must be text: this model takes no lists of tokens.', {
        param: 'input',
      })
    case 'opaque':
      if (content.issuer === 'gemini') return content.value
      throw new GatewayError('invalid_request', '"input" must be text: this model takes it in no other form.', {
        param: 'input',
      })
    default: {
      const missed: never = content
      throw new Error(`unknown content ${String(missed)}`)
    }
  }
}

interface Taken {
  /** Null when the member is absent. */
  readonly value: unknown
  readonly path: string
}

/** Takes a member out of `rest`, in either spelling. Two spellings of one member are a duplicate (S18). */
function take(rest: Record<string, unknown>, path: string, name: string): Taken {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  if (snake !== name && Object.hasOwn(rest, snake) && Object.hasOwn(rest, name)) throw repeated(`${path}/${name}`)
  const spelling = Object.hasOwn(rest, snake) ? snake : name
  const value = Object.hasOwn(rest, spelling) ? (rest[spelling] ?? null) : null
  delete rest[spelling]
  return { value, path: `${path}/${spelling}` }
}

/** Google's JSON accepts a whole number as a string, OpenAI's does not. */
function wholeNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
}

function extOf(rest: Readonly<Record<string, unknown>>): Extensions {
  return Object.keys(rest).length > 0 ? { gemini: rest } : {}
}

function isEmpty(members: Readonly<Record<string, unknown>>): boolean {
  return Object.values(members).every((value) => value === null)
}

function isFields(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function wrong(path: string, what: string): GatewayError {
  const param = paramOf(path)
  return new GatewayError('invalid_parameter', `"${param}" ${what}.`, { param })
}

function repeated(path: string): GatewayError {
  const param = paramOf(path)
  return new GatewayError('invalid_request', `The member "${param}" occurs more than once.`, { param })
}
