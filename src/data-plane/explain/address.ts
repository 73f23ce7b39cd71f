import { isUtf8 } from 'node:buffer'
import { scanBody } from '#codecs/request-fields.ts'
import { GatewayError } from '#base/errors.ts'
import type { Surface } from '#base/protocols.ts'
import { FIXED_PATHS, GEMINI_PREFIXES, readGeminiTarget } from '#data-plane/1-receive/operations.ts'
import type { Addressed } from '#data-plane/3-parse/parse.ts'
import { ObjectScan } from '#wire/json-scan.ts'

export type { Addressed }

/** The usual path of each protocol, by its name and by the short form that people write. */
const USUAL: Readonly<Record<string, string>> = {
  'openai-chat': '/v1/chat/completions',
  chat: '/v1/chat/completions',
  openai: '/v1/chat/completions',
  'openai-responses': '/v1/responses',
  responses: '/v1/responses',
  'openai-embeddings': '/v1/embeddings',
  embeddings: '/v1/embeddings',
  'anthropic-messages': '/v1/messages',
  messages: '/v1/messages',
  anthropic: '/v1/messages',
} satisfies Partial<Record<Surface, string>> & Record<string, string>

/** A request to be explained; its body stays as it came. */
export interface Question {
  readonly protocol: string | null
  readonly path: string | null
  readonly body: Buffer
}

/**
 * What the path, or else the protocol, of a request says. Gemini's model is in its path; without one it is `model` of the body.
 * Throws 400 for what is no path of the data plane.
 */
export function addressOf({ protocol, path, body }: Question): Addressed {
  if (path === null && protocol === 'gemini') {
    const { model = '' } = (JSON.parse(body.toString('utf8')) ?? {}) as { model?: unknown }
    return gemini(`${String(model)}:generateContent`, '')
  }
  const address = path ?? (protocol === null ? undefined : USUAL[protocol])
  if (address === undefined) {
    const message = `"protocol" must be one of ${[...Object.keys(USUAL), 'gemini'].join(', ')}.`
    throw new GatewayError('invalid_parameter', message, { param: 'protocol' })
  }
  const [pathname, query = ''] = address.split('?', 2) as [string, string?]
  const endpoint = FIXED_PATHS.get(pathname)
  if (endpoint) return { endpoint, pathModel: null, query }
  const prefix = GEMINI_PREFIXES.find((each) => pathname.startsWith(each))
  if (prefix === undefined) throw unknownPath()
  return gemini(pathname.slice(prefix.length), query)
}

const [PROTOCOL, PATH, BODY] = [0, 1, 2] as const

/** Takes `{"protocol", "path"?, "body"}` apart. Throws 400. */
export function readQuestion(text: Buffer, jsonDepthMax: number): Question {
  const scan = new ObjectScan(['protocol', 'path', 'body'])
  if (text.length === 0 || !isUtf8(text)) throw new GatewayError('invalid_json', 'A JSON object is expected.')
  scanBody(scan, text, jsonDepthMax + 1, [
    [PATH, 'path'],
    [BODY, 'body'],
  ])
  if (!scan.has(BODY))
    throw new GatewayError('invalid_parameter', '"body" must be the request that is asked about.', { param: 'body' })
  const textOf = (index: 0 | 1): string | null => {
    const value: unknown = scan.has(index)
      ? JSON.parse(text.toString('utf8', scan.start[index], scan.end[index]))
      : null
    if (value === null || typeof value === 'string') return value
    throw new GatewayError('invalid_parameter', `"${index === PATH ? 'path' : 'protocol'}" must be text.`)
  }
  return { protocol: textOf(PROTOCOL), path: textOf(PATH), body: text.subarray(scan.start[BODY], scan.end[BODY]) }
}

function gemini(rest: string, query: string): Addressed {
  const target = readGeminiTarget(rest)
  if (!target) throw unknownPath()
  return { endpoint: target.endpoint, pathModel: target.model, query }
}

const unknownPath = (): GatewayError =>
  new GatewayError('invalid_parameter', '"path" is no path of a model, or names none.', { param: 'path' })
