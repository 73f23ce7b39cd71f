/** The four client protocols as the fault tests need them: a request, a scripted upstream's answer, the marks that end it. */
import type { Surface } from '#base/protocols.ts'

export type ChatSurface = Exclude<Surface, 'openai-embeddings'>
export const SURFACES: readonly ChatSurface[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']

/** Text of one content event; counting it counts the events, whatever protocol carried them. */
export const WORD = 'word '

export interface Tokens {
  readonly input: number
  readonly output: number
}

interface Wire {
  path(model: string, stream: boolean): string
  body(model: string, stream: boolean, maxTokens: number, prompt: string): Record<string, unknown>
  unary(model: string, tokens: Tokens): unknown
  /** `input`: what it says of its prompt where it does so at once. */
  begin(model: string, input?: number): string
  delta(model: string, text?: string): string
  finish(model: string, tokens: Tokens): string
  /** What a client must have seen to hold the stream for complete. */
  readonly endMark: string
}

const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const event = (value: { readonly type: string; readonly [field: string]: unknown }): string =>
  `event: ${value.type}\n${data(value)}`
const FINISHED = 'All done.'

const chatUsage = ({ input, output }: Tokens): unknown => ({
  prompt_tokens: input,
  completion_tokens: output,
  total_tokens: input + output,
})
const chatChunk = (model: string, choices: unknown[], usage: unknown = null): string =>
  data({ id: 'chatcmpl-fault', object: 'chat.completion.chunk', created: 1_790_000_000, model, choices, usage })

const openaiChat: Wire = {
  path: () => '/v1/chat/completions',
  body: (model, stream, maxTokens, prompt) => ({
    model,
    ...(stream ? { stream: true } : {}),
    max_tokens: maxTokens,
    messages: [{ role: 'user', content: prompt }],
  }),
  unary: (model, tokens) => ({
    id: 'chatcmpl-fault',
    object: 'chat.completion',
    created: 1_790_000_000,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: FINISHED, refusal: null }, finish_reason: 'stop' }],
    usage: chatUsage(tokens),
  }),
  begin: (model) => chatChunk(model, [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }]),
  delta: (model, text = WORD) => chatChunk(model, [{ index: 0, delta: { content: text }, finish_reason: null }]),
  finish: (model, tokens) =>
    chatChunk(model, [{ index: 0, delta: {}, finish_reason: 'stop' }]) +
    chatChunk(model, [], chatUsage(tokens)) +
    'data: [DONE]\n\n',
  endMark: 'data: [DONE]',
}

const messageUsage = ({ input, output }: Tokens): unknown => ({ input_tokens: input, output_tokens: output })

const anthropicMessages: Wire = {
  path: () => '/v1/messages',
  body: openaiChat.body,
  unary: (model, tokens) => ({
    id: 'msg_fault',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text: FINISHED }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: messageUsage(tokens),
  }),
  begin: (model, input = 10) =>
    event({
      type: 'message_start',
      message: {
        id: 'msg_fault',
        type: 'message',
        role: 'assistant',
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: input, output_tokens: 1 },
      },
    }) + event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  delta: (_, text = WORD) => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
  finish: (_, tokens) =>
    event({ type: 'content_block_stop', index: 0 }) +
    event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: messageUsage(tokens),
    }) +
    event({ type: 'message_stop' }),
  endMark: '"message_stop"',
}

const part = { type: 'output_text', text: FINISHED, annotations: [] }
const item = { id: 'msg_fault', type: 'message', role: 'assistant', status: 'completed', content: [part] }
const openItem = { ...item, status: 'in_progress', content: [] }

function responseObject(model: string, status: string, tokens?: Tokens): Record<string, unknown> {
  return {
    id: 'resp_fault',
    object: 'response',
    created_at: 1_790_000_000,
    status,
    model,
    output: tokens ? [item] : [],
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    error: null,
    incomplete_details: null,
    usage: tokens
      ? {
          ...(messageUsage(tokens) as object),
          input_tokens_details: { cached_tokens: 0 },
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: tokens.input + tokens.output,
        }
      : null,
  }
}

const at = { item_id: 'msg_fault', output_index: 0, content_index: 0 }

