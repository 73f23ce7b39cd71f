/**
 * A dialect is the family of envelopes a client understands: which shape its errors and its model lists have. The path
 * decides before anything else is known, so that even a 401 or a 404 is written in the client's own language (R11).
 */

export type Dialect = 'openai' | 'openrouter' | 'anthropic' | 'gemini'

/** Header names in lower case, as node gives them. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

const MESSAGES = /^(?:\/api)?(?:\/v1){1,2}\/messages(?:\/|$)/
const GEMINI_ROOT = /^(?:\/api)?\/v1beta(?:\/|$)/
const GEMINI_ACTION = /:(?:generateContent|streamGenerateContent|countTokens|embedContent|batchEmbedContents)$/
const SHARED_MODELS = /^(?:\/v1){1,2}\/models(?:\/|$)/
const OPENROUTER_MODELS = /^\/api(?:\/v1){1,2}\/models(?:\/|$)/

/** The dialect of a request path (a query string is ignored). Unknown paths speak the dialect of their prefix. */
export function dialectOf(path: string, headers: RequestHeaders = {}): Dialect {
  const query = path.indexOf('?')
  const bare = query === -1 ? path : path.slice(0, query)
  if (GEMINI_ROOT.test(bare) || GEMINI_ACTION.test(bare)) return 'gemini'
  if (bare === '/anthropic' || bare.startsWith('/anthropic/') || MESSAGES.test(bare)) return 'anthropic'
  if (SHARED_MODELS.test(bare)) return modelListDialect(headers)
  // The Anthropic SDK with the base URL `{GATEWAY_URL}/api` lists models here too (R7).
  if (OPENROUTER_MODELS.test(bare) && headers['anthropic-version'] !== undefined) return 'anthropic'
  if (bare === '/api' || bare.startsWith('/api/')) return 'openrouter'
  // Only Anthropic's SDK, which appends `/v1/messages` to its base, doubles the prefix (C1).
  if (bare.startsWith('/v1/v1/')) return 'anthropic'
  return 'openai'
}

/** `/v1/models` is one path for three list shapes; the headers each SDK always sends tell them apart (C36). */
function modelListDialect(headers: RequestHeaders): Dialect {
  if (headers['anthropic-version'] !== undefined) return 'anthropic'
  if (headers['x-goog-api-key'] !== undefined) return 'gemini'
  return 'openai'
}
