import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { ATTEMPT_WINDOW_MS, ATTEMPTERS_MAX, Attempts, ATTEMPTS_MAX, isAttempt } from './attempts.ts'

const refused = (error: unknown): boolean => {
  assert.ok(error instanceof GatewayError)
  assert.equal(error.code, 'rate_limit_exceeded')
  return true
}

test('S25: at the bound a try passes, above it waits for the oldest one', () => {
  const attempts = new Attempts()
  for (let at = 0; at < ATTEMPTS_MAX; at++) attempts.count(['a'], 1000 + at)
  assert.throws(
    () => attempts.count(['a'], 2000),
    (error) => {
      assert.equal(
        (error as GatewayError).details.retryAfterSeconds,
        Math.ceil((1000 + ATTEMPT_WINDOW_MS - 2000) / 1000),
      )
      return refused(error)
    },
  )
  attempts.count(['b'], 2000)
  assert.throws(() => attempts.count(['a'], 1000 + ATTEMPT_WINDOW_MS - 1), refused)
  attempts.count(['a'], 1000 + ATTEMPT_WINDOW_MS)
  assert.throws(() => attempts.count(['a'], 1000 + ATTEMPT_WINDOW_MS), refused)
})

test('S25: neither other addresses nor other names give more tries', () => {
  const attempts = new Attempts()
  for (let at = 0; at < ATTEMPTS_MAX; at++) attempts.count([`ip ${at}`, 'email victim'], 0)
  assert.throws(() => attempts.count(['ip fresh', 'email victim'], 1), refused)
  const other = new Attempts()
  for (let at = 0; at < ATTEMPTS_MAX; at++) other.count(['ip one', `email ${at}`], 0)
  assert.throws(() => other.count(['ip one', 'email fresh'], 1), refused)
})

test('S25: what is remembered is bounded, and the oldest goes first', () => {
  const attempts = new Attempts()
  for (let at = 0; at < ATTEMPTS_MAX; at++) attempts.count(['early'], 0)
  for (let at = 0; at < ATTEMPTERS_MAX - 1; at++) attempts.count([`other ${at}`], 0)
  assert.throws(() => attempts.count(['early'], 1), refused)
  for (let at = 0; at < ATTEMPTERS_MAX; at++) attempts.count([`another ${at}`], 1)
  attempts.count(['early'], 2)
})

test('S25: guesses are counted, reading and leaving are not', () => {
  for (const path of [
    'sign-in/email',
    'sign-up/email',
    'two-factor/verify-totp',
    'reset-password',
    'change-password',
  ]) {
    assert.ok(isAttempt('POST', `/api/auth/${path}`), path)
  }
  for (const path of ['/api/auth//sign-in/email', '/api/auth/Sign-In/email', '/api/auth/%73ign-in/email']) {
    assert.ok(isAttempt('POST', path), path)
  }
  assert.ok(isAttempt('POST', '/api/auth/organization/invite-member'))
  assert.ok(!isAttempt('POST', '/api/auth/organization/set-active'))
  assert.ok(!isAttempt('POST', '/api/auth/sign-out'))
  assert.ok(!isAttempt('GET', '/api/auth/get-session'))
})
