import type { Operation, Surface } from '#base/protocols.ts'

/** What a path asks for. The route fixes the client's protocol before anything else is known (design.md section 3). */
export interface Endpoint {
  readonly surface: Surface
  readonly operation: Operation
  /** The Gemini method, else null. */
  readonly action: GeminiAction | null
}

export type GeminiAction =
  | 'generateContent'
  | 'streamGenerateContent'
  | 'countTokens'
  | 'embedContent'
  | 'batchEmbedContents'

const GEMINI_ACTIONS: Readonly<Record<GeminiAction, Operation>> = {
  generateContent: 'generate',
  streamGenerateContent: 'generate',
  countTokens: 'count',
  embedContent: 'embed',
  batchEmbedContents: 'embed',
}

const endpoint = (surface: Surface, operation: Operation): Endpoint => ({ surface, operation, action: null })

const CHAT = endpoint('openai-chat', 'generate')
const RESPONSES = endpoint('openai-responses', 'generate')
const EMBEDDINGS = endpoint('openai-embeddings', 'embed')
const MESSAGES = endpoint('anthropic-messages', 'generate')
const COUNT = endpoint('anthropic-messages', 'count')
const INPUT_TOKENS = endpoint('openai-responses', 'count')

/**
 * Fixed paths. The doubled ones are what SDKs make of a base URL that already ends in `/v1` (C1); `/api/v1` is the mount
 * of OpenRouter's clients (R7); `/anthropic` is the reference's (R7).
 */
export const FIXED_PATHS: ReadonlyMap<string, Endpoint> = new Map([
  ...aliases(['/v1', '/api/v1'], '/chat/completions', CHAT),
  ...aliases(['/v1', '/api/v1'], '/responses', RESPONSES),
  ...aliases(['/v1', '/api/v1'], '/responses/input_tokens', INPUT_TOKENS),
  ...aliases(['/v1', '/api/v1'], '/embeddings', EMBEDDINGS),
  ...aliases(['/v1', '/v1/v1', '/api/v1', '/api/v1/v1', '/anthropic/v1'], '/messages', MESSAGES),
  ...aliases(['/v1', '/v1/v1', '/api/v1', '/api/v1/v1', '/anthropic/v1'], '/messages/count_tokens', COUNT),
])

/**
 * Prefixes behind which a model and a Gemini method follow. `@google/genai` 3 asks `/v1/models/…`, and any of its versions
 * puts its own prefix behind a base URL that already has one (R6, C5).
 */
export const GEMINI_PREFIXES: readonly string[] = [
  '/v1beta/models/',
  '/v1/models/',
  '/v1beta/v1beta/models/',
  '/v1beta/v1/models/',
  '/api/v1beta/models/',
  '/api/v1beta/v1beta/models/',
  '/api/v1beta/v1/models/',
  '/api/v1/models/',
]

export interface GeminiTarget {
  readonly model: string
  readonly endpoint: Endpoint
}

/**
 * `{model}:{action}` of a Gemini path. A model may hold slashes and colons: the action is what follows the last colon,
 * when it is one (C4). Null when the path names no method.
 */
export function readGeminiTarget(rest: string): GeminiTarget | null {
  const text = decode(rest)
  const colon = text.lastIndexOf(':')
  if (colon <= 0) return null
  const action = text.slice(colon + 1)
  if (!Object.hasOwn(GEMINI_ACTIONS, action)) return null
  const name = text.slice(0, colon)
  const model = name.startsWith('models/') ? name.slice('models/'.length) : name
  const known = action as GeminiAction
  return { model, endpoint: { surface: 'gemini', operation: GEMINI_ACTIONS[known], action: known } }
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function aliases(prefixes: readonly string[], path: string, target: Endpoint): [string, Endpoint][] {
  return prefixes.map((prefix) => [prefix + path, target])
}
