/** Requests of part B-10 in the words of every client protocol: a small one, and one as an agent sends it. Made up, no recordings. */
import type { Surface } from '#base/protocols.ts'

export type ClientProtocol = Exclude<Surface, 'openai-embeddings'>
export const CLIENTS: readonly ClientProtocol[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']

/** Our name of the model; the upstream has another one, so that the name is always put in place. */
export const PUBLIC_MODEL = 'vendor/public-model'

type Body = Readonly<Record<string, unknown>>

interface Tool {
  readonly name: string
  readonly description: string
  readonly schema: Body
}

type Turn =
  | { readonly user: string }
  | { readonly assistant: string; readonly call: string; readonly id: string; readonly arguments: Body }
  | { readonly result: string; readonly call: string; readonly id: string }

interface Asked {
  readonly system: string
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
}

const SENTENCE = 'The reader closes what it opened, and "nothing" is lost on the way. '
const CODE_LINE = '  const value = table.get(key) ?? { name: "ü", path: "C:\\\\temp" }\n'

const SMALL: Asked = {
  system: 'Be brief.',
  turns: [{ user: 'How far is it from the earth to the moon, and who measured it first?' }],
  tools: [],
}

const TOOLS_COUNT = 20
const ROUNDS = 22
/** Repeats of a line in one tool's result. */
const RESULT_LINES = 38

/** Some 100 KB: a long instruction, twenty tools, and a conversation of calls with the files that they read. */
const AGENT: Asked = {
  system: SENTENCE.repeat(150),
  turns: [
    { user: 'Find out why the build fails and repair it.' },
    ...Array.from({ length: ROUNDS }, (_, round): Turn[] => {
      const call = `tool_${round % TOOLS_COUNT}`
      const id = `call_${String(round).padStart(24, '0')}`
      const told = { path: `src/part-${round}/file.ts`, lines: [round, round + 40], deep: { flag: round % 2 === 0 } }
      return [
        { assistant: SENTENCE.repeat(2), call, id, arguments: told },
        { result: CODE_LINE.repeat(RESULT_LINES), call, id },
      ]
    }).flat(),
    { user: 'Go on.' },
  ],
  tools: Array.from({ length: TOOLS_COUNT }, (_, at) => ({
    name: `tool_${at}`,
    description: SENTENCE.repeat(3),
    schema: {
      type: 'object',
      properties: Object.fromEntries(
        ['path', 'pattern', 'mode', 'lines', 'deep'].map((name, place) => [
          name,
          place === 3
            ? { type: 'array', items: { type: 'integer' }, description: SENTENCE }
            : place === 4
              ? { type: 'object', properties: { flag: { type: 'boolean' } }, required: ['flag'] }
              : { type: 'string', description: SENTENCE, enum: place === 2 ? ['read', 'write', 'append'] : undefined },
        ]),
      ),
      required: ['path', 'lines'],
    },
  })),
}

/** The body as its client sends it; Gemini says in its path that it wants a stream. */
type Write = (asked: Asked) => Body

const chat: Write = ({ system, turns, tools }) => ({
  model: PUBLIC_MODEL,
  messages: [
    { role: 'system', content: system },
    ...turns.map((turn) => {
      if ('user' in turn) return { role: 'user', content: turn.user }
      if ('result' in turn) return { role: 'tool', tool_call_id: turn.id, content: turn.result }
      const called = { name: turn.call, arguments: JSON.stringify(turn.arguments) }
      return {
        role: 'assistant',
        content: turn.assistant,
        tool_calls: [{ id: turn.id, type: 'function', function: called }],
      }
    }),
  ],
  ...(tools.length > 0
    ? {
        tools: tools.map(({ name, description, schema }) => ({
          type: 'function',
          function: { name, description, parameters: schema },
        })),
        tool_choice: 'auto',
      }
    : {}),
  temperature: 0.2,
  max_tokens: 4000,
  stream: true,
  stream_options: { include_usage: true },
})

const responses: Write = ({ system, turns, tools }) => ({
  model: PUBLIC_MODEL,
  instructions: system,
  input: turns.flatMap((turn): Body[] => {
    if ('user' in turn) return [{ role: 'user', content: [{ type: 'input_text', text: turn.user }] }]
    if ('result' in turn) return [{ type: 'function_call_output', call_id: turn.id, output: turn.result }]
    return [
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: turn.assistant }] },
      { type: 'function_call', call_id: turn.id, name: turn.call, arguments: JSON.stringify(turn.arguments) },
    ]
  }),
  ...(tools.length > 0
    ? {
        tools: tools.map(({ name, description, schema }) => ({
          type: 'function',
          name,
          description,
          parameters: schema,
          strict: false,
        })),
        tool_choice: 'auto',
      }
    : {}),
  temperature: 0.2,
  max_output_tokens: 4000,
  store: false,
  stream: true,
})

const messages: Write = ({ system, turns, tools }) => ({
  model: PUBLIC_MODEL,
  system,
  messages: turns.map((turn) => {
    if ('user' in turn) return { role: 'user', content: turn.user }
    if ('result' in turn)
      return { role: 'user', content: [{ type: 'tool_result', tool_use_id: turn.id, content: turn.result }] }
    return {
      role: 'assistant',
      content: [
        { type: 'text', text: turn.assistant },
        { type: 'tool_use', id: turn.id, name: turn.call, input: turn.arguments },
      ],
    }
  }),
  ...(tools.length > 0
    ? {
        tools: tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
        tool_choice: { type: 'auto' },
      }
    : {}),
  temperature: 0.2,
  max_tokens: 4000,
  stream: true,
})

const gemini: Write = ({ system, turns, tools }) => ({
  systemInstruction: { parts: [{ text: system }] },
  contents: turns.map((turn) => {
    if ('user' in turn) return { role: 'user', parts: [{ text: turn.user }] }
    if ('result' in turn) {
      const functionResponse = { id: turn.id, name: turn.call, response: { output: turn.result } }
      return { role: 'user', parts: [{ functionResponse }] }
    }
    const functionCall = { id: turn.id, name: turn.call, args: turn.arguments }
    return { role: 'model', parts: [{ text: turn.assistant }, { functionCall }] }
  }),
  ...(tools.length > 0
    ? {
        tools: [
          {
            functionDeclarations: tools.map(({ name, description, schema }) => ({
              name,
              description,
              parametersJsonSchema: schema,
            })),
          },
        ],
        toolConfig: { functionCallingConfig: { mode: 'AUTO' } },
      }
    : {}),
  generationConfig: { temperature: 0.2, maxOutputTokens: 4000 },
})

const WRITERS: Readonly<Record<ClientProtocol, Write>> = {
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': messages,
  gemini,
}

export type RequestSize = 'small' | 'agent'

/** A client's request as bytes. */
export function requestBytes(client: ClientProtocol, size: RequestSize): Buffer {
  return Buffer.from(JSON.stringify(WRITERS[client](size === 'small' ? SMALL : AGENT)))
}
