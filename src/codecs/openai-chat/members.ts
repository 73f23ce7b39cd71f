import { GatewayError } from '#base/errors.ts'
import { isRawNumber } from '#base/exact-json.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Extensions, Losses } from '#ir/extensions.ts'

export const PROTOCOL: Protocol = 'openai-chat'

export type Members = Readonly<Record<string, unknown>>

/** A JSON object: no list, and no number that is kept as its text. */
export function isObject(value: unknown): value is Members {
  return isRecord(value) && !isRawNumber(value)
}

/** As `isObject`, where no number is kept as text: in a stream, which is parsed as usual. */
export function isRecord(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

/** A number, also one that JavaScript would round; null for anything else. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return value
  return isRawNumber(value) ? Number(value.rawJSON) : null
}

export function stringOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** A complaint about the client's body; `path` is the JSON pointer to what is wrong. */
export function malformed(path: string, what: string): GatewayError {
  const param = path.slice(1).replaceAll('/', '.')
  return new GatewayError('invalid_request', `"${param}" ${what}.`, { param })
}

/** The text of a member that must be one where it is given; null is absent. */
export function optionalText(members: Members, name: string, path: string): string | null {
  const value = members[name] ?? null
  if (value !== null && typeof value !== 'string') throw malformed(`${path}/${name}`, 'must be a string')
  return value
}

/** A list that must be one where it is given; null is absent. */
export function optionalList(members: Members, name: string, path: string): readonly unknown[] | null {
  const value = members[name] ?? null
  if (value !== null && !Array.isArray(value)) throw malformed(`${path}/${name}`, 'must be a list')
  return value
}

/** The members that are not in `known`. Null is absent. */
export function restOf(members: Members, known: ReadonlySet<string>): Record<string, unknown> {
  const rest: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(members)) if (value !== null && !known.has(name)) rest[name] = value
  return rest
}

/** As `restOf` for a member that is an object of its own: `{name: rest}`, or nothing. */
export function restWithin(name: string, members: Members, known: ReadonlySet<string>): Record<string, unknown> {
  const rest = restOf(members, known)
  return Object.keys(rest).length === 0 ? {} : { [name]: rest }
}

/** Members that only this protocol knows, to be spread into a node; nothing when there are none. */
export function ownExt(members: Members): { ext?: Extensions } {
  return Object.keys(members).length === 0 ? {} : { ext: { [PROTOCOL]: members } }
}

/** A breakpoint of the prompt cache, to be spread into a node; nothing when there is none. */
export function cacheControlOf(members: Members): { cacheControl?: unknown } {
  const value = members['cache_control'] ?? null
  return value === null ? {} : { cacheControl: value }
}

/** Puts the members that only this protocol knows back into what was built; objects are merged, and lists joined. */
export function withOwn<Built extends Record<string, unknown>>(built: Built, own: Members | undefined): Built {
  const merged: Record<string, unknown> = built
  for (const [name, value] of Object.entries(own ?? {})) {
    const present = merged[name]
    if (present === undefined) merged[name] = value
    else if (isObject(present) && isObject(value)) merged[name] = withOwn({ ...present }, value)
    else if (Array.isArray(present) && Array.isArray(value)) merged[name] = [...present, ...value]
  }
  return built
}

/** What this protocol kept of a node. */
export function ownMembers(node: { readonly ext?: Extensions }): Members | undefined {
  return node.ext?.[PROTOCOL]
}

/** Declares what other protocols alone know of a node. */
export function declareForeign(path: string, ext: Extensions | undefined, losses: Losses): void {
  for (const [protocol, members] of Object.entries(ext ?? {}))
    if (protocol !== PROTOCOL) losses.unknown(path, members, `chat completions have no such member`)
}
