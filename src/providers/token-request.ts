/** An answer of a token endpoint is small; more than this is none. */
export const TOKEN_ANSWER_BYTES_MAX = 64 * 1024
/** Token endpoints answer in well under a second; metadata services of other clouds never do. */
export const TOKEN_WAIT_MS_MAX = 10_000

/** A source of credentials failed. The message names no secret. */
export class AccessError extends Error {}

export interface TokenAsk {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>
  readonly waitMs?: number
}

/** Asks a token endpoint or a metadata service. Throws AccessError for everything but a 2xx. */
export async function askForToken(url: string, ask: TokenAsk): Promise<string> {
  const place = placeOf(url)
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: ask.method,
      headers: { accept: '*/*', ...ask.headers },
      ...(ask.form ? { body: new URLSearchParams(ask.form) } : {}),
      redirect: 'error',
      signal: AbortSignal.timeout(ask.waitMs ?? TOKEN_WAIT_MS_MAX),
    })
    text = await boundedText(response)
  } catch (error) {
    if (error instanceof AccessError) throw error
    throw new AccessError(`${place} cannot be reached`, { cause: error })
  }
  if (!response.ok) throw new AccessError(`${place} answered ${response.status}${reasonOf(text)}`)
  return text
}

/** An OAuth answer: `{access_token, expires_in}`. Throws AccessError for anything else. */
export function readOAuthToken(text: string, nowMs: number): { value: string; expiresAtMs: number } {
  const { access_token: token, expires_in: seconds } = readFields(text)
  const lifetime = Number(seconds)
  if (typeof token !== 'string' || token === '' || !(lifetime > 0))
    throw new AccessError('the token endpoint sent no token')
  return { value: token, expiresAtMs: nowMs + lifetime * 1000 }
}

/** The members of a JSON object. Throws AccessError for anything else. */
export function readFields(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (value === null || typeof value !== 'object') throw new AccessError('a source of credentials sent no JSON object')
  return value as Record<string, unknown>
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > TOKEN_ANSWER_BYTES_MAX) throw new AccessError('a source of credentials sent too much')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const placeOf = (url: string): string => new URL(url).host

/** OAuth's `error` is a word of a list and no secret (RFC 6749 section 5.2); its description may quote what was sent. */
function reasonOf(text: string): string {
  const word = /"error"\s*:\s*"([a-z_]{1,40})"/.exec(text)?.[1]
  return word === undefined ? '' : ` ${word}`
}
