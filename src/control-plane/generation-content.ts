import { GatewayError } from '#base/errors.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { Answer, Call } from './call.ts'
import { lookInto } from './contents.ts'
import { ownRow } from './logs.ts'
import { type Reader, seesBackends } from './reader.ts'

/** `GET /api/v1/generation/content?id=` in OpenRouter's form: only where its owner wanted it kept in full, else 404 (R101). */
export async function readGenerationContent(call: Call<Reader>): Promise<Answer> {
  const id = call.query['id']
  if (!id) throw new GatewayError('invalid_parameter', "The query parameter 'id' is required.", { param: 'id' })
  const row = await ownRow(call, id)
  const { request, response } = await lookInto(call, row.request_id)
  if (request.text === null || response.text === null) {
    throw new GatewayError('not_found', 'The texts of this request were not kept.')
  }
  const output = row.status === 'ok' ? outputOf(response.text) : { completion: null, reasoning: null }
  return { body: { data: { input: inputOf(request.text), output, error: errorOf(row, seesBackends(call)) } } }
}

type Json = Readonly<Record<string, unknown>>

/** The messages of any protocol, as they were sent; what has none is a prompt. */
function inputOf(text: string): Json {
  const body = parsed(text) as Json | undefined
  const messages = body?.['messages'] ?? body?.['input'] ?? body?.['contents']
  if (Array.isArray(messages)) return { messages }
  return { prompt: typeof messages === 'string' ? messages : text }
}

/** What the answer said, whole or streamed; what cannot be read is given as it stands. */
function outputOf(text: string): { completion: string | null; reasoning: string | null } {
  const said: Said = { completion: '', reasoning: '' }
  for (const value of valuesOf(text)) collect(value, said)
  if (said.completion === '' && said.reasoning === '') return { completion: text, reasoning: null }
  return { completion: said.completion || null, reasoning: said.reasoning || null }
}

/** One JSON value, a list of them (Gemini), or the `data:` of events. */
function valuesOf(text: string): Json[] {
  const whole = parsed(text)
  if (Array.isArray(whole)) return whole as Json[]
  if (whole !== undefined) return [whole as Json]
  return text.split(/\r?\n/).flatMap((line) => {
    const value = line.startsWith('data:') ? parsed(line.slice('data:'.length)) : undefined
    return value === undefined ? [] : [value as Json]
  })
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

interface Said {
  completion: string
  reasoning: string
}

/** The first candidate of each protocol, of a whole answer or of one event of it. */
function collect(value: Json, said: Said): void {
  const choice = first(value['choices'])
  const message = (choice?.['message'] ?? choice?.['delta']) as Json | undefined
  add(said, message?.['content'], message?.['reasoning'] ?? message?.['reasoning_content'])
  // Messages: blocks of an answer, and the deltas of its events.
  const delta = value['delta']
  if (typeof delta === 'object' && delta !== null) add(said, (delta as Json)['text'], (delta as Json)['thinking'])
  for (const block of listOf(value['content'])) add(said, block['text'], block['thinking'])
  // Responses.
  if (value['type'] === 'response.output_text.delta') add(said, delta, undefined)
  if (value['type'] === 'response.reasoning_summary_text.delta') add(said, undefined, delta)
  for (const item of listOf(value['output'])) {
    for (const part of listOf(item['content'])) add(said, part['text'], undefined)
    for (const part of listOf(item['summary'])) add(said, undefined, part['text'])
  }
  const content = first(value['candidates'])?.['content'] as Json | undefined
  for (const part of listOf(content?.['parts'])) {
    if (part['thought'] === true) add(said, undefined, part['text'])
    else add(said, part['text'], undefined)
  }
}

function add(said: Said, completion: unknown, reasoning: unknown): void {
  if (typeof completion === 'string') said.completion += completion
  if (typeof reasoning === 'string') said.reasoning += reasoning
}

const listOf = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])
const first = (value: unknown): Json | undefined => listOf(value)[0]

/** Of an attempt that nobody answered: the SDK takes a number only. */
const NO_ANSWER = 502

function errorOf(row: RequestRow, showsBackends: boolean): Json | null {
  if (row.status === 'ok') return null
  const nameOf = (backend: string | null): string | null => (showsBackends ? backend : null)
  return {
    message: row.error_message,
    previous_errors: row.attempts.slice(0, -1).map(({ backend, status, error_code: code }) => ({
      code: status ?? NO_ANSWER,
      message: code ?? '',
      provider_name: nameOf(backend),
      raw: null,
    })),
    provider_name: nameOf(row.backend_id),
    raw: null,
    status: row.status_code,
  }
}
