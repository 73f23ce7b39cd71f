import type { Surface } from './asks.ts'

/** What an answer said, whatever protocol it was in. */
export interface Said {
  readonly text: string
  readonly calls: readonly { readonly name: string; readonly given: unknown }[]
  readonly hasReasoning: boolean
  readonly hasUsage: boolean
  /** A stream that came to its protocol's own end; a whole answer always did. */
  readonly isComplete: boolean
}

// Bodies of four protocols are looked into; what is not there is undefined.
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

/** Reads a whole answer. */
export function readWhole(surface: Surface, body: Json): Said {
  const parts = PARTS[surface](body)
  return { ...said(parts), hasUsage: Boolean(body.usage ?? body.usageMetadata), isComplete: true }
}

/** Reads a stream from its text. */
export function readStream(surface: Surface, text: string): Said {
  const data = [...text.matchAll(/^data: ?(.*)$/gm)].map((match) => match[1]!)
  const events: Json[] = data.filter((each) => each !== '[DONE]').map((each) => JSON.parse(each))
  const last = events.at(-1)
  switch (surface) {
    case 'chat': {
      const deltas = events.map((event) => ({ choices: [{ message: event.choices?.[0]?.delta }] }))
      const hasUsage = events.some(({ usage }) => usage)
      return { ...said(deltas.flatMap(PARTS.chat)), hasUsage, isComplete: data.at(-1) === '[DONE]' }
    }
    case 'responses': {
      const { response } = last ?? {}
      const isComplete = last?.type === 'response.completed' || last?.type === 'response.incomplete'
      return { ...said(PARTS.responses(response ?? {})), hasUsage: Boolean(response?.usage), isComplete }
    }
    case 'messages': {
      const blocks = events.map(({ content_block: block, delta }) => ({ ...block, ...delta }))
      const hasUsage = events.some(({ type, usage }) => type === 'message_delta' && usage?.output_tokens !== undefined)
      return { ...said(PARTS.messages({ content: blocks })), hasUsage, isComplete: last?.type === 'message_stop' }
    }
    case 'gemini': {
      const hasUsage = events.some(({ usageMetadata }) => usageMetadata?.totalTokenCount !== undefined)
      const isComplete = Boolean(last?.candidates?.[0]?.finishReason)
      return { ...said(events.flatMap(PARTS.gemini)), hasUsage, isComplete }
    }
    default: {
      const missed: never = surface
      throw new Error(`unknown surface ${String(missed)}`)
    }
  }
}

interface Part {
  readonly text?: string
  readonly reasoning?: true
  readonly call?: Said['calls'][number]
}

function said(parts: readonly Part[]): Pick<Said, 'text' | 'calls' | 'hasReasoning'> {
  return {
    text: parts.map(({ text = '' }) => text).join(''),
    calls: parts.flatMap(({ call }) => call ?? []),
    hasReasoning: parts.some(({ reasoning }) => reasoning),
  }
}

const PARTS: Readonly<Record<Surface, (body: Json) => Part[]>> = {
  chat: ({ choices }) => {
    const {
      content,
      tool_calls: calls = [],
      reasoning,
      reasoning_content: thought,
      reasoning_details: details,
    } = choices?.[0]?.message ?? {}
    return [
      ...(reasoning || thought || details?.length ? [{ reasoning: true as const }] : []),
      { text: typeof content === 'string' ? content : '' },
      ...calls.map((call: Json) => callOf(call.function?.name, call.function?.arguments)),
    ]
  },
  responses: ({ output = [] }) =>
    output.flatMap(({ type, content = [], name, arguments: text }: Json): Part[] => {
      if (type === 'reasoning') return [{ reasoning: true }]
      if (type === 'function_call') return [callOf(name, text)]
      return content.map((part: Json) => ({ text: part.text ?? '' }))
    }),
  messages: ({ content = [] }) =>
    content.map(({ type, text, name, input }: Json): Part => {
      if (type === 'thinking' || type === 'redacted_thinking') return { reasoning: true }
      return type === 'tool_use' ? { call: { name, given: input } } : { text: text ?? '' }
    }),
  gemini: ({ candidates, usageMetadata }) => [
    ...(usageMetadata?.thoughtsTokenCount ? [{ reasoning: true as const }] : []),
    ...(candidates?.[0]?.content?.parts ?? []).map(({ thought, text, functionCall }: Json): Part => {
      if (thought) return { reasoning: true }
      return functionCall ? { call: { name: functionCall.name, given: functionCall.args } } : { text: text ?? '' }
    }),
  ],
}

function callOf(name: string, text: string): Part {
  try {
    return { call: { name, given: JSON.parse(text) } }
  } catch {
    return { call: { name, given: null } }
  }
}
