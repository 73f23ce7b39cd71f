import { type ErrorCode, ERRORS } from '#base/errors.ts'
import type { Surface } from '#base/protocols.ts'
import type { Failure } from '#codecs/codec.ts'
import { insertMember } from '#codecs/request-fields.ts'
import { quoted, valueOf } from '#codecs/event-text.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
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

/** The in-stream failure with OpenRouter's integer code and its `error_type` (openrouter-api.md section 4). */
export function openRouterFailureEvents(surface: Surface, failure: Failure): string {
  const native = PASSTHROUGH[surface].failureEvents(failure)
  const start = native.indexOf('{')
  const event = JSON.parse(native.slice(start)) as Record<string, Record<string, unknown>>
  const errorType = errorTypeOf(failure)
  switch (surface) {
    case 'openai-chat': {
      const { status, message, code } = failure
      event['error'] = { code: status, message, metadata: { error_type: errorType, code } }
      break
    }
    case 'openai-responses':
      event['response'] = { ...event['response'], error_type: errorType }
      break
    case 'anthropic-messages':
      event['error'] = { ...event['error'], error_type: errorType }
      break
    case 'openai-embeddings':
    case 'gemini':
      return native
    default: {
      const missed: never = surface
      throw new Error(`unknown surface ${String(missed)}`)
    }
  }
  return `${native.slice(0, start)}${JSON.stringify(event)}\n\n`
}

function errorTypeOf({ code, status }: Failure): string {
  if (Object.hasOwn(ERRORS, code)) return ERRORS[code as ErrorCode].openrouter
  if (status === 429) return ERRORS.upstream_rate_limited.openrouter
  if (status < 500) return ERRORS.invalid_request.openrouter
  return status === 503 || status === 529
    ? ERRORS.no_available_backend.openrouter
    : ERRORS.upstream_unavailable.openrouter
}
