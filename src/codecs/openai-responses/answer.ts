import type { AnswerFacts, Failure } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, valueOf } from '#codecs/event-text.ts'
import { failureOf } from '#codecs/failure.ts'
import { openAiUsageAt, RESPONSES_USAGE } from '#codecs/openai-chat/usage.ts'
import { spanOf } from '#codecs/request-fields.ts'
import type { Usage } from '#ir/usage.ts'
import { isNull, isObject, isString, ObjectScan, readValue, type Span } from '#wire/json-scan.ts'

const KEYS = ['id', 'model', 'usage', 'error', 'status', 'output', 'object', 'incomplete_details'] as const
const ANSWER_SCAN = new ObjectScan(KEYS)
const [ID, MODEL, USAGE, ERROR, STATUS, OUTPUT, , INCOMPLETE] = [0, 1, 2, 3, 4, 5, 6, 7] as const
const CONTENT_KEYS = ['text', 'arguments', 'refusal', 'input'].map(quoted)
const CALL_KINDS = 'function_call|custom_tool_call|computer_call|local_shell_call|shell_call|apply_patch_call'
const CALL = new RegExp(`"type"\\s*:\\s*"(?:${CALL_KINDS})"`, 'g')
/** The provider's own tools too, whose result may be an image. */
const ANY_CALL = Buffer.from('_call"')
/** Items that ask the client to do something; what the provider runs itself is no tool call of the client's. */
export const CLIENT_CALLS: ReadonlySet<string> = new Set(CALL_KINDS.split('|'))

/** Reads a response object, which is a whole answer or stands inside a terminal event. */
export function readResponsesAnswer(body: Buffer, from = 0, to = body.length): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body, from, to)
  const span = (index: number): Span | null =>
    object && scan.has(index) && !isNull(body, scan.start[index]!) ? spanOf(scan, index)! : null
  const usage = span(USAGE)
  const model = span(MODEL)
  const contentBytes = span(OUTPUT) ? contentBytesOf(body.subarray(from, to), CONTENT_KEYS) : 0
  const status = stringAt(body, span(STATUS)?.start ?? -1)
  return {
    usage: usage ? readUsage(body, usage) : null,
    finishReason: finishOf(body, status, span(INCOMPLETE)),
    responseId: stringAt(body, span(ID)?.start ?? -1),
    toolCallsCount: object ? (body.toString('latin1', from, to).match(CALL)?.length ?? 0) : 0,
    modelSpan: model && isString(body, model.start) ? model : null,
    usageOpen: usage && isObject(body, usage.start) ? usage.start + 1 : null,
    contentBytes,
    hasOtherOutput: contentBytes === 0 && body.subarray(from, to).includes(ANY_CALL),
    failure: failureIn(body, span(ERROR), object && scan.has(OUTPUT)),
  }
}

function readUsage(body: Buffer, span: Span): Usage | null {
  return isObject(body, span.start) ? openAiUsageAt(body, span.start, span.end, RESPONSES_USAGE) : null
}

function finishOf(body: Buffer, status: string | null, incomplete: Span | null): string | null {
  if (status !== 'incomplete' || !incomplete) return status
  const reason = stringAt(body, valueOf(body, quoted('reason'), incomplete.start))
  return reason ? `incomplete:${reason}` : status
}

function failureIn(body: Buffer, error: Span | null, isAnswer: boolean): Failure | null {
  if (error) return failureOf(200, { error: readValue(body, error.start, error.end) })
  if (isAnswer) return null
  return { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without output.' }
}
