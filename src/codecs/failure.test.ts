import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURE_MESSAGE_CHARACTERS_MAX, failureOf, readFailure, scrub } from './failure.ts'

const json = (status: number, body: unknown) =>
  readFailure(status, 'application/json', Buffer.from(JSON.stringify(body)))

type Row = [name: string, body: unknown, message: string, type?: string | undefined, code?: string]

const BODIES: Row[] = [
  ['an object', { error: { message: 'no', type: 't', code: 'c' } }, 'no', 't', 'c'],
  ['a string', { error: 'no', type: 't', code: 'c' }, 'no', 't', 'c'],
  ['a string beside a message', { error: 'Not Found', message: 'no such model' }, 'no such model'],
  ['an empty string', { error: '' }, 'The upstream answered 422.'],
  ['a numeric code', { error: { message: 'no', code: 1234 } }, 'no', undefined, '1234'],
  ['a message that is an object', { error: { message: { field: ['bad'] } } }, '{"field":["bad"]}'],
  ['no top-level error', { message: 'no', type: 't' }, 'no', 't'],
  ['a message object without an error', { object: 'error', message: { detail: [1] } }, '{"detail":[1]}'],
  ['a detail list', { detail: [{ loc: ['body'], msg: 'missing' }] }, '[{"loc":["body"],"msg":"missing"}]'],
  ['a detail text', { detail: 'no' }, 'no'],
  ['an array', [{ error: { message: 'no', status: 'NOT_FOUND' } }], 'no', 'NOT_FOUND'],
  ['a list of errors', { errors: [{ message: 'first' }, { message: 'second' }] }, 'first'],
  ['AWS', { Message: 'no' }, 'no'],
  ['an object without words', { error: { code: 7 } }, '{"code":7}', undefined, '7'],
  ['an empty object', {}, 'The upstream answered 422.'],
  ['an empty error', { error: {} }, 'The upstream answered 422.'],
  ['a null error', { error: null, message: 'no' }, 'no'],
  ['an error that is true', { error: true, message: 'no' }, 'no'],
  ['odd types and codes', { error: { message: 'no', type: 5, code: null } }, 'no'],
]

test('finds the message, type and code in every shape of the field', () => {
  for (const [name, body, message, upstreamType, upstreamCode] of BODIES) {
    assert.deepEqual(
      json(422, body),
      {
        status: 422,
        code: 'upstream_error',
        message,
        ...(upstreamType === undefined ? {} : { upstreamType }),
        ...(upstreamCode === undefined ? {} : { upstreamCode }),
      },
      name,
    )
  }
})

test('text is told as it is, and pages are not', () => {
  const told = (contentType: string, text: string) => readFailure(503, contentType, Buffer.from(text)).message
  const nothing = 'The upstream answered 503.'
  assert.equal(told('text/plain', ' upstream is busy\n'), 'upstream is busy')
  assert.equal(told('application/json', '{broken'), '{broken')
  assert.equal(told('text/html; charset=utf-8', '<h1>502</h1>'), nothing)
  assert.equal(told('', '<!DOCTYPE html><p>x'), nothing)
  assert.equal(told('text/plain', '<html>x'), nothing)
  assert.equal(told('application/json', ''), nothing)
  assert.equal(told('', '  \n'), nothing)
  assert.equal(told('', '"quoted"'), '"quoted"')
})

test('a 200 with an error inside tells the status it meant', () => {
  const status = (error: unknown) => failureOf(200, { error }).status
  assert.equal(status({ code: 429 }), 429)
  assert.equal(status({ code: '503' }), 503)
  assert.equal(status({ status_code: 400 }), 400)
  assert.equal(status({ type: 'overloaded_error' }), 529)
  assert.equal(status({ status: 'NOT_FOUND' }), 404)
  assert.equal(status({ type: 'tokens', code: 'rate_limit_exceeded' }), 429)
  assert.equal(status({ code: 200 }), 502)
  assert.equal(status({ code: 600 }), 502)
  assert.equal(status({ code: 429.5 }), 502)
  assert.equal(status({}), 502)
  // Names that every object of the language has are no types of ours.
  for (const type of ['constructor', 'toString', '__proto__']) assert.equal(status({ type }), 502)
  assert.equal(failureOf(404, { error: { code: 429 } }).status, 404)
})

test('whatever looks like a credential is taken out', () => {
  const tail = 'abcdefghij0123456789'
  const secrets = [
    `sk-${tail}`,
    `sk-ant-api03-${tail}`,
    `sk-or-v1-${tail}`,
    `sk-proj-${tail}`,
    `csk-${tail}`,
    `gsk_${tail}`,
    `xai-${tail}`,
    `AIza${tail}`,
    `AKIAABCDEFGHIJ234567`,
    `hf_${tail}`,
    `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${tail}`,
  ]
  for (const secret of secrets) {
    assert.equal(scrub(`key=${secret}, sorry`), 'key=[redacted], sorry')
    assert.equal(scrub(`"${secret}"`), '"[redacted]"')
  }
  assert.equal(scrub(`Authorization: Bearer ab.${tail}.cd==`), 'Authorization: [redacted]')
  for (const harmless of ['the task-list-is-long-enough', 'sk-short', 'Bearer token', 'risk-averse-model-behaviour']) {
    assert.equal(scrub(harmless), harmless)
  }
  assert.ok(!JSON.stringify(json(401, { error: { message: `bad key sk-${tail}` } })).includes(tail))
  assert.ok(!readFailure(500, 'text/plain', Buffer.from(`Bearer ${tail}`)).message.includes(tail))
})

test('a message has a longest length', () => {
  const longest = 'x'.repeat(FAILURE_MESSAGE_CHARACTERS_MAX)
  assert.equal(scrub(longest), longest)
  assert.equal(scrub(`${longest}y`), `${longest}…`)
  assert.equal(json(500, { error: { message: `${longest}yz` } }).message, `${longest}…`)
})
