import { GatewayError } from '#base/errors.ts'
import type { EmbeddingContent, EmbeddingInput, EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'
import type { EmbeddingTarget, EncodedEmbeddings } from './translation.ts'
import { isNumber } from './vectors.ts'

/** Reads `{model, input, dimensions, encoding_format, user}`; whatever else there is stays as it stood. */
export function decodeOpenAiRequest(body: unknown): EmbeddingRequest {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw new GatewayError('invalid_json', 'The body must be a JSON object.')
  // The model is the gateway's to choose.
  const { model: _, input, dimensions, encoding_format: encoding, user, ...rest } = body as Record<string, unknown>
  const isBatch = Array.isArray(input) && !isNumber(input[0])
  const paths = pathsOf({ endUser: ['/user', user], encoding: ['/encoding_format', encoding] })
  const inputPaths = pathsOf({ dimensions: ['/dimensions', dimensions] })
  const inputAt = (value: unknown, path: string): EmbeddingInput => ({
    content: contentOf(value),
    dimensions: dimensions ?? null,
    taskType: null,
    title: null,
    path,
    paths: inputPaths,
    ext: {},
  })
  const inputs = isBatch ? input.map((value, index) => inputAt(value, `/input/${index}`)) : [inputAt(input, '/input')]
  if (inputs.length === 0) throw new GatewayError('invalid_request', '"input" must not be empty.', { param: 'input' })
  return {
    inputs,
    isBatch,
    encoding: encodingOf(encoding),
    endUser: endUserOf(user),
    paths,
    ext: Object.keys(rest).length > 0 ? { 'openai-embeddings': rest } : {},
  }
}

/**
 * Writes the body for an upstream that speaks OpenAI. Throws GatewayError 400 for contents that are no text, and for
 * inputs that want vectors of different lengths, because OpenAI has one length for all.
 */
export function encodeOpenAiRequest(
  request: EmbeddingRequest,
  target: EmbeddingTarget,
  losses: Losses,
): EncodedEmbeddings {
  const values = request.inputs.map((input) => inputValue(input, losses))
  const dimensions = dimensionsOf(request.inputs)
  losses.unknown('', request.ext['gemini'], 'OpenAI knows no such member')
  const body: Record<string, unknown> = { model: target.model, input: request.isBatch ? values : values[0] }
  if (dimensions !== null) body['dimensions'] = dimensions
  if (request.encoding !== null) body['encoding_format'] = request.encoding
  if (request.endUser !== null) body['user'] = request.endUser
  return { body: { ...body, ...request.ext['openai-embeddings'] }, action: null }
}

/** A text, a list of tokens, or an object of a host's own: OpenRouter's has images in it. */
function contentOf(value: unknown): EmbeddingContent {
  if (typeof value === 'string') return { type: 'text', texts: [value], role: null }
  if (Array.isArray(value) && value.every(isNumber)) return { type: 'tokens', tokens: value }
  if (value !== null && typeof value === 'object' && !Array.isArray(value) && !isNumber(value))
    return { type: 'opaque', issuer: 'openai-embeddings', value }
  throw new GatewayError('invalid_parameter', '"input" must be a text, a list of tokens, or a list of either.', {
    param: 'input',
  })
}

function encodingOf(value: unknown): EmbeddingRequest['encoding'] {
  if (value === undefined || value === null) return null
  if (value === 'float' || value === 'base64') return value
  throw new GatewayError('invalid_parameter', '"encoding_format" must be "float" or "base64".', {
    param: 'encoding_format',
  })
}

function endUserOf(value: unknown): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return value
  throw new GatewayError('invalid_parameter', '"user" must be a string.', { param: 'user' })
}

/** The places of what the client gave; null says as little as absence. */
function pathsOf(places: Readonly<Record<string, readonly [path: string, value: unknown]>>): Record<string, string> {
  const paths: Record<string, string> = {}
  for (const [name, [path, value]] of Object.entries(places))
    if (value !== undefined && value !== null) paths[name] = path
  return paths
}

function inputValue(input: EmbeddingInput, losses: Losses): unknown {
  const { content, path } = input
  for (const name of ['taskType', 'title'] as const)
    if (input[name] !== null) losses.dropped(input.paths[name] ?? path, `OpenAI has no ${name}`)
  losses.unknown(path, input.ext['gemini'], 'OpenAI knows no such member')
  switch (content.type) {
    case 'text':
      if (content.texts.length > 1) losses.rewritten(`${path}/content/parts`, 'OpenAI takes a text in one piece')
      return content.texts.join('')
    case 'tokens':
      return content.tokens
    case 'opaque': {
      if (content.issuer === 'openai-embeddings') return content.value
      const param = paramOf(`${path}/content`)
      throw new GatewayError('invalid_request', `"${param}" must be plain text: this model embeds nothing else.`, {
        param,
      })
    }
    default: {
      const missed: never = content
      throw new Error(`unknown content ${String(missed)}`)
    }
  }
}

function dimensionsOf(inputs: readonly EmbeddingInput[]): unknown {
  const wanted = inputs[0]?.dimensions ?? null
  // A number that JavaScript would round is an object, equal by its text.
  const text = JSON.stringify(wanted)
  const other = inputs.find(({ dimensions }) => dimensions !== wanted && JSON.stringify(dimensions) !== text)
  if (!other) return wanted
  const param = paramOf(other.paths['dimensions'] ?? other.path)
  throw new GatewayError('invalid_request', `"${param}": this model gives all vectors of a request one length.`, {
    param,
  })
}

/** A JSON pointer as clients are told of it: `/requests/1/content` -> `requests.1.content`. */
export function paramOf(path: string): string {
  return path.slice(1).replaceAll('/', '.')
}
