import { GatewayError } from '#base/errors.ts'
import { isRawNumber } from '#base/exact-json.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Citation } from '#ir/blocks.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { Extensions } from '#ir/extensions.ts'

export const PROTOCOL: Protocol = 'anthropic-messages'

export type Members = Readonly<Record<string, unknown>>

/** A JSON object: no array, no number that is kept as text. */
export function isObject(value: unknown): value is Members {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !isRawNumber(value)
}

/** A complaint about the client's body. `param` names the member as the API does: `messages.0.content`. */
export function malformed(param: string, what: string): GatewayError {
  return new GatewayError('invalid_request', `"${param}" ${what}.`, { param })
}

/** The text of a member that must be one. */
export function textAt(members: Members, name: string, param: string): string {
  const value = members[name]
  if (typeof value !== 'string') throw malformed(`${param}.${name}`, 'must be a string')
  return value
}

export function stringOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** The names in a text, each once. */
export function namesIn(text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}

/** The members that are not in `known`. */
export function restOf(members: Members, known: ReadonlySet<string>): Members {
  const rest: Record<string, unknown> = {}
  for (const name of Object.keys(members)) if (!known.has(name)) rest[name] = members[name]
  return rest
}

/** Members that only this protocol knows, to be spread into a node; nothing when there are none. */
export function ownExt(members: Members): { ext?: Extensions } {
  return Object.keys(members).length === 0 ? {} : { ext: { [PROTOCOL]: members } }
}

/** What this protocol kept of a node; undefined when its client spoke another one. */
export function ownMembers(node: { readonly ext?: Extensions }): Members | undefined {
  return node.ext?.[PROTOCOL]
}

/** A source as the API tells it. Its offsets are places in the source, so that they are none of the neutral ones. */
export function readCitation(value: unknown): Citation {
  const fields = fieldsOf(value)
  const url = stringOrNull(fields['type'] === 'search_result_location' ? fields['source'] : fields['url'])
  const title = stringOrNull(fields['title'] ?? fields['document_title'])
  const citedText = stringOrNull(fields['cited_text'])
  return {
    ...(url === null ? {} : { url }),
    ...(title === null ? {} : { title }),
    ...(citedText === null ? {} : { citedText }),
    native: { issuer: PROTOCOL, value },
  }
}

/** The API's own form of a citation; null for one of another origin, which it has no form for. */
export function nativeCitation(citation: Citation): unknown {
  return citation.native?.issuer === PROTOCOL ? citation.native.value : null
}
