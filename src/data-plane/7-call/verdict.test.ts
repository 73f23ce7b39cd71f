import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Failure } from '#codecs/codec.ts'
import { readFailure } from '#codecs/failure.ts'
import { judge, type Verdict } from './verdict.ts'

/** Error bodies as the providers write them, in their own words. */

type Expected = readonly [next: Verdict['next'], trouble: Verdict['trouble'], isPassing: boolean]

const TARGET: Readonly<Record<string, Expected>> = {
  limited: ['target', 'rate-limited', true],
  refused: ['target', 'refused', false],
  broken: ['target', 'failed', false],
  unreached: ['target', 'failed', true],
}
const MODEL: Expected = ['model', null, false]
const STOP: Expected = ['stop', null, false]

const openai = (message: string, code: string | null = null, type = 'invalid_request_error') => ({
  error: { message, type, param: null, code },
})
const anthropic = (type: string, message: string) => ({ type: 'error', error: { type, message } })
const google = (code: number, status: string, message: string) => ({ error: { code, message, status } })

const read = (status: number, body: object | string): Failure =>
  readFailure(status, 'application/json', Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))

function check(status: number, body: object | string, expected: Expected): void {
  const { next, trouble, isPassing } = judge(read(status, body))
  assert.deepEqual([next, trouble, isPassing], expected, JSON.stringify(body))
}

const CASES: readonly (readonly [what: string, status: number, body: object | string, expected: Expected])[] = [
  ['OpenAI: quota', 429, openai('You exceeded your current quota', 'insufficient_quota'), TARGET['limited']!],
  ['Anthropic: rate limit', 429, anthropic('rate_limit_error', 'Number of request tokens'), TARGET['limited']!],
  ['Anthropic: overloaded', 529, anthropic('overloaded_error', 'Overloaded'), TARGET['broken']!],
  ['Gemini: exhausted', 429, google(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded'), TARGET['limited']!],
  ['Gemini: unavailable', 503, google(503, 'UNAVAILABLE', 'The model is overloaded.'), TARGET['unreached']!],
  ['OpenAI: key', 401, openai('Incorrect API key provided', 'invalid_api_key'), TARGET['refused']!],
  ['OpenRouter: credits', 402, { error: { code: 402, message: 'Insufficient credits' } }, TARGET['refused']!],
  ['Gemini: permission', 403, google(403, 'PERMISSION_DENIED', 'denied'), TARGET['refused']!],
  ['a proxy’s page', 502, '<html><body>502 Bad Gateway</body></html>', TARGET['broken']!],
  ['OpenAI: server', 500, openai('The server had an error', null, 'server_error'), TARGET['broken']!],
  ['a timeout of the upstream', 408, openai('timeout'), TARGET['broken']!],
  ['OpenAI: wrong member', 400, openai("Unknown parameter: 'foo'.", 'unknown_parameter'), STOP],
  ['OpenAI: no such model', 404, openai('The model `x` does not exist', 'model_not_found'), STOP],
  ['Anthropic: body too large', 413, anthropic('request_too_large', 'Request exceeds the maximum size'), STOP],
  ['FastAPI: validation', 422, { detail: [{ loc: ['body', 'messages'], msg: 'field required' }] }, STOP],
  ['OpenAI: content policy', 400, openai('Your request was rejected', 'content_policy_violation'), MODEL],
  ['Azure: content filter', 400, openai('The response was filtered', 'content_filter'), MODEL],
]

suite('R67: what a failure means', () => {
  for (const [what, status, body, expected] of CASES) test(what, () => check(status, body, expected))

  test('what the gateway found itself', () => {
    const own = (code: string, status = 502): readonly unknown[] => Object.values(judge({ status, code, message: 'x' }))
    assert.deepEqual(own('upstream_unavailable'), TARGET['unreached'])
    assert.deepEqual(own('upstream_timeout', 504), TARGET['broken'])
    assert.deepEqual(own('streaming_timeout', 504), TARGET['broken'])
    assert.deepEqual(own('upstream_bad_response'), TARGET['broken'])
    assert.deepEqual(own('client_closed_request', 499), STOP)
  })
})

suite('R73: a prompt that is too long', () => {
  const TOO_LONG: Readonly<Record<string, string | object>> = {
    OpenAI: openai("This model's maximum context length is 8192 tokens. However, …", 'context_length_exceeded'),
    'OpenAI Responses': openai('Your input exceeds the context window of this model. Please adjust your input.'),
    vLLM: { message: "This model's maximum context length is 4096 tokens.", type: 'BadRequestError', code: 400 },
    Anthropic: anthropic('invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'),
    'Anthropic, with the answer': anthropic(
      'invalid_request_error',
      'input length and `max_tokens` exceed context limit: 190000 + 21000 > 200000',
    ),
    Gemini: google(
      400,
      'INVALID_ARGUMENT',
      'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
    ),
    Bedrock: { message: 'Input is too long for requested model.' },
    xAI: { code: 'x', error: "This model's maximum prompt length is 131072 but the request contains 200000 tokens." },
    Moonshot: openai('Your request exceeded model token limit: 8192'),
    Cohere: { message: 'too many tokens: total number of tokens in the prompt cannot exceed 4081' },
    Qwen: openai('Range of input length should be [1, 30720]'),
    'llama.cpp': openai('the request is larger', null, 'exceed_context_size_error'),
    Mistral: {
      object: 'error',
      message: 'Prompt contains 40000 tokens, too large for model with 32768 maximum context length',
    },
  }
  for (const [who, body] of Object.entries(TOO_LONG)) test(who, () => check(400, body, MODEL))

  test('members, strings, images and the limit of the answer are not the prompt', () => {
    for (const message of [
      "Invalid 'input[0].call_id': string too long. Expected a string with maximum length 64, but got 91 instead.",
      "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64.",
      "Unknown parameter: 'context_length'.",
      'context_window: Extra inputs are not permitted',
      'Unrecognized request argument supplied: context_window',
      'Input image exceeds the maximum size limit of 20 MB.',
      'input_audio exceeds the maximum duration limit',
      'The prompt has too many images; the maximum is 20.',
      'max_tokens is too large: 100000. This model supports at most 16384 completion tokens.',
      'max_tokens: 300000 > 64000, which is the maximum allowed number of output tokens for this model',
      '`max_tokens` must be less than or equal to `8192`',
      'tools.0.input_schema: schema is too long',
    ])
      check(400, openai(message), STOP)
    check(400, openai("Invalid 'messages[0].name': string too long.", 'string_above_max_length'), STOP)
  })

  test('the same words with another status mean what the status says', () => {
    check(500, openai('maximum context length is 4096 tokens'), TARGET['broken']!)
    check(429, openai('prompt is too long for your rate limit'), TARGET['limited']!)
  })

  test('a message of any length is judged at once', () => {
    for (const word of ['input ', 'context ', 'prompt exceeds ', 'exceed the ', 'maximum ']) {
      const message = word.repeat(20_000)
      const startedAt = performance.now()
      judge({ status: 400, code: 'upstream_error', message })
      const tookMs = performance.now() - startedAt
      // Some 20 ms on an idle machine; the square of its length would be minutes.
      assert.ok(tookMs < 1000, `${word}: ${tookMs} ms`)
    }
  })
})
