import { isDeepStrictEqual } from 'node:util'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import type { Reply, Received } from './upstream.ts'

/**
 * Upstreams that sign their reasoning and want it back: they call a tool twice, and answer its results only when every
 * signature stands where it stood, byte for byte. Their ids of calls are the test's.
 */

// The bodies are looked into.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

/** Ids of the two calls; null for an upstream that may give none. */
export type Ids = readonly [string | null, string | null]

export interface Signer {
  /** The first answer. */
  call(ids: Ids, streamed: boolean): Reply
  /** The second one; undefined for the upstream's own. */
  finish?(streamed: boolean): Reply
  /** What is wrong with the turn that came back; undefined before there is one. */
  faultOf(fields: Json): string | undefined
}

/** Bytes that break when somebody reads them as base64, JSON or a URL. */
const SIGNATURE = 'EqQBCkYIBxgCKkD+/x1Lz9==\u2028é"\\'
const HIDDEN = 'RwQYBg/+hidden=='
const THOUGHTS = 'Look it up.\n\nIn both cities.'
const TEXT = 'One moment. '
const CITIES = [{ city: 'Zürich' }, { city: 'Lima', n: [1, 2.5] }] as const
const [FIRST, SECOND] = CITIES

const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
const event = (value: { type: string }): string => `event: ${value.type}\n${data(value)}`
const halves = (text: string): string[] => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)]
const without = (value: Json, ...names: string[]): Json =>
  Object.fromEntries(Object.entries(value as object).filter(([name]) => !names.includes(name)))

/** Texts that follow each other are one text, and an empty one is none: clients keep the pieces of a stream apart. */
function joined(blocks: readonly Json[]): Json[] {
  const all: Json[] = []
  for (const block of blocks) {
    if (typeof block.text !== 'string') all.push(block)
    else if (typeof all.at(-1)?.text === 'string') all.push({ text: all.pop().text + block.text })
    else if (block.text !== '') all.push({ text: block.text })
  }
  return all
}

/**
 * Compares what came back with what was issued. Ids may have changed, but calls and results must still be pairs. Only texts
 * may be cut otherwise, or say more of themselves.
 */
function compare(what: { issued: Json; came: Json; calls: Json[]; results: Json[]; legal: RegExp }): string {
  const { issued, came, calls, results, legal } = what
  if (!isDeepStrictEqual(joined(came), joined(issued))) return `came back as ${JSON.stringify(came)}`
  if (!isDeepStrictEqual(calls, results)) return `calls ${calls.join(', ')} and results ${results.join(', ')}`
  return calls.every((id) => id === undefined || legal.test(id)) ? '' : `ids ${calls.join(', ')}`
}

const ANTHROPIC_CONTENT = (ids: Ids): Json[] => [
  { type: 'thinking', thinking: THOUGHTS, signature: SIGNATURE },
  { type: 'redacted_thinking', data: HIDDEN },
  { type: 'text', text: TEXT },
  { type: 'tool_use', id: ids[0], name: 'weather', input: FIRST },
  { type: 'tool_use', id: ids[1], name: 'weather', input: SECOND },
]

const anthropic: Signer = {
  call(ids, streamed) {
    const content = ANTHROPIC_CONTENT(ids)
    const usage = { input_tokens: 10, output_tokens: 5 }
    const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', stop_sequence: null, usage }
    if (!streamed) return { body: { ...head, content, stop_reason: 'tool_use' } }
    const frames = [
      event({ type: 'message_start', message: { ...head, content: [], stop_reason: null } } as Json),
      ...content.flatMap(anthropicBlock),
      event({ type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage } as Json),
      event({ type: 'message_stop' }),
    ]
    return { frames }
  },
  faultOf({ messages, thinking }) {
    const results = blocksOf(messages, 'user').filter(({ type }) => type === 'tool_result')
    if (results.length === 0) return undefined
    if (thinking?.type !== 'enabled') return 'thinking is off'
    const came = blocksOf(messages, 'assistant')
    return compare({
      issued: ANTHROPIC_CONTENT(['', '']).map((block) => without(block, 'id')),
      came: came.map((block) => without(block, 'id', 'cache_control')),
      calls: came.flatMap(({ id }) => id ?? []),
      results: results.map((block) => block.tool_use_id),
      legal: /^[a-zA-Z0-9_-]+$/,
    })
  },
}

function anthropicBlock(block: Json, index: number): string[] {
  const { type, thinking, signature, text, input } = block
  const deltas: Json[] =
    type === 'thinking'
      ? [
          ...halves(thinking).map((half) => ({ type: 'thinking_delta', thinking: half })),
          { type: 'signature_delta', signature },
        ]
      : type === 'text'
        ? halves(text).map((half) => ({ type: 'text_delta', text: half }))
        : type === 'tool_use'
          ? halves(JSON.stringify(input)).map((half) => ({ type: 'input_json_delta', partial_json: half }))
          : []
  const open: Json = {
    thinking: { type, thinking: '', signature: '' },
    text: { type, text: '' },
    tool_use: { ...block, input: {} },
  }
  return [
    { type: 'content_block_start', index, content_block: open[type] ?? block },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ].map(event)
}

