import { eventsOf, type Json, type TestGateway, type Told } from './gateway.ts'

/** Agents of the four protocols: they ask with a tool and with reasoning, read the answer, and give back what they kept. */

export interface Agent {
  /** The first request of a conversation. */
  question(model: string): Json
  path(model: string, streamed: boolean): string
  /** What the answer said, folded as a client library does; the next request repeats it. */
  read(told: Told, streamed: boolean): Json
  /** The request that follows: what was said before, the answer, and the result of each call. */
  next(asked: Json, answer: Json): Json
  /** Whether it is one that asks for a stream in its body. */
  readonly hasStreamMember: boolean
}

const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const TOOL = { name: 'weather', description: 'Weather of a city' }
const RESULT = 'sunny'

const chat: Agent = {
  question: (model) => ({
    model,
    messages: [{ role: 'user', content: 'Weather?' }],
    tools: [{ type: 'function', function: { ...TOOL, parameters: SCHEMA } }],
    reasoning_effort: 'high',
    max_tokens: 8000,
  }),
  path: () => '/v1/chat/completions',
  hasStreamMember: true,
  read(told, streamed) {
    if (!streamed) return told.json.choices[0].message
    const message: Json = { role: 'assistant', content: null }
    for (const { choices } of eventsOf(told.text)) {
      const { content, tool_calls: calls, role: _role, ...rest } = choices[0]?.delta ?? {}
      if (content) message.content = (message.content ?? '') + content
      for (const call of calls ?? []) addCall((message.tool_calls ??= []), call)
      for (const [name, value] of Object.entries(rest))
        message[name] = Array.isArray(value)
          ? [...(message[name] ?? []), ...value]
          : (message[name] ?? '') + String(value)
    }
    return message
  },
  next: (asked, answer) => ({
    ...asked,
    messages: [
      ...asked.messages,
      answer,
      ...answer.tool_calls.map(({ id }: Json) => ({ role: 'tool', tool_call_id: id, content: RESULT })),
    ],
  }),
}

function addCall(calls: Json[], { index, function: called, ...rest }: Json): void {
  const known = calls[index]
  if (known) known.function.arguments += called.arguments
  else calls[index] = { ...rest, function: { ...called } }
}

const responses: Agent = {
  question: (model) => ({
    model,
    input: [{ role: 'user', content: 'Weather?' }],
    tools: [{ type: 'function', ...TOOL, parameters: SCHEMA }],
    reasoning: { effort: 'high', summary: 'auto' },
    include: ['reasoning.encrypted_content'],
    store: false,
    max_output_tokens: 8000,
  }),
  path: () => '/v1/responses',
  hasStreamMember: true,
  read: (told, streamed) =>
    streamed
      ? eventsOf(told.text).findLast(({ type }) => type === 'response.completed').response.output
      : told.json.output,
  next: (asked, answer) => ({
    ...asked,
    input: [
      ...asked.input,
      ...answer,
      ...answer
        .filter(({ type }: Json) => type === 'function_call')
        .map((item: Json) => ({ type: 'function_call_output', call_id: item.call_id, output: RESULT })),
    ],
  }),
}

const messages: Agent = {
  question: (model) => ({
    model,
    messages: [{ role: 'user', content: 'Weather?' }],
    tools: [{ ...TOOL, input_schema: SCHEMA }],
    thinking: { type: 'enabled', budget_tokens: 2048 },
    max_tokens: 8000,
  }),
  path: () => '/v1/messages',
  hasStreamMember: true,
  read(told, streamed) {
    if (!streamed) return told.json.content
    const content: Json[] = []
    const inputs: string[] = []
    for (const event of eventsOf(told.text)) {
      if (event.type === 'content_block_start') content[event.index] = { ...event.content_block }
      if (event.type !== 'content_block_delta') continue
      const { type: _type, partial_json: json, ...members } = event.delta
      if (json !== undefined) inputs[event.index] = (inputs[event.index] ?? '') + json
      for (const [name, value] of Object.entries(members)) content[event.index][name] += String(value)
    }
    for (const [index, input] of inputs.entries()) if (input) content[index].input = JSON.parse(input)
    return content
  },
  next: (asked, answer) => ({
    ...asked,
    messages: [
      ...asked.messages,
      { role: 'assistant', content: answer },
      {
        role: 'user',
        content: answer
          .filter(({ type }: Json) => type === 'tool_use')
          .map(({ id }: Json) => ({ type: 'tool_result', tool_use_id: id, content: RESULT })),
      },
    ],
  }),
}

const gemini: Agent = {
  question: () => ({
    contents: [{ role: 'user', parts: [{ text: 'Weather?' }] }],
    tools: [{ functionDeclarations: [{ ...TOOL, parametersJsonSchema: SCHEMA }] }],
    generationConfig: { maxOutputTokens: 8000, thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } },
  }),
  path: (model, streamed) =>
    `/v1beta/models/${model}:${streamed ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  hasStreamMember: false,
  read: (told, streamed) =>
    (streamed ? eventsOf(told.text) : [told.json]).flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []),
  next: (asked, answer) => ({
    ...asked,
    contents: [
      ...asked.contents,
      { role: 'model', parts: answer },
      {
        role: 'user',
        parts: answer
          .filter(({ functionCall }: Json) => functionCall)
          .map(({ functionCall: { id, name } }: Json) => ({
            functionResponse: { ...(id === undefined ? {} : { id }), name, response: { output: RESULT } },
          })),
      },
    ],
  }),
}

export const AGENTS = {
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': messages,
  gemini,
} as const

/** Sends one request of an agent. */
export function send(
  gateway: Pick<TestGateway, 'ask'>,
  agent: Agent,
  model: string,
  body: Json,
  streamed: boolean,
): Promise<Told> {
  const sent = agent.hasStreamMember ? { ...body, stream: streamed } : body
  return gateway.ask(agent.path(model, streamed), { body: sent })
}
