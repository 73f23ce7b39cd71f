import type { Surface } from '#base/protocols.ts'
import { quoted, stringAt, valueOf } from '#codecs/event-text.ts'
import { isObject, valueEnd } from '#wire/json-scan.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'

/**
 * `trivium: {warnings}` in the answers of OpenAI-shaped surfaces, for clients that ask with `x-gateway-report: full` (B2):
 * a member of a whole body, of a chat chunk, or of the response object that ends a Responses stream. Bodies of Messages and
 * Gemini stay native; their report is at `/api/v1/generation`.
 */

export function hasReportMember(surface: Surface): boolean {
  return surface === 'openai-chat' || surface === 'openai-responses' || surface === 'openai-embeddings'
}

/** Adds the report to a body, or to an event whose data is one object. */
export function reportEdits(bytes: Buffer, report: string): Edit[] {
  const close = bytes.lastIndexOf(CLOSE)
  return close < 0 ? [] : [appendEdit(bytes, close, report)]
}

const RESPONSE = quoted('response')

/** Adds it to the response object inside an event; nothing where there is none. */
export function responseReportEdits(event: Buffer, report: string): Edit[] {
  const start = valueOf(event, RESPONSE)
  if (start < 0 || !isObject(event, start)) return []
  return [appendEdit(event, valueEnd(event, start) - 1, report)]
}

const FINISH = quoted('finish_reason')

/** Whether a chat chunk ends a candidate. */
export function tellsFinish(event: Buffer): boolean {
  return stringAt(event, valueOf(event, FINISH)) !== null
}

/** The last events of a translated stream, with the report in the last that says something. */
export function closingWithReport(surface: Surface, events: Buffer, report: string): Buffer {
  if (surface === 'openai-responses') {
    const start = Math.max(0, events.lastIndexOf('\n\nevent: '))
    const last = events.subarray(start)
    return Buffer.concat([events.subarray(0, start), applyEdits(last, responseReportEdits(last, report))])
  }
  return surface === 'openai-chat' ? applyEdits(events, reportEdits(events, report)) : events
}

const CLOSE = 0x7d
const OPEN = 0x7b
const SPACE = 0x20

function appendEdit(bytes: Buffer, close: number, report: string): Edit {
  let before = close - 1
  while (bytes[before]! <= SPACE) before--
  const comma = bytes[before] === OPEN ? '' : ','
  return { start: close, end: close, bytes: Buffer.from(`${comma}"trivium":${report}`) }
}
