import { ulid } from '#base/ids.ts'
import { readChat } from './openai-chat-read.ts'
import { refuseOpenAi } from './openai-errors.ts'
import type { Fields } from './fields.ts'
import type { Performance, Usage } from './performance.ts'
import type { Step } from './scripts.ts'
import { frame, nowSeconds } from './speaker.ts'
import type { Frame, Speaker } from './speaker.ts'
import { splitPieces } from './tokens.ts'

/** Chat Completions. Reasoning uses the spellings that clients read: `reasoning_content`, `reasoning` and its details. */
export const openAiChat: Speaker = {
  read: readChat,
  speak: (performance, body) => {
    const head = {
      id: `chatcmpl-${ulid()}`,
      created: nowSeconds(),
      model: performance.model,
      system_fingerprint: 'fp_simulator',
    }
    const options = body.stream_options as Fields | undefined | null
    return {
      body: () => wholeChat(performance, head),
      frames: () => chatFrames(performance, head, options?.include_usage === true),
    }
  },
  refuse: refuseOpenAi,
  breakOff: (refusal) => frame(refuseOpenAi(refusal), false),
}

const FINISH = { stop: 'stop', 'stop-sequence': 'stop', length: 'length', calls: 'tool_calls' } as const

const usageOf = (usage: Usage): Fields => ({
  prompt_tokens: usage.input,
  completion_tokens: usage.output,
  total_tokens: usage.input + usage.output,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: usage.reasoning,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
})

const detail = (fields: Fields): Fields => ({ type: 'reasoning.text', ...fields, format: 'simulator', index: 0 })

const callId = (): string => `call_${ulid()}`

function wholeChat(performance: Performance, head: Fields): Fields {
  const { steps } = performance
  const said = steps.flatMap((step) => (step.kind === 'say' ? [step.text] : []))
  const calls = steps.filter((step) => step.kind === 'call')
  const thought = steps.find((step) => step.kind === 'think')
  const { text: reasoning = '', seal = '' } = thought ?? {}
  const message = {
    role: 'assistant',
    content: calls.length && !said.length ? null : said.join(''),
    refusal: null,
    annotations: [],
    ...(thought && {
      reasoning_content: reasoning,
      reasoning,
      reasoning_details: [detail({ text: reasoning, ...(seal && { signature: seal }) })],
    }),
    ...(calls.length && {
      tool_calls: calls.map((call) => ({
        id: callId(),
        type: 'function',
        function: { name: call.name, arguments: call.arguments },
      })),
    }),
  }
  const choice = { index: 0, message, logprobs: null, finish_reason: FINISH[performance.finish] }
  return {
    ...head,
    object: 'chat.completion',
    choices: [choice],
    usage: usageOf(performance.usage),
    service_tier: 'default',
  }
}

function* chatFrames(performance: Performance, head: Fields, withUsage: boolean): Iterable<Frame> {
  const base = { ...head, object: 'chat.completion.chunk', service_tier: 'default', ...(withUsage && { usage: null }) }
  const chunk = (delta: Fields, content: boolean, finish: string | null = null): Frame =>
    frame({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] }, content)
  yield chunk({ role: 'assistant', content: '', refusal: null }, false)
  let calls = 0
  for (const step of performance.steps) {
    for (const delta of deltasOf(step, calls)) yield chunk(delta, true)
    if (step.kind === 'call') calls += 1
  }
  yield chunk({}, false, FINISH[performance.finish])
  if (withUsage) yield frame({ ...base, choices: [], usage: usageOf(performance.usage) }, false)
  yield frame('[DONE]', false)
}

function* deltasOf(step: Step, index: number): Iterable<Fields> {
  switch (step.kind) {
    case 'think':
      for (const text of splitPieces(step.text)) {
        yield { reasoning_content: text, reasoning: text, reasoning_details: [detail({ text })] }
      }
      if (step.seal) yield { reasoning_details: [detail({ signature: step.seal })] }
      return
    case 'say':
      for (const content of splitPieces(step.text)) yield { content }
      return
    case 'call':
      yield { tool_calls: [{ index, id: callId(), type: 'function', function: { name: step.name, arguments: '' } }] }
      for (const text of splitPieces(step.arguments)) yield { tool_calls: [{ index, function: { arguments: text } }] }
      return
    default:
      step satisfies never
  }
}
