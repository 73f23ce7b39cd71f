import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Losses } from '#ir/extensions.ts'
import { differencesOf, isAbsent, shown } from './differences.ts'
import { canonical } from './equivalences.ts'
import { answerContext, clientOf, CLIENTS, type ClientProtocol, traitsFor, upstreamOf } from './exchanges.ts'

/**
 * Law 6 (design.md section 4): what only its own protocol knows, block or member, is there again behind a round trip through
 * the neutral form. The bodies are made for it: a member that nobody knows at every level, and a block that nobody knows.
 */

const X = { vendor_x: { deep: [1, null, 'é'] } }
const SCHEMA = { type: 'object', properties: { a: { type: 'string', ...X } } }

const REQUESTS: Readonly<Record<ClientProtocol, Record<string, unknown>>> = {
  'openai-chat': {
    model: 'm',
    ...X,
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'be brief', ...X }], ...X },
      {
        role: 'user',
        content: [
          { type: 'vendor_part', ...X },
          { type: 'text', text: 'hi' },
        ],
      },
      {
        role: 'assistant',
        content: 'so',
        ...X,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' }, ...X }],
      },
      { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'done', ...X }], ...X },
    ],
    tools: [
      { type: 'function', function: { name: 'f', parameters: SCHEMA, ...X }, ...X },
      { type: 'vendor_tool', ...X },
    ],
  },
  'openai-responses': {
    model: 'm',
    ...X,
    input: [
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'vendor_part', ...X },
          { type: 'input_text', text: 'hi', ...X },
        ],
        ...X,
      },
      { type: 'vendor_item', id: 'v1', ...X },
      {
        type: 'message',
        role: 'assistant',
        id: 'msg_1',
        status: 'completed',
        content: [{ type: 'output_text', text: 'so', ...X }],
        ...X,
      },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'c2VhbA==', ...X },
      { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'f', arguments: '{}', ...X },
      { type: 'function_call_output', call_id: 'c1', output: 'done', ...X },
    ],
    tools: [
      { type: 'function', name: 'f', parameters: SCHEMA, ...X },
      { type: 'vendor_tool', ...X },
    ],
    reasoning: { effort: 'low', ...X },
    text: { verbosity: 'low', ...X },
  },
  'anthropic-messages': {
    model: 'm',
    max_tokens: 5000,
    ...X,
    system: [{ type: 'text', text: 'be brief', ...X }],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'vendor_block', ...X },
          { type: 'text', text: 'hi', ...X },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'c2VhbA==', ...X },
          { type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 }, ...X },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'done', ...X }], ...X },
        ],
      },
    ],
    tools: [
      { name: 'f', input_schema: SCHEMA, ...X },
      { type: 'vendor_tool_20990101', name: 'v', ...X },
    ],
    metadata: { user_id: 'u', ...X },
  },
  gemini: {
    vendorX: { deep: [1] },
    contents: [
      { role: 'user', parts: [{ vendorPart: { deep: [1] } }, { text: 'hi', vendorX: 1 }] },
      {
        role: 'model',
        parts: [
          { text: 'hm', thought: true, thoughtSignature: 'c2VhbA==', vendorX: 1 },
          { functionCall: { id: 'c1', name: 'f', args: { a: 1 } }, thoughtSignature: 'c2VhbDI=', vendorX: 1 },
        ],
      },
      { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'f', response: { output: 'x' }, vendorX: 1 } }] },
    ],
    tools: [
      { functionDeclarations: [{ name: 'f', parametersJsonSchema: SCHEMA, vendorX: 1 }] },
      { vendorTool: { a: 1 } },
    ],
    generationConfig: {
      temperature: 0,
      vendorX: 1,
      thinkingConfig: { includeThoughts: true, thinkingBudget: 100, vendorX: 1 },
    },
    toolConfig: { functionCallingConfig: { mode: 'AUTO', vendorX: 1 }, vendorX: 1 },
  },
}

const MODELS = {
  'openai-chat': 'any',
  'openai-responses': 'gpt-5',
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
} as const

const ANSWERS: Readonly<Record<ClientProtocol, Record<string, unknown>>> = {
  'openai-chat': {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'vendor-x',
    ...X,
    choices: [
      {
        index: 0,
        finish_reason: 'tool_calls',
        ...X,
        message: {
          role: 'assistant',
          content: 'so',
          refusal: null,
          ...X,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
      },
    ],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  },
  'openai-responses': {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status: 'completed',
    model: 'vendor-x',
    ...X,
    output: [
      { type: 'vendor_item', id: 'v1', ...X },
      {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'so', annotations: [] }],
      },
    ],
    usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
  },
  'anthropic-messages': {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'vendor-x',
    ...X,
    content: [
      { type: 'vendor_block', ...X },
      { type: 'text', text: 'so', ...X },
      { type: 'tool_use', id: 'toolu_1', name: 'f', input: {}, ...X },
    ],
    stop_reason: 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 2, ...X },
  },
  gemini: {
    vendorX: 1,
    candidates: [
      {
        // Beside a text stands nothing: later pieces of the text are joined to it. Passthrough keeps it.
        content: { role: 'model', parts: [{ vendorPart: { a: 1 } }, { text: 'so' }] },
        finishReason: 'STOP',
        index: 0,
        vendorX: 1,
      },
    ],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2, totalTokenCount: 3, vendorX: 1 },
  },
}

for (const protocol of CLIENTS) {
  test(`what only ${protocol} knows of a request is there again`, () => {
    const losses = new Losses()
    const read = clientOf(protocol).decodeRequest(REQUESTS[protocol], { stream: false })
    const { body } = upstreamOf(protocol).encodeRequest(read, traitsFor(protocol, MODELS[protocol]), losses)
    const [asked, written] = [REQUESTS[protocol], plain(body)].map((each) => canonical(protocol, each))
    assert.deepEqual(differencesOf(asked, written).map(shown), [])
    assert.deepEqual(losses.list, [])
  })

  test(`what only ${protocol} knows of an answer is there again`, () => {
    const { events, failure } = upstreamOf(protocol).decodeWhole(ANSWERS[protocol], { candidates: 1 })
    assert.equal(failure, null)
    const written = plain(clientOf(protocol).encodeWhole(events, answerContext(protocol, protocol, false)))
    // The gateway may add members of the surface, but what was there must be there again.
    const lost = differencesOf(withoutOurs(ANSWERS[protocol]), withoutOurs(written)).filter(
      ({ path, left }) => !isAbsent(left) && !ITEM_ID.test(path),
    )
    assert.deepEqual(lost.map(shown), [])
  })
}

/** Items of stored responses have ids of the gateway's own. */
const ITEM_ID = /^\/output\/\d+\/id$/

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** The answer's own id, the model's name and the time are the gateway's. */
function withoutOurs(value: unknown): unknown {
  const {
    id: _id,
    model: _model,
    created: _created,
    created_at: _createdAt,
    responseId: _responseId,
    ...rest
  } = value as Record<string, unknown>
  return rest
}
