import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  Circuit,
  FAILURES_MAX,
  OPEN_MS,
  PROBE_AFTER_MAX_MS,
  RATE_LIMIT_PAUSES_MS,
  REFUSED_MS,
  RETRY_AFTER_MAX_MS,
  type Trouble,
} from './circuit.ts'

const failing = (
  circuit: Circuit,
  now: number,
  trouble: Trouble = 'failed',
  retryAfterMs: number | null = null,
): void => circuit.fail(circuit.begin(now), trouble, retryAfterMs, now)

const succeeding = (circuit: Circuit, now: number): void => {
  circuit.commit(circuit.begin(now), now)
}

test('so many failures in a row open the circuit, one fewer does not', () => {
  const circuit = new Circuit()
  for (let count = 1; count < FAILURES_MAX; count++) failing(circuit, 0)
  assert.equal(circuit.state(0), 'closed')
  assert.equal(circuit.admits(0), true)
  failing(circuit, 0)
  assert.equal(circuit.state(0), 'open')
  assert.equal(circuit.admits(OPEN_MS - 1), false)
  assert.equal(circuit.trouble, 'failed')
})

test('a success in between starts the count anew', () => {
  const circuit = new Circuit()
  for (let round = 0; round < 3; round++) {
    for (let count = 1; count < FAILURES_MAX; count++) failing(circuit, 0)
    succeeding(circuit, 0)
  }
  assert.equal(circuit.state(0), 'closed')
})

test('after the pause one probe goes through; it decides', () => {
  const circuit = new Circuit()
  for (let count = 0; count < FAILURES_MAX; count++) failing(circuit, 0)
  assert.equal(circuit.state(OPEN_MS), 'half-open')
  const isProbe = circuit.begin(OPEN_MS)
  assert.equal(isProbe, true)
  assert.equal(circuit.admits(OPEN_MS), false, 'a second probe')
  circuit.fail(isProbe, 'failed', null, OPEN_MS)
  assert.equal(circuit.admits(2 * OPEN_MS - 1), false)
  succeeding(circuit, 2 * OPEN_MS)
  assert.equal(circuit.state(2 * OPEN_MS), 'closed')
  assert.equal(circuit.until, 0)
})

test('a probe whose client leaves says nothing, and the next one goes', () => {
  const circuit = new Circuit()
  for (let count = 0; count < FAILURES_MAX; count++) failing(circuit, 0)
  circuit.release(circuit.begin(OPEN_MS))
  assert.equal(circuit.admits(OPEN_MS), true)
})

test('what was under way when the circuit opened does not make its pause longer', () => {
  const circuit = new Circuit()
  const early = circuit.begin(0)
  for (let count = 0; count < FAILURES_MAX; count++) failing(circuit, 0)
  circuit.fail(early, 'failed', null, OPEN_MS - 1)
  assert.equal(circuit.admits(OPEN_MS), true)
})

test('nor does it close the circuit again', () => {
  const circuit = new Circuit()
  const early = circuit.begin(0)
  for (let count = 0; count < FAILURES_MAX; count++) failing(circuit, 1)
  circuit.commit(early, 0)
  assert.equal(circuit.state(2), 'open')
  succeeding(circuit, 2)
  assert.equal(circuit.state(2), 'closed', 'tried for want of another one, and it works')
})

test('a probe that begins to answer lets the others through', () => {
  const circuit = new Circuit()
  for (let count = 0; count < FAILURES_MAX; count++) failing(circuit, 0)
  circuit.commit(circuit.begin(OPEN_MS), OPEN_MS)
  assert.equal(circuit.admits(OPEN_MS), true)
})

test('answers that always break in the middle open it, and after that the first one does', () => {
  const circuit = new Circuit()
  const breaking = (now: number): void => {
    circuit.breakOff(circuit.commit(circuit.begin(now), now), now)
  }
  for (let count = 1; count < FAILURES_MAX; count++) breaking(0)
  assert.equal(circuit.state(0), 'closed')
  breaking(0)
  assert.equal(circuit.state(0), 'open')
  breaking(OPEN_MS)
  assert.equal(circuit.state(OPEN_MS), 'open')
  succeeding(circuit, 2 * OPEN_MS)
  breaking(2 * OPEN_MS)
  assert.equal(circuit.state(2 * OPEN_MS), 'closed', 'a whole answer starts the count anew')
})

test('answers that break and attempts that fail are counted together', () => {
  const circuit = new Circuit()
  failing(circuit, 0)
  circuit.breakOff(circuit.commit(circuit.begin(0), 0), 0)
  assert.equal(circuit.state(0), 'closed')
  failing(circuit, 0)
  assert.equal(circuit.state(0), 'open')
})

test('a rate limit pauses as long as it says, up to a bound', () => {
  const circuit = new Circuit()
  failing(circuit, 0, 'rate-limited', 7000)
  assert.equal(circuit.until, 7000)
  const long = new Circuit()
  failing(long, 0, 'rate-limited', RETRY_AFTER_MAX_MS + 1)
  assert.equal(long.until, RETRY_AFTER_MAX_MS)
})

test('rate limits that say nothing pause longer and longer, and one storm is one step', () => {
  const circuit = new Circuit()
  let now = 0
  for (const pauseMs of [...RATE_LIMIT_PAUSES_MS, RATE_LIMIT_PAUSES_MS.at(-1)!]) {
    for (let storm = 0; storm < 20; storm++) failing(circuit, now, 'rate-limited')
    assert.equal(circuit.state(now + pauseMs - 1), 'open')
    assert.equal(circuit.state(now + pauseMs), 'half-open')
    assert.equal(circuit.until, now + Math.min(pauseMs, PROBE_AFTER_MAX_MS))
    now = circuit.until
  }
  succeeding(circuit, now)
  failing(circuit, now, 'rate-limited')
  assert.equal(circuit.until, now + RATE_LIMIT_PAUSES_MS[0]!, 'a success starts the steps anew')
})

test('a pause of a guess is probed before its end, by one request at a time; one that was asked for is not', () => {
  const guessed = new Circuit()
  for (const _ of RATE_LIMIT_PAUSES_MS) failing(guessed, guessed.until, 'rate-limited')
  const since = guessed.until - PROBE_AFTER_MAX_MS
  assert.equal(guessed.admits(since + PROBE_AFTER_MAX_MS - 1), false)
  const isProbe = guessed.begin(since + PROBE_AFTER_MAX_MS)
  assert.equal(isProbe, true)
  assert.equal(guessed.admits(since + PROBE_AFTER_MAX_MS), false)
  guessed.commit(isProbe, since + PROBE_AFTER_MAX_MS)
  assert.equal(guessed.admits(since + PROBE_AFTER_MAX_MS), true)
  const asked = new Circuit()
  failing(asked, 0, 'rate-limited', 60_000)
  assert.equal(asked.admits(59_999), false)
})

test('a refused credential rests at once', () => {
  const circuit = new Circuit()
  failing(circuit, 5, 'refused')
  assert.equal(circuit.until, 5 + REFUSED_MS)
})
