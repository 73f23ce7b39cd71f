import type { Surface } from '#base/protocols.ts'
import { insertMember } from '#codecs/request-fields.ts'
import { quoted, valueOf } from '#codecs/event-text.ts'
import { isObject, ObjectScan, valueEnd } from '#wire/json-scan.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'

/**
 * What the schemas of OpenRouter's SDK insist on beyond the native shapes, under `/api/v1` only (R7). The SDK throws at
 * an answer that lacks a required member or holds a null where it wants none.
 */

interface Required {
  readonly names: readonly string[]
  readonly scan: ObjectScan
}

const required = (...names: string[]): Required => ({ names, scan: new ObjectScan(names) })

/** Nullable, required, and left out by many upstreams: null is OpenRouter's own word for unknown. */
const REQUIRED: Readonly<Partial<Record<Surface, Required>>> = {
  'openai-chat': required('system_fingerprint'),
  'openai-responses': required('completed_at', 'frequency_penalty', 'presence_penalty'),
}

/** Members to add to a whole answer, or to the response object in `bytes[from, to)`. */
export function requiredMemberEdits(surface: Surface, bytes: Buffer, from = 0, to = bytes.length): Edit[] {
  const wanted = REQUIRED[surface]
  if (!wanted?.scan.scan(bytes, from, to)) return []
  const { scan, names } = wanted
  return names.filter((_, index) => !scan.has(index)).map((name) => insertMember(scan.open, scan.empty, name, 'null'))
}

const RESPONSE = quoted('response')

/** The same for the response object that some events of a Responses stream carry. */
export function responseEventEdits(event: Buffer): Edit[] {
  const start = valueOf(event, RESPONSE)
  if (start < 0 || !isObject(event, start)) return []
  return requiredMemberEdits('openai-responses', event, start, valueEnd(event, start))
}

/** Members of a chat chunk that OpenAI writes as null and the SDK takes as a value or not at all. */
const NEVER_NULL = ['usage', 'system_fingerprint'].map((name) => ({
  key: quoted(name),
  pattern: new RegExp(String.raw`(,?)\s*"${name}"\s*:\s*null\s*(,?)`),
}))

/** The event without those members. */
export function withoutNullMembers(event: Buffer): Buffer {
  let left = event
  for (const { key, pattern } of NEVER_NULL) {
    const match = left.includes(key) ? pattern.exec(left.toString('latin1')) : null
    if (!match) continue
    const isBetween = match[1] === ',' && match[2] === ','
    const bytes = Buffer.from(isBetween ? ',' : '')
    left = applyEdits(left, [{ start: match.index, end: match.index + match[0].length, bytes }])
  }
  return left
}
