/** Streamed answers of part B-10 in the words of every upstream protocol: frames of one event each. Made up, no recordings. */
import type { Protocol } from '#base/protocols.ts'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'

export type UpstreamProtocol = Exclude<Protocol, 'openai-embeddings' | 'cohere-chat'>
export const UPSTREAMS: readonly UpstreamProtocol[] = [
  'openai-chat',
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
]

/** What the upstream calls the model. */
export const UPSTREAM_MODELS: Readonly<Record<UpstreamProtocol, string>> = {
  'openai-chat': 'upstream-model',
  'openai-responses': 'gpt-4.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  'bedrock-converse': 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
}

export type StreamKind = 'text' | 'arguments'

/** Content events of one stream: as many as a page of text has. */
export const STREAM_EVENTS = 400

/** About three tokens each; some have what JSON must escape, some more bytes than characters. */
const WORDS = [
  'the reader ',
  'opens what ',
  'it closed, ',
  'ünder the ',
  '“table” of ',
  'contents.\n',
  'and a "b" ',
  'again ',
]
const TEXTS = Array.from({ length: STREAM_EVENTS }, (_, at) => WORDS[(at * 5 + (at >> 3)) % WORDS.length]!)

/** What all content events say together. */
export const STREAM_TEXT = TEXTS.join('')
export const ARGUMENT_NAME = 'text'

/** The arguments `{"text": …}` as JSON text, in as many pieces. */
const PIECES = TEXTS.map((text, at) => {
  const inner = JSON.stringify(text).slice(1, -1)
  return `${at === 0 ? `{"${ARGUMENT_NAME}":"` : ''}${inner}${at === STREAM_EVENTS - 1 ? '"}' : ''}`
})

const CALL_ID = 'call_0123456789abcdefghijklmn'
const TOOL = 'write_file'
const CREATED_AT = 1_790_000_000

export interface StreamInput {
  readonly contentType: string
  /** One event each. */
  readonly frames: readonly Buffer[]
  /** One that says nothing but a piece of text or of arguments, and the JSON in it: what it is compared with. */
  readonly sampleJson: Buffer
}

type Value = Readonly<Record<string, unknown>>
type Framed = readonly [name: string, value: Value]

const data = (value: unknown): Buffer => Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
const event = (value: Value): Buffer =>
  Buffer.from(`event: ${String(value['type'])}\ndata: ${JSON.stringify(value)}\n\n`)

function chatValues(kind: StreamKind): Value[] {
  const chunk = (choice: unknown, usage: unknown = null): Value => ({
    id: 'chatcmpl-0123456789abcdefghijklmnop',
    object: 'chat.completion.chunk',
    created: CREATED_AT,
    model: UPSTREAM_MODELS['openai-chat'],
    service_tier: 'default',
    system_fingerprint: 'fp_0123456789',
    choices: choice === null ? [] : [choice],
    usage,
  })
  const choice = (delta: unknown, finish: string | null = null): Value =>
    chunk({ index: 0, delta, logprobs: null, finish_reason: finish })
  const calls = (call: unknown): Value => choice({ tool_calls: [call] })
  const head = { index: 0, id: CALL_ID, type: 'function', function: { name: TOOL, arguments: '' } }
  return [
    choice({ role: 'assistant', content: kind === 'text' ? '' : null, refusal: null }),
    ...(kind === 'text'
      ? TEXTS.map((content) => choice({ content }))
      : [calls(head), ...PIECES.map((piece) => calls({ index: 0, function: { arguments: piece } }))]),
    choice({}, kind === 'text' ? 'stop' : 'tool_calls'),
    chunk(null, { prompt_tokens: 50, completion_tokens: STREAM_EVENTS, total_tokens: STREAM_EVENTS + 50 }),
  ]
}

function responsesValues(kind: StreamKind): Value[] {
  const id = `${kind === 'text' ? 'msg' : 'fc'}_0123456789abcdefghijklmnopqrstuvwxyz0123456789`
  const usage = { input_tokens: 50, output_tokens: STREAM_EVENTS, total_tokens: STREAM_EVENTS + 50 }
  const response = (status: string, output: readonly unknown[]): Value => ({
    id: 'resp_0123456789abcdefghijklmnopqrstuvwxyz0123456789',
    object: 'response',
    created_at: CREATED_AT,
    status,
    model: UPSTREAM_MODELS['openai-responses'],
    output,
    usage: status === 'completed' ? usage : null,
  })
  const part = (text: string): Value => ({ type: 'output_text', text, annotations: [], logprobs: [] })
  const item = (isDone: boolean): Value => {
    const status = isDone ? 'completed' : 'in_progress'
    return kind === 'text'
      ? { id, type: 'message', status, role: 'assistant', content: isDone ? [part(STREAM_TEXT)] : [] }
      : { id, type: 'function_call', status, call_id: CALL_ID, name: TOOL, arguments: isDone ? PIECES.join('') : '' }
  }
  const at = { item_id: id, output_index: 0 }
  const values: Value[] = [
    { type: 'response.created', response: response('in_progress', []) },
    { type: 'response.in_progress', response: response('in_progress', []) },
    { type: 'response.output_item.added', output_index: 0, item: item(false) },
    ...(kind === 'text'
      ? [
          { type: 'response.content_part.added', ...at, content_index: 0, part: part('') },
          ...TEXTS.map((delta, place) => ({
            type: 'response.output_text.delta',
            ...at,
            content_index: 0,
            delta,
            logprobs: [],
            obfuscation: 'x'.repeat(16 - (place % 8)),
          })),
          { type: 'response.output_text.done', ...at, content_index: 0, text: STREAM_TEXT, logprobs: [] },
          { type: 'response.content_part.done', ...at, content_index: 0, part: part(STREAM_TEXT) },
        ]
      : [
          ...PIECES.map((delta, place) => ({
            type: 'response.function_call_arguments.delta',
            ...at,
            delta,
            obfuscation: 'x'.repeat(16 - (place % 8)),
          })),
          { type: 'response.function_call_arguments.done', ...at, arguments: PIECES.join('') },
        ]),
    { type: 'response.output_item.done', output_index: 0, item: item(true) },
    { type: 'response.completed', response: response('completed', [item(true)]) },
  ]
  return values.map(({ type, ...rest }, sequence) => ({ type, sequence_number: sequence, ...rest }))
}