const openaiResponses: Wire = {
  path: () => '/v1/responses',
  body: (model, stream, maxTokens, prompt) => ({
    model,
    ...(stream ? { stream: true } : {}),
    max_output_tokens: maxTokens,
    input: prompt,
  }),
  unary: (model, tokens) => responseObject(model, 'completed', tokens),
  begin: (model) =>
    [
      { type: 'response.created', sequence_number: 0, response: responseObject(model, 'in_progress') },
      { type: 'response.in_progress', sequence_number: 1, response: responseObject(model, 'in_progress') },
      { type: 'response.output_item.added', sequence_number: 2, output_index: 0, item: openItem },
      { type: 'response.content_part.added', sequence_number: 3, ...at, part: { ...part, text: '' } },
    ]
      .map(event)
      .join(''),
  delta: (_, text = WORD) =>
    event({ type: 'response.output_text.delta', sequence_number: 4, ...at, delta: text, logprobs: [] }),
  finish: (model, tokens) =>
    [
      { type: 'response.output_text.done', sequence_number: 5, ...at, text: FINISHED, logprobs: [] },
      { type: 'response.content_part.done', sequence_number: 6, ...at, part },
      { type: 'response.output_item.done', sequence_number: 7, output_index: 0, item },
      { type: 'response.completed', sequence_number: 8, response: responseObject(model, 'completed', tokens) },
    ]
      .map(event)
      .join(''),
  endMark: '"response.completed"',
}

function geminiChunk(model: string, text: string, tokens?: Tokens): Record<string, unknown> {
  return {
    candidates: [
      {
        content: { role: 'model', parts: [{ text }] },
        ...(tokens ? { finishReason: 'STOP' } : {}),
        index: 0,
      },
    ],
    ...(tokens
      ? {
          usageMetadata: {
            promptTokenCount: tokens.input,
            candidatesTokenCount: tokens.output,
            totalTokenCount: tokens.input + tokens.output,
          },
        }
      : {}),
    modelVersion: model,
    responseId: 'fault',
  }
}

const gemini: Wire = {
  path: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  body: (_model, _stream, maxTokens, prompt) => ({
    contents: [{ role: 'user', parts: [{ text: prompt }] }],
    generationConfig: { maxOutputTokens: maxTokens },
  }),
  unary: (model, tokens) => geminiChunk(model, FINISHED, tokens),
  begin: () => '',
  delta: (model, text = WORD) => data(geminiChunk(model, text)),
  finish: (model, tokens) => data(geminiChunk(model, FINISHED, tokens)),
  endMark: '"finishReason"',
}

export const WIRES: Readonly<Record<ChatSurface, Wire>> = {
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  'anthropic-messages': anthropicMessages,
  gemini,
}

/** `model-openai-chat` is served by a backend that speaks that protocol, so a client of it is passed through. */
export const modelOf = (surface: ChatSurface): string => `model-${surface}`

export interface PriceOptions {
  readonly input: number
  readonly output: number
}

/** A gateway configuration with one backend and one model per protocol, all at one upstream. */
export function faultConfig(upstreamUrl: string, price: PriceOptions = { input: 1, output: 2 }): unknown {
  const backends: Record<ChatSurface, unknown> = {
    'openai-chat': { type: 'openai_compatible', api_url: `${upstreamUrl}/v1`, api_key: 'upstream-key' },
    'openai-responses': { type: 'openai_compatible', api_url: `${upstreamUrl}/v1`, api_key: 'upstream-key' },
    'anthropic-messages': { type: 'anthropic', api_url: upstreamUrl, api_key: 'upstream-key' },
    gemini: { type: 'gemini', api_url: upstreamUrl, api_key: 'upstream-key' },
  }
  return {
    backends: Object.fromEntries(
      SURFACES.map((surface) => [`at-${surface}`, { ...(backends[surface] as object), protocols: [surface] }]),
    ),
    models: SURFACES.map((surface) => ({
      id: modelOf(surface),
      vendor: 'openai',
      context_window: 1_000_000,
      max_output: 8192,
      capabilities: ['tools', 'vision', 'json_schema'],
      price,
    })),
    routes: SURFACES.map((surface) => ({
      model: modelOf(surface),
      backend: `at-${surface}`,
      upstream_model: `upstream-${surface}`,
    })),
  }
}