const blocksOf = (messages: Json[], role: string): Json[] =>
  messages
    .filter((message) => message.role === role && Array.isArray(message.content))
    .flatMap(({ content }) => content)

const GEMINI_PARTS = (ids: Ids): Json[] => [
  { text: THOUGHTS, thought: true },
  { text: TEXT },
  {
    functionCall: { ...(ids[0] === null ? {} : { id: ids[0] }), name: 'weather', args: FIRST },
    thoughtSignature: SIGNATURE,
  },
  { functionCall: { ...(ids[1] === null ? {} : { id: ids[1] }), name: 'weather', args: SECOND } },
]

const gemini: Signer = {
  call(ids, streamed) {
    const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 }
    const answer = (parts: Json[], finishReason?: string) => ({
      candidates: [{ content: { role: 'model', parts }, index: 0, ...(finishReason && { finishReason }) }],
      usageMetadata,
      modelVersion: 'gemini-3',
      responseId: 'r',
    })
    const parts = GEMINI_PARTS(ids)
    if (!streamed) return { body: answer(parts, 'STOP') }
    return { frames: [...parts.map((part) => data(answer([part]))), data(answer([{ text: '' }], 'STOP'))] }
  },
  faultOf({ contents }) {
    const parts = (contents as Json[]).flatMap((content) => content.parts)
    const results = parts.filter(({ functionResponse }) => functionResponse)
    if (results.length === 0) return undefined
    const came = (contents as Json[]).filter(({ role }) => role === 'model').flatMap((content) => content.parts)
    const called = ({ functionCall, ...part }: Json) =>
      functionCall ? { functionCall: without(functionCall, 'id'), ...part } : part
    // Thoughts without a signature are nothing that Gemini asks for.
    const said = (all: Json[]) => all.filter(({ thought }) => !thought).map(called)
    return compare({
      issued: said(GEMINI_PARTS([null, null])),
      came: said(came),
      calls: came.flatMap(({ functionCall }) => (functionCall ? [functionCall.id] : [])),
      results: results.map(({ functionResponse }) => functionResponse.id),
      legal: /./s,
    })
  },
}

const reasoningItem = (id: string, encrypted: string, ...parts: string[]): Json => ({
  type: 'reasoning',
  id,
  summary: parts.map((text) => ({ type: 'summary_text', text })),
  encrypted_content: encrypted,
})

/** It thinks before each of its calls. */
const RESPONSES_ITEMS = (ids: Ids): Json[] => [
  reasoningItem('rs_1', SIGNATURE, 'Look it up.', 'In both cities.'),
  {
    type: 'message',
    id: 'msg_1',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: TEXT, annotations: [] }],
  },
  {
    type: 'function_call',
    id: 'fc_1',
    call_id: ids[0],
    name: 'weather',
    arguments: JSON.stringify(FIRST),
    status: 'completed',
  },
  reasoningItem('rs_2', HIDDEN),
  {
    type: 'function_call',
    id: 'fc_2',
    call_id: ids[1],
    name: 'weather',
    arguments: JSON.stringify(SECOND),
    status: 'completed',
  },
]

const responses: Signer = {
  call(ids, streamed) {
    const output = RESPONSES_ITEMS(ids)
    const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 }
    const response = { id: 'resp_1', object: 'response', status: 'completed', model: 'gpt', output, usage }
    if (!streamed) return { body: response }
    const events = [
      { type: 'response.created', response: { ...response, status: 'in_progress', output: [], usage: null } },
      ...output.flatMap(responsesItem),
      { type: 'response.completed', response },
    ]
    return { frames: events.map((one, index) => event({ ...one, sequence_number: index } as Json)) }
  },
  faultOf({ input }) {
    const items = (Array.isArray(input) ? input : []) as Json[]
    const results = items.filter(({ type }) => type === 'function_call_output')
    if (results.length === 0) return undefined
    const came = items.filter(({ type, role }) => type !== 'function_call_output' && role !== 'user')
    return compare({
      issued: RESPONSES_ITEMS(['', '']).map(bareItem),
      came: came.map(bareItem),
      calls: came.flatMap(({ call_id: id }) => id ?? []),
      results: results.map((item) => item.call_id),
      legal: /^.{1,64}$/s,
    })
  },
}

/** What counts of an item. */
function bareItem(item: Json): Json {
  const { type, id, summary, encrypted_content: encrypted, name, content } = item
  // Clients have no parts of a summary.
  if (type === 'reasoning')
    return {
      id,
      encrypted,
      said: summary
        .map((part: Json) => part.text)
        .join('')
        .replaceAll(/\s/g, ''),
    }
  if (type === 'function_call') return { name, arguments: JSON.parse(item.arguments) }
  return { text: typeof content === 'string' ? content : content.map((part: Json) => part.text).join('') }
}

