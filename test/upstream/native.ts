/** Minimal valid native answers of every protocol that an upstream speaks. Deterministic: no clock, no random numbers. */

/** Tokens, in disjoint classes as the ledger counts them; `reasoning` is a part of `output`. */
export interface Sold {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
}

/** What the upstream heard, as far as an answer depends on it. */
export interface Asked {
  readonly path: string
  readonly query: URLSearchParams
  readonly fields: Readonly<Record<string, unknown>>
}

export interface Said {
  readonly text: string
  readonly sold: Sold
}

/** A native answer: whole when `frames` is absent. `sold` is null for what providers give away. */
export interface Native {
  readonly body?: object
  readonly frames?: readonly string[]
  readonly sold: Sold | null
}

const GEMINI = /\/models\/(.+):(\w+)$/
const CREATED = 1_767_225_600

const data = (value: object | string): string =>
  `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const event = (value: { type: string }): string => `event: ${value.type}\n${data(value)}`
const halves = (text: string): string[] => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)]

/** The answer to a request on any of the protocols' paths (behind any prefix), or undefined for another path. */
export function answerNatively(asked: Asked, said: Said): Native | undefined {
  const [, model = '', action = ''] = GEMINI.exec(asked.path) ?? []
  if (action) return answerGemini(decodeURIComponent(model), action, asked, said)
  if (asked.path.endsWith('/chat/completions')) return answerChat(asked, said)
  if (asked.path.endsWith('/responses')) return answerResponses(asked, said)
  if (asked.path.endsWith('/embeddings')) return answerEmbeddings(asked, said)
  if (asked.path.endsWith('/messages/count_tokens')) return { body: { input_tokens: said.sold.input }, sold: null }
  return asked.path.endsWith('/messages') ? answerMessages(asked, said) : undefined
}

function answerChat({ fields }: Asked, { text, sold }: Said): Native {
  const prompt = sold.input + sold.cacheRead + sold.cacheWrite
  const usage = {
    prompt_tokens: prompt,
    completion_tokens: sold.output,
    total_tokens: prompt + sold.output,
    prompt_tokens_details: {
      cached_tokens: sold.cacheRead,
      ...(sold.cacheWrite && { cache_write_tokens: sold.cacheWrite }),
    },
    completion_tokens_details: { reasoning_tokens: sold.reasoning },
  }
  const head = { id: 'chatcmpl-1', created: CREATED, model: fields.model }
  if (fields.stream !== true) {
    const message = { role: 'assistant', content: text, refusal: null }
    const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }]
    return { body: { ...head, object: 'chat.completion', choices, usage }, sold }
  }
  const base = { ...head, object: 'chat.completion.chunk' }
  const chunk = (delta: object, finish: string | null = null): string =>
    data({ ...base, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })
  const asksUsage = (fields.stream_options as { include_usage?: boolean } | undefined)?.include_usage === true
  const frames = [
    chunk({ role: 'assistant', content: '' }),
    ...halves(text).map((content) => chunk({ content })),
    chunk({}, 'stop'),
    ...(asksUsage ? [data({ ...base, choices: [], usage })] : []),
    data('[DONE]'),
  ]
  return { frames, sold }
}

function answerResponses({ fields }: Asked, { text, sold }: Said): Native {
  const input = sold.input + sold.cacheRead + sold.cacheWrite
  const part = { type: 'output_text', text, annotations: [], logprobs: [] }
  const item = { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [part] }
  const response = {
    id: 'resp_1',
    object: 'response',
    created_at: CREATED,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: fields.model,
    output: [item],
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: sold.cacheRead },
      output_tokens: sold.output,
      output_tokens_details: { reasoning_tokens: sold.reasoning },
      total_tokens: input + sold.output,
    },
  }
  if (fields.stream !== true) return { body: response, sold }
  const open = { ...response, status: 'in_progress', output: [], usage: null }
  const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }
  const events = [
    { type: 'response.created', response: open },
    { type: 'response.in_progress', response: open },
    { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...halves(text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...at, text, logprobs: [] },
    { type: 'response.content_part.done', ...at, part },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response },
  ]
  return { frames: events.map((one, index) => event(Object.assign(one, { sequence_number: index }))), sold }
}

function answerEmbeddings({ fields }: Asked, { sold }: Said): Native {
  const { input } = fields
  const many = Array.isArray(input) && typeof input[0] !== 'number' ? input.length : 1
  const dimensions = typeof fields.dimensions === 'number' ? fields.dimensions : 4
  const vector = new Float32Array(dimensions)
  vector[0] = 1
  const embedding = fields.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
  const list = Array.from({ length: many }, (_, index) => ({ object: 'embedding', index, embedding }))
  const usage = { prompt_tokens: sold.input, total_tokens: sold.input }
  const body = { object: 'list', data: list, model: fields.model, usage }
  return { body, sold: { ...sold, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 } }
}

function answerMessages({ fields }: Asked, { text, sold }: Said): Native {
  const usage = {
    input_tokens: sold.input,
    cache_creation_input_tokens: sold.cacheWrite,
    cache_read_input_tokens: sold.cacheRead,
    output_tokens: sold.output,
  }
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: fields.model,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage,
  }
  if (fields.stream !== true) return { body: message, sold }
  const open = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }
  const events = [
    { type: 'message_start', message: open },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'ping' },
    ...halves(text).map((half) => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: half },
    })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ]
  return { frames: events.map(event), sold }
}

function answerGemini(model: string, action: string, asked: Asked, { text, sold }: Said): Native | undefined {
  const prompt = sold.input + sold.cacheRead + sold.cacheWrite
  const values = [1, 0, 0, 0]
  const usageMetadata = {
    promptTokenCount: prompt,
    candidatesTokenCount: sold.output - sold.reasoning,
    totalTokenCount: prompt + sold.output,
    ...(sold.cacheRead && { cachedContentTokenCount: sold.cacheRead }),
    ...(sold.reasoning && { thoughtsTokenCount: sold.reasoning }),
  }
  const response = (said: string, finishReason?: string): object => {
    const content = { role: 'model', parts: [{ text: said }] }
    const candidate = { content, ...(finishReason && { finishReason }), index: 0 }
    return { candidates: [candidate], usageMetadata, modelVersion: model, responseId: 'response-1' }
  }
  switch (action) {
    case 'generateContent':
      return { body: response(text, 'STOP'), sold }
    case 'streamGenerateContent': {
      const [first = '', second = ''] = halves(text)
      const chunks = [response(first), response(second, 'STOP')]
      return asked.query.get('alt') === 'sse' ? { frames: chunks.map(data), sold } : { body: chunks, sold }
    }
    case 'countTokens':
      return { body: { totalTokens: prompt }, sold: null }
    case 'embedContent':
      return { body: { embedding: { values } }, sold: { ...sold, output: 0, reasoning: 0 } }
    case 'batchEmbedContents': {
      const requests = Array.isArray(asked.fields.requests) ? asked.fields.requests : []
      return { body: { embeddings: requests.map(() => ({ values })) }, sold: { ...sold, output: 0, reasoning: 0 } }
    }
    default:
      return undefined
  }
}
