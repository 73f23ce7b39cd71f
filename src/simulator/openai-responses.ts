import { ulid } from '#base/ids.ts'
import { refuseOpenAi } from './openai-errors.ts'
import { readResponses } from './openai-responses-read.ts'
import type { Fields } from './fields.ts'
import type { Performance, Usage } from './performance.ts'
import type { Part, Prompt } from './prompt.ts'
import type { Step } from './scripts.ts'
import { frame, nowSeconds } from './speaker.ts'
import type { Frame, Speaker } from './speaker.ts'
import { splitPieces } from './tokens.ts'
import type { Transcripts } from './transcripts.ts'

/** Responses. It remembers the conversations of stored responses in `transcripts`. */
export const openAiResponses = (transcripts: Transcripts): Speaker => ({
  read: (body, model) => readResponses(body, model, transcripts),
  speak: (performance, body, prompt) => {
    const whole = wholeResponse(performance, body)
    if (body.store !== false) transcripts.keep(String(whole.id), [...conversationOf(prompt), turnOf(performance)])
    return { body: () => whole, frames: () => responseFrames(performance, whole) }
  },
  refuse: refuseOpenAi,
  breakOff: (refusal) => {
    const error = refuseOpenAi(refusal).error as Fields
    // The event has no place for an error's type; its number follows the events that came before the break.
    const data = { type: 'error', code: error.code ?? error.type, message: error.message, param: error.param }
    return frame({ ...data, sequence_number: BREAK_SEQUENCE_NUMBER }, false, 'error')
  },
})

/** Beyond any number that a stream reaches, so that the order stays rising. */
const BREAK_SEQUENCE_NUMBER = 1_000_000

/** Instructions hold for one response only: the next one brings its own. */
const conversationOf = (prompt: Prompt): Prompt['turns'] => prompt.turns.filter((turn) => turn.role !== 'system')

function turnOf(performance: Performance): Prompt['turns'][number] {
  const parts = performance.steps.map((step): Part => {
    if (step.kind === 'think') return { type: 'think', text: step.text, seal: step.seal || null }
    if (step.kind === 'say') return { type: 'text', text: step.text }
    return { type: 'call', name: step.name, arguments: step.arguments }
  })
  return { role: 'assistant', parts }
}

const usageOf = (usage: Usage): Fields => ({
  input_tokens: usage.input,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: usage.output,
  output_tokens_details: { reasoning_tokens: usage.reasoning },
  total_tokens: usage.input + usage.output,
})

function itemOf(step: Step, withSeal: boolean): Fields {
  switch (step.kind) {
    case 'think': {
      const summary = [{ type: 'summary_text', text: step.text }]
      return {
        id: `rs_${ulid()}`,
        type: 'reasoning',
        summary,
        ...(withSeal && step.seal && { encrypted_content: step.seal }),
      }
    }
    case 'say': {
      const content = [{ type: 'output_text', text: step.text, annotations: [], logprobs: [] }]
      return { id: `msg_${ulid()}`, type: 'message', status: 'completed', role: 'assistant', content }
    }
    case 'call': {
      const called = { call_id: `call_${ulid()}`, name: step.name, arguments: step.arguments }
      return { id: `fc_${ulid()}`, type: 'function_call', status: 'completed', ...called }
    }
    default:
      return step satisfies never
  }
}

function wholeResponse(performance: Performance, body: Fields): Fields {
  const cut = performance.finish === 'length'
  const include = Array.isArray(body.include) ? body.include : []
  const reasoning = body.reasoning as Fields | null | undefined
  return {
    id: `resp_${ulid()}`,
    object: 'response',
    created_at: nowSeconds(),
    status: cut ? 'incomplete' : 'completed',
    background: false,
    error: null,
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: performance.model,
    output: performance.steps.map((step, index) => {
      const item = itemOf(step, include.includes('reasoning.encrypted_content'))
      const unfinished = cut && item.type === 'message' && index === performance.steps.length - 1
      return unfinished ? { ...item, status: 'incomplete' } : item
    }),
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: reasoning?.effort ?? null, summary: reasoning?.summary ?? null },
    service_tier: 'default',
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    usage: usageOf(performance.usage),
    user: body.user ?? null,
  }
}

/** An event without its number. */
type Event = readonly [type: string, data: Fields, content?: boolean]

function* responseFrames(performance: Performance, whole: Fields): Iterable<Frame> {
  const open = { ...whole, status: 'in_progress', output: [], usage: null, incomplete_details: null }
  const last = performance.finish === 'length' ? 'response.incomplete' : 'response.completed'
  const items = whole.output as Fields[]
  let sequence = 0
  const write = ([type, data, content = false]: Event): Frame =>
    frame({ type, sequence_number: sequence++, ...data }, content, type)
  yield write(['response.created', { response: open }])
  yield write(['response.in_progress', { response: open }])
  for (const [index, step] of performance.steps.entries()) {
    const item = items[index]!
    const at = { item_id: item.id, output_index: index }
    yield write(['response.output_item.added', { output_index: index, item: openItem(item) }])
    for (const event of stepEvents(step, item, at)) yield write(event)
    yield write(['response.output_item.done', { output_index: index, item }])
  }
  yield write([last, { response: whole }])
}

/** An item as it is announced: without what is still to come. */
function openItem(item: Fields): Fields {
  if (item.type === 'reasoning') return { ...item, summary: [] }
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] }
  return { ...item, status: 'in_progress', arguments: '' }
}

function* stepEvents(step: Step, item: Fields, at: Fields): Iterable<Event> {
  switch (step.kind) {
    case 'think': {
      const here = { ...at, summary_index: 0 }
      yield ['response.reasoning_summary_part.added', { ...here, part: { type: 'summary_text', text: '' } }]
      for (const delta of splitPieces(step.text)) {
        yield ['response.reasoning_summary_text.delta', { ...here, delta }, true]
      }
      yield ['response.reasoning_summary_text.done', { ...here, text: step.text }]
      yield ['response.reasoning_summary_part.done', { ...here, part: { type: 'summary_text', text: step.text } }]
      return
    }
    case 'say': {
      const here = { ...at, content_index: 0 }
      const part = { type: 'output_text', text: '', annotations: [], logprobs: [] }
      yield ['response.content_part.added', { ...here, part }]
      for (const delta of splitPieces(step.text)) {
        yield ['response.output_text.delta', { ...here, delta, logprobs: [] }, true]
      }
      yield ['response.output_text.done', { ...here, text: step.text, logprobs: [] }]
      yield ['response.content_part.done', { ...here, part: { ...part, text: step.text } }]
      return
    }
    case 'call':
      for (const delta of splitPieces(step.arguments)) {
        yield ['response.function_call_arguments.delta', { ...at, delta }, true]
      }
      yield ['response.function_call_arguments.done', { ...at, name: item.name, arguments: step.arguments }]
      return
    default:
      step satisfies never
  }
}