function responsesItem(item: Json, index: number): Json[] {
  const at = { item_id: item.id, output_index: index }
  const added = { type: 'response.output_item.added', output_index: index }
  const done = { type: 'response.output_item.done', output_index: index, item }
  switch (item.type) {
    case 'reasoning': {
      const parts = (item.summary as Json[]).flatMap((part, place) => [
        { type: 'response.reasoning_summary_part.added', ...at, summary_index: place, part: { ...part, text: '' } },
        ...halves(part.text).map((delta) => ({
          type: 'response.reasoning_summary_text.delta',
          ...at,
          summary_index: place,
          delta,
        })),
        { type: 'response.reasoning_summary_text.done', ...at, summary_index: place, text: part.text },
        { type: 'response.reasoning_summary_part.done', ...at, summary_index: place, part },
      ])
      return [{ ...added, item: { ...item, summary: [], encrypted_content: '' } }, ...parts, done]
    }
    case 'message': {
      const [part] = item.content
      const place = { ...at, content_index: 0 }
      return [
        { ...added, item: { ...item, content: [] } },
        { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
        ...halves(part.text).map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
        { type: 'response.output_text.done', ...place, text: part.text },
        { type: 'response.content_part.done', ...place, part },
        done,
      ]
    }
    default: {
      const deltas = halves(item.arguments).map((delta) => ({
        type: 'response.function_call_arguments.delta',
        ...at,
        delta,
      }))
      const ended = { type: 'response.function_call_arguments.done', ...at, arguments: item.arguments }
      return [{ ...added, item: { ...item, arguments: '' } }, ...deltas, ended, done]
    }
  }
}

const CONVERSE_CONTENT = (ids: Ids): Json[] => [
  { reasoningContent: { reasoningText: { text: THOUGHTS, signature: SIGNATURE } } },
  { text: TEXT },
  { toolUse: { toolUseId: ids[0], name: 'weather', input: FIRST } },
  { toolUse: { toolUseId: ids[1], name: 'weather', input: SECOND } },
]

const converse: Signer = {
  call: (ids, streamed) => converseAnswer(CONVERSE_CONTENT(ids), 'tool_use', streamed),
  finish: (streamed) => converseAnswer([{ text: 'Hello there.' }], 'end_turn', streamed),
  faultOf({ messages }) {
    const results = blocksOf(messages, 'user').filter(({ toolResult }) => toolResult)
    if (results.length === 0) return undefined
    const came = blocksOf(messages, 'assistant').filter(({ cachePoint }) => !cachePoint)
    const bare = (block: Json) => (block.toolUse ? { toolUse: without(block.toolUse, 'toolUseId') } : block)
    return compare({
      issued: CONVERSE_CONTENT(['', '']).map(bare),
      came: came.map(bare),
      calls: came.flatMap(({ toolUse }) => toolUse?.toolUseId ?? []),
      results: results.map(({ toolResult }) => toolResult.toolUseId),
      legal: /^[a-zA-Z0-9_-]{1,64}$/,
    })
  },
}

function converseAnswer(content: Json[], stopReason: string, streamed: boolean): Reply {
  const usage = { inputTokens: 10, outputTokens: 5, totalTokens: 15 }
  const metrics = { latencyMs: 1 }
  if (!streamed) return { body: { output: { message: { role: 'assistant', content } }, stopReason, usage, metrics } }
  const frames = [
    ['messageStart', { role: 'assistant' }],
    ...content.flatMap(converseBlock),
    ['messageStop', { stopReason }],
    ['metadata', { usage, metrics }],
  ] as const
  return {
    headers: { 'content-type': 'application/vnd.amazon.eventstream' },
    frames: frames.map(([type, payload]) => converseFrame(type, payload)),
  }
}

function converseFrame(type: string, payload: object): Buffer {
  const headers = { ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' }
  return writeAwsMessage(headers, Buffer.from(JSON.stringify(payload)))
}

function converseBlock(block: Json, contentBlockIndex: number): (readonly [string, object])[] {
  const { reasoningContent, toolUse, text } = block
  const at = { contentBlockIndex }
  const deltas: Json[] = reasoningContent
    ? [
        ...halves(reasoningContent.reasoningText.text).map((half) => ({ reasoningContent: { text: half } })),
        { reasoningContent: { signature: reasoningContent.reasoningText.signature } },
      ]
    : toolUse
      ? halves(JSON.stringify(toolUse.input)).map((input) => ({ toolUse: { input } }))
      : halves(text).map((half) => ({ text: half }))
  const start = toolUse
    ? [['contentBlockStart', { ...at, start: { toolUse: without(toolUse, 'input') } }] as const]
    : []
  return [
    ...start,
    ...deltas.map((delta) => ['contentBlockDelta', { ...at, delta }] as const),
    ['contentBlockStop', at],
  ]
}

export const SIGNERS = { anthropic, gemini, responses, converse } as const
export type SignerName = keyof typeof SIGNERS

/** What is said to one request: the calls, or, when their results are there, the end, unless a signature is missing. */
export function signedReply(signer: Signer, ids: Ids, { fields, path, bytes }: Received): Reply {
  const streamed = fields['stream'] === true || /stream/i.test(path)
  const fault = signer.faultOf(fields)
  if (fault === undefined) return signer.call(ids, streamed)
  if (fault !== '') return { status: 400, body: { error: { message: `${fault} in ${bytes.toString()}` } } }
  return signer.finish?.(streamed) ?? {}
}
