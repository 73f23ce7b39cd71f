/** Small questions in the words of each client protocol. */

export const SURFACES = ['chat', 'responses', 'messages', 'gemini'] as const
export type Surface = (typeof SURFACES)[number]

/** What one question needs; absent: it does not say so. */
export interface Ask {
  readonly text: string
  readonly stream?: boolean
  readonly tool?: 'free' | 'forced'
  readonly format?: 'json' | 'schema'
  readonly image?: boolean
  readonly thinking?: boolean
  readonly outputTokensMax?: number
  readonly temperature?: number
}

export interface Request {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

export const TOOL_NAME = 'get_weather'
const TOOL_TEXT = 'Tells the weather of a city.'
const TOOL_SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
export const ANSWER_SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
/** A picture of one red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
const THINKING_TOKENS = 1024
/** Room for the thinking and for an answer. */
const THINKING_OUTPUT_TOKENS = 4096
const OUTPUT_TOKENS = 512

/** Null: the protocol cannot say it. */
export function requestOf(surface: Surface, model: string, ask: Ask): Request | null {
  switch (surface) {
    case 'chat':
      return { path: '/v1/chat/completions', body: chatBody(model, ask) }
    case 'responses':
      return { path: '/v1/responses', body: responsesBody(model, ask) }
    case 'messages':
      return ask.format === undefined ? { path: '/v1/messages', body: messagesBody(model, ask) } : null
    case 'gemini': {
      const action = ask.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'
      return { path: `/v1beta/models/${model}:${action}`, body: geminiBody(ask) }
    }
    default: {
      const missed: never = surface
      throw new Error(`unknown surface ${String(missed)}`)
    }
  }
}

const outputLimit = ({ outputTokensMax, thinking }: Ask): number =>
  outputTokensMax ?? (thinking ? THINKING_OUTPUT_TOKENS : OUTPUT_TOKENS)
const temperatureOf = ({ temperature }: Ask): object => (temperature === undefined ? {} : { temperature })

function chatBody(model: string, ask: Ask): Request['body'] {
  const { text, image, stream, tool, format, thinking } = ask
  const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }
  const schema = { type: 'json_schema', json_schema: { name: 'answer', strict: true, schema: ANSWER_SCHEMA } }
  return {
    model,
    messages: [{ role: 'user', content: image ? [{ type: 'text', text }, picture] : text }],
    max_tokens: outputLimit(ask),
    ...temperatureOf(ask),
    ...(stream && { stream, stream_options: { include_usage: true } }),
    ...(tool && {
      tools: [{ type: 'function', function: { name: TOOL_NAME, description: TOOL_TEXT, parameters: TOOL_SCHEMA } }],
    }),
    ...(tool === 'forced' && { tool_choice: { type: 'function', function: { name: TOOL_NAME } } }),
    ...(format && { response_format: format === 'json' ? { type: 'json_object' } : schema }),
    ...(thinking && { reasoning_effort: 'low' }),
  }
}

function responsesBody(model: string, ask: Ask): Request['body'] {
  const { text, image, stream, tool, format, thinking } = ask
  const picture = { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${PNG}` }
  const schema = { type: 'json_schema', name: 'answer', strict: true, schema: ANSWER_SCHEMA }
  return {
    model,
    input: [{ role: 'user', content: [{ type: 'input_text', text }, ...(image ? [picture] : [])] }],
    store: false,
    max_output_tokens: outputLimit(ask),
    ...temperatureOf(ask),
    ...(stream && { stream }),
    ...(tool && {
      tools: [{ type: 'function', name: TOOL_NAME, description: TOOL_TEXT, parameters: TOOL_SCHEMA, strict: false }],
    }),
    ...(tool === 'forced' && { tool_choice: { type: 'function', name: TOOL_NAME } }),
    ...(format && { text: { format: format === 'json' ? { type: 'json_object' } : schema } }),
    ...(thinking && { reasoning: { effort: 'low', summary: 'auto' } }),
  }
}

function messagesBody(model: string, ask: Ask): Request['body'] {
  const { text, image, stream, tool, thinking } = ask
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } }
  return {
    model,
    max_tokens: outputLimit(ask),
    messages: [{ role: 'user', content: [{ type: 'text', text }, ...(image ? [picture] : [])] }],
    ...temperatureOf(ask),
    ...(stream && { stream }),
    ...(tool && { tools: [{ name: TOOL_NAME, description: TOOL_TEXT, input_schema: TOOL_SCHEMA }] }),
    ...(tool === 'forced' && { tool_choice: { type: 'tool', name: TOOL_NAME } }),
    ...(thinking && { thinking: { type: 'enabled', budget_tokens: THINKING_TOKENS } }),
  }
}

function geminiBody(ask: Ask): Request['body'] {
  const { text, image, tool, format, thinking } = ask
  const picture = { inlineData: { mimeType: 'image/png', data: PNG } }
  return {
    contents: [{ role: 'user', parts: [{ text }, ...(image ? [picture] : [])] }],
    generationConfig: {
      maxOutputTokens: outputLimit(ask),
      ...temperatureOf(ask),
      ...(format && { responseMimeType: 'application/json' }),
      ...(format === 'schema' && { responseJsonSchema: ANSWER_SCHEMA }),
      ...(thinking && { thinkingConfig: { includeThoughts: true, thinkingBudget: THINKING_TOKENS } }),
    },
    ...(tool && {
      tools: [{ functionDeclarations: [{ name: TOOL_NAME, description: TOOL_TEXT, parameters: TOOL_SCHEMA }] }],
    }),
    ...(tool === 'forced' && {
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: [TOOL_NAME] } },
    }),
  }
}