function messagesValues(kind: StreamKind): Value[] {
  const block = kind === 'text' ? { type: 'text', text: '' } : { type: 'tool_use', id: CALL_ID, name: TOOL, input: {} }
  const message = {
    id: 'msg_0123456789abcdefghijklmn',
    type: 'message',
    role: 'assistant',
    model: UPSTREAM_MODELS['anthropic-messages'],
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 50, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
  }
  const deltas =
    kind === 'text'
      ? TEXTS.map((text) => ({ type: 'text_delta', text }))
      : PIECES.map((piece) => ({ type: 'input_json_delta', partial_json: piece }))
  return [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: block },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: kind === 'text' ? 'end_turn' : 'tool_use', stop_sequence: null },
      usage: { output_tokens: STREAM_EVENTS },
    },
    { type: 'message_stop' },
  ]
}

/** Arguments as Google streams them (`streamFunctionCallArguments`): pieces of the values at a path. */
function geminiValues(kind: StreamKind): Value[] {
  const chunk = (part: unknown, at: number, isLast = false): Value => ({
    candidates: [{ content: { parts: [part], role: 'model' }, index: 0, ...(isLast ? { finishReason: 'STOP' } : {}) }],
    usageMetadata: {
      promptTokenCount: 50,
      candidatesTokenCount: at + 1,
      totalTokenCount: at + 51,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 50 }],
    },
    modelVersion: UPSTREAM_MODELS.gemini,
    responseId: '0123456789abcdefghijkl',
  })
  if (kind === 'text') return TEXTS.map((text, at) => chunk({ text }, at, at === STREAM_EVENTS - 1))
  const last = STREAM_EVENTS - 1
  return [
    chunk({ functionCall: { id: CALL_ID, name: TOOL, willContinue: true } }, 0),
    ...TEXTS.map((stringValue, at) => {
      const piece = { jsonPath: `$.${ARGUMENT_NAME}`, stringValue, willContinue: at < last }
      return chunk({ functionCall: { partialArgs: [piece], willContinue: true } }, at)
    }),
    chunk({ functionCall: {} }, last, true),
  ]
}

function converseFrames(kind: StreamKind): Framed[] {
  const deltas = kind === 'text' ? TEXTS.map((text) => ({ text })) : PIECES.map((input) => ({ toolUse: { input } }))
  const start: Framed[] =
    kind === 'text'
      ? []
      : [['contentBlockStart', { contentBlockIndex: 0, start: { toolUse: { toolUseId: CALL_ID, name: TOOL } } }]]
  const usage = { inputTokens: 50, outputTokens: STREAM_EVENTS, totalTokens: STREAM_EVENTS + 50 }
  return [
    ['messageStart', { role: 'assistant' }],
    ...start,
    ...deltas.map((delta): Framed => ['contentBlockDelta', { contentBlockIndex: 0, delta, p: 'abcdefghijkl' }]),
    ['contentBlockStop', { contentBlockIndex: 0 }],
    ['messageStop', { stopReason: kind === 'text' ? 'end_turn' : 'tool_use' }],
    ['metadata', { usage, metrics: { latencyMs: 900 } }],
  ]
}

const converse = ([name, value]: Framed): Buffer =>
  writeAwsMessage(
    { ':event-type': name, ':content-type': 'application/json', ':message-type': 'event' },
    Buffer.from(JSON.stringify(value)),
  )

const SSE = 'text/event-stream'
/** Well inside of the stream. */
const SAMPLE = 20

/** One stream of an upstream. */
export function streamInput(upstream: UpstreamProtocol, kind: StreamKind): StreamInput {
  if (upstream === 'bedrock-converse') {
    const framed = converseFrames(kind)
    const sampleJson = Buffer.from(JSON.stringify(framed[SAMPLE]![1]))
    return { contentType: 'application/vnd.amazon.eventstream', frames: framed.map(converse), sampleJson }
  }
  const values = VALUES[upstream](kind)
  const isNamed = upstream === 'openai-responses' || upstream === 'anthropic-messages'
  const frames = values.map(isNamed ? event : data)
  if (upstream === 'openai-chat') frames.push(Buffer.from('data: [DONE]\n\n'))
  return { contentType: SSE, frames, sampleJson: Buffer.from(JSON.stringify(values[SAMPLE])) }
}

const VALUES = {
  'openai-chat': chatValues,
  'openai-responses': responsesValues,
  'anthropic-messages': messagesValues,
  gemini: geminiValues,
}
