import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, ERRORS, GatewayError } from '#base/errors.ts'
import type { Dialect } from './dialect.ts'
import { encodeError, RETRY_SOON_SECONDS_MAX } from './errors.ts'

const REQUEST_ID = 'req_01'
const encode = (error: GatewayError, dialect: Dialect) => {
  const encoded = encodeError(error, dialect, REQUEST_ID)
  return { ...encoded, body: JSON.parse(encoded.body) }
}

test('OpenAI envelope names message, type, code and param', () => {
  const error = new GatewayError('model_not_found', 'No model gpt-40.', { param: 'model' })
  const { status, headers, body } = encode(error, 'openai')
  assert.equal(status, 404)
  assert.equal(headers['content-type'], 'application/json')
  assert.deepEqual(body, {
    error: { message: 'No model gpt-40.', type: 'invalid_request_error', code: 'model_not_found', param: 'model' },
    request_id: REQUEST_ID,
  })
})

test('Anthropic envelope carries type error and the request id', () => {
  const { status, body } = encode(new GatewayError('insufficient_balance', 'Top up.'), 'anthropic')
  assert.equal(status, 402)
  assert.equal(body.type, 'error')
  assert.equal(body.error.type, 'billing_error')
  assert.equal(body.error.message, 'Top up.')
  assert.equal(body.request_id, REQUEST_ID)
})

test('Gemini envelope has the HTTP status as code and typed details', () => {
  const error = new GatewayError('rate_limit_exceeded', 'Slow down.', { retryAfterSeconds: 2.2, param: 'contents' })
  const { status, headers, body } = encode(error, 'gemini')
  assert.equal(status, 429)
  assert.equal(headers['retry-after'], '3')
  assert.equal(body.error.code, 429)
  assert.equal(body.error.status, 'RESOURCE_EXHAUSTED')
  assert.deepEqual(
    body.error.details.map((detail: { '@type': string }) => detail['@type'].split('.').at(-1)),
    ['ErrorInfo', 'RequestInfo', 'BadRequest', 'RetryInfo'],
  )
  assert.equal(body.error.details[3].retryDelay, '3s')
})

test('OpenRouter envelope has an integer code and the stable string in metadata', () => {
  const error = new GatewayError('model_not_found', 'No model x.', { requestedModels: ['x'], suggestions: ['y'] })
  const { body } = encode(error, 'openrouter')
  assert.equal(body.error.code, 404)
  assert.equal(body.error.metadata.error_type, 'not_found')
  assert.equal(body.error.metadata.code, 'model_not_found')
  assert.equal(body.error.availability.retryable, false)
  assert.deepEqual(body.error.availability.requested_models, ['x'])
  assert.deepEqual(body.error.availability.fallback_models, ['y'])
})

test('under /api/v1 what repeating cannot help is no 5xx', () => {
  for (const code of ['upstream_auth_failed', 'no_available_backend'] as const) {
    const { status, headers, body } = encode(new GatewayError(code, 'x'), 'openrouter')
    assert.equal(status, 404)
    assert.equal(body.error.availability.code, 'no_endpoints')
    assert.equal(body.error.metadata.code, code)
    assert.equal(body.error.metadata.error_type, 'not_found')
    assert.equal(headers['retry-after'], undefined)
  }
  const cooling = encode(new GatewayError('no_available_backend', 'x', { retryAfterSeconds: 7 }), 'openrouter')
  assert.equal(cooling.status, 503)
  assert.equal(cooling.headers['retry-after'], '7')
  assert.equal(cooling.headers['x-should-retry'], undefined)
  const down = encode(new GatewayError('upstream_unavailable', 'x'), 'openrouter')
  assert.equal(down.status, 503)
  assert.equal(down.body.error.availability.code, 'temporarily_unavailable')
})

test('x-should-retry is false exactly where an SDK would repeat in vain', () => {
  const told = (code: ErrorCode, retryAfterSeconds?: number) =>
    encodeError(
      new GatewayError(code, 'x', retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      'openai',
      REQUEST_ID,
    ).headers['x-should-retry']
  assert.equal(told('state_conflict'), 'false')
  assert.equal(told('upstream_unavailable'), 'false')
  assert.equal(told('no_available_backend'), 'false')
  assert.equal(told('upstream_timeout'), 'false')
  assert.equal(told('internal_error'), undefined)
  assert.equal(told('shutting_down'), undefined)
  assert.equal(told('rate_limit_exceeded'), undefined)
  assert.equal(told('rate_limit_exceeded', RETRY_SOON_SECONDS_MAX), undefined)
  assert.equal(told('rate_limit_exceeded', RETRY_SOON_SECONDS_MAX + 1), 'false')
  assert.equal(told('invalid_api_key'), undefined)
  assert.equal(told('insufficient_balance'), undefined)
})

test('every row of the table encodes in every dialect, and internal text stays inside', () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const error = new GatewayError(code, 'public', { internal: 'SECRET', cause: new Error('SECRET') })
    for (const dialect of ['openai', 'openrouter', 'anthropic', 'gemini'] as const) {
      const { status, body, headers } = encodeError(error, dialect, REQUEST_ID)
      assert.ok(status >= 400 && status < 600)
      assert.ok(!body.includes('SECRET'))
      assert.ok(body.includes(REQUEST_ID))
      if (status === 429) assert.ok(headers['retry-after'], `${code} tells a wait`)
    }
  }
})

test("an upstream's own status replaces the table's", () => {
  const { status, body } = encode(new GatewayError('invalid_request', 'x', { status: 422 }), 'openrouter')
  assert.equal(status, 422)
  assert.equal(body.error.code, 422)
  assert.equal(body.error.metadata.error_type, 'unprocessable')
})
