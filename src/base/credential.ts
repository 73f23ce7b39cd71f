/**
 * Where a client may put its key. Every header works on every surface; the first non-empty one decides and there is no
 * fall-through to a second credential, so that a wrong key is never silently replaced by another (R13).
 */

export type CredentialSource = 'authorization' | 'x-api-key' | 'x-goog-api-key' | 'query'

export interface Credential {
  readonly text: string
  readonly from: CredentialSource
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** For the hint of a 401. */
export const ACCEPTED_HEADERS = 'Authorization: Bearer <key>, x-api-key or x-goog-api-key'

const BEARER = /^bearer(?:\s+|$)/i

/**
 * The presented credential, or null when there is none. `queryKey` is the value of `?key=`; pass it only for paths
 * that allow it (the Gemini surface).
 */
export function readCredential(headers: Headers, options: { queryKey?: string | undefined } = {}): Credential | null {
  const authorization = single(headers['authorization'])
  if (authorization.startsWith('Bearer ')) {
    const text = authorization.slice('Bearer '.length).trim()
    if (text) return { text, from: 'authorization' }
  }
  // A key sent without its scheme is a common slip and cannot be confused with anything else.
  const bearer = BEARER.test(authorization) ? authorization.replace(BEARER, '').trim() : authorization
  if (bearer) return { text: bearer, from: 'authorization' }
  const apiKey = single(headers['x-api-key'])
  if (apiKey) return { text: apiKey, from: 'x-api-key' }
  const googleKey = single(headers['x-goog-api-key'])
  if (googleKey) return { text: googleKey, from: 'x-goog-api-key' }
  const queryKey = options.queryKey?.trim()
  return queryKey ? { text: queryKey, from: 'query' } : null
}

function single(value: string | readonly string[] | undefined): string {
  const text = typeof value === 'string' ? value : value?.[0]
  return text?.trim() ?? ''
}
