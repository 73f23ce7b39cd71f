import { readVersion } from '#base/version.ts'
import type { Identity, IdentityHeader } from '#catalog/types.ts'
import type { IdentityFile, IdentityHeaderFile } from './feature-schema.ts'
import type { Values } from './merge.ts'

/** The reference's page and its code spell two of the headers differently (C19). */
const SYNONYMS = { url: 'referer', title: 'x_title' } as const

/** What a client calls each header by itself, and what we say of ourselves. A project without an address names none. */
const HEADERS = {
  user_agent: { from: ['user-agent'], own: (): string | null => `Trivium/${readVersion()}` },
  referer: { from: ['http-referer'], own: (): string | null => null },
  x_title: { from: ['x-openrouter-title', 'x-title'], own: (): string | null => 'Trivium' },
} as const

/** Headers of a client that no mode may hand on: credentials, cookies, where it sits (R113). */
const PRIVATE =
  /^(authorization|proxy-authorization|cookie|x-api-key|x-goog-api-key|api-key|forwarded|via|x-forwarded-.*|x-real-ip|cf-connecting-ip|true-client-ip|host)$/

/** Longest value that is set for an upstream. */
export const IDENTITY_CHARACTERS_MAX = 300

/** One spelling for every key, and `{mode}` for a bare mode. Both spellings at once are a mistake. */
export function normaliseIdentity(block: unknown, path: string, errors: string[]): unknown {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) return block
  const result: Values = {}
  for (const [key, value] of Object.entries(block)) {
    const name = key in SYNONYMS ? SYNONYMS[key as keyof typeof SYNONYMS] : key
    if (name !== key && name in block) errors.push(`${path}.${key}: means the same as ${path}.${name}`)
    result[name] = typeof value === 'string' ? { mode: value } : value
  }
  return result
}

/** The global block under the backend's own, key by key. Faults are pushed as `path: reason`. */
export function readIdentity(
  blocks: readonly { readonly path: string; readonly block: IdentityFile | undefined }[],
  errors: string[],
  warnings: string[],
): Identity {
  const read = (key: keyof typeof HEADERS): IdentityHeader => {
    const said = blocks.find(({ block }) => block?.[key] !== undefined)
    return readHeader(key, said?.block?.[key] ?? {}, `${said?.path ?? 'identity'}.${key}`, errors, warnings)
  }
  return { userAgent: read('user_agent'), referer: read('referer'), title: read('x_title') }
}

function readHeader(
  key: keyof typeof HEADERS,
  block: IdentityHeaderFile,
  path: string,
  errors: string[],
  warnings: string[],
): IdentityHeader {
  const { from, own } = HEADERS[key]
  const value = (name: 'override_value' | 'default_value'): string | null =>
    checkValue(block[name], `${path}.${name}`, errors)
  const override = value('override_value')
  const fallback = value('default_value')
  const mode = block.mode ?? (override === null ? 'passthrough' : 'override')
  if (mode === 'default') return { from: [], value: fallback ?? own() }
  if (mode === 'override') {
    if (override === null)
      warnings.push(
        `${path}: mode override without override_value; ${fallback === null ? 'our own name is' : 'the default_value is'} sent`,
      )
    return { from: [], value: override ?? fallback ?? own() }
  }
  const name = block.passthrough_name?.toLowerCase()
  if (name !== undefined && !/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
    errors.push(`${path}.passthrough_name: not a header name`)
  if (name !== undefined && PRIVATE.test(name))
    errors.push(`${path}.passthrough_name: ${name} of a client is never passed on`)
  // A request without a User-Agent is refused by some providers.
  return { from: name === undefined ? from : [name], value: fallback ?? (key === 'user_agent' ? own() : null) }
}

/** What cannot start another header and can be written as one (R113). */
function checkValue(text: string | undefined, path: string, errors: string[]): string | null {
  if (text === undefined) return null
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
    errors.push(`${path}: must not contain control characters, or characters that a header cannot hold`)
  } else if (text.length > IDENTITY_CHARACTERS_MAX) {
    errors.push(`${path}: longer than ${IDENTITY_CHARACTERS_MAX} characters`)
  }
  return text
}
