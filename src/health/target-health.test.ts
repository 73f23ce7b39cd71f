import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURES_MAX, OPEN_MS, REFUSED_MS } from './circuit.ts'
import { type HealthTarget, QUOTAS_MAX, TargetHealth } from './target-health.ts'

const targetOf = (id: string, credentials: readonly string[] = ['a'], upstreamModel = 'm'): HealthTarget => ({
  upstreamModel,
  backend: { id, credentials },
})

function healthAt(): { health: TargetHealth; clock: { now: number } } {
  const clock = { now: 0 }
  return { health: new TargetHealth(() => clock.now), clock }
}

test('credentials take turns', () => {
  const { health } = healthAt()
  const target = targetOf('b', ['x', 'y', 'z'])
  const used = Array.from({ length: 9 }, () => health.begin(target).credential)
  assert.deepEqual(used, [0, 1, 2, 0, 1, 2, 0, 1, 2])
  assert.equal(health.begin(targetOf('none', [])).credential, 0)
})

test('a refused credential is left out, the others go on; with none left the first one back is taken', () => {
  const { health, clock } = healthAt()
  const target = targetOf('b', ['x', 'y'])
  health.begin(target).fail('refused', null)
  for (let count = 0; count < 4; count++) {
    const watch = health.begin(target)
    assert.equal(watch.credential, 1)
    watch.succeed()
  }
  clock.now = 1000
  health.begin(target).fail('refused', null)
  assert.equal(health.admits(target), false)
  assert.equal(health.readyInMs(target), REFUSED_MS - 1000)
  assert.equal(health.begin(target).credential, 0)
})

test('a rate limit belongs to a credential and a model', () => {
  const { health, clock } = healthAt()
  health.begin(targetOf('b')).fail('rate-limited', 5000)
  assert.equal(health.admits(targetOf('b')), false)
  assert.equal(health.readyInMs(targetOf('b')), 5000)
  assert.equal(health.admits(targetOf('b', ['a'], 'other')), true)
  clock.now = 5000
  const watch = health.begin(targetOf('b'))
  assert.equal(health.admits(targetOf('b')), false, 'one probe')
  watch.succeed()
  assert.equal(health.admits(targetOf('b')), true)
})

test('a backend that fails is left out whole, with all its credentials and models', () => {
  const { health, clock } = healthAt()
  for (let count = 0; count < FAILURES_MAX; count++) health.begin(targetOf('b', ['x', 'y'])).fail('failed', null)
  assert.equal(health.admits(targetOf('b', ['x', 'y'], 'other')), false)
  assert.equal(health.admits(targetOf('c')), true)
  assert.deepEqual(health.describe(targetOf('b', ['x', 'y']).backend).state, 'open')
  clock.now = OPEN_MS
  assert.equal(health.admits(targetOf('b', ['x', 'y'])), true)
})

test('a limited backend does work: its failures are forgotten', () => {
  const { health } = healthAt()
  const target = targetOf('b')
  for (let count = 1; count < FAILURES_MAX; count++) health.begin(target).fail('failed', null)
  health.begin(target).fail('rate-limited', 1)
  health.begin(targetOf('b', ['a'], 'other')).fail('failed', null)
  assert.equal(health.admits(targetOf('b', ['a'], 'other')), true)
})

test('only the first word about an attempt counts', () => {
  const { health } = healthAt()
  const watch = health.begin(targetOf('b'))
  watch.succeed()
  for (let count = 0; count < FAILURES_MAX; count++) watch.fail('failed', null)
  assert.equal(health.admits(targetOf('b')), true)
})

test('long answers of a better time do not hide that nothing new is answered', () => {
  const { health, clock } = healthAt()
  const target = targetOf('b')
  const long = Array.from({ length: FAILURES_MAX * 2 }, () => health.begin(target))
  for (const watch of long) watch.commit()
  clock.now = 1000
  for (let count = 0; count < FAILURES_MAX; count++) {
    health.begin(target).fail('failed', null)
    long.pop()!.succeed()
  }
  assert.equal(health.admits(target), false)
  for (const watch of long) watch.succeed()
  assert.equal(health.admits(target), false, 'nor do they close the circuit')
})

test('answers that break in the middle are failures, one that is only left is not', () => {
  const { health } = healthAt()
  const target = targetOf('b')
  const streamed = () => {
    const watch = health.begin(target)
    watch.commit()
    return watch
  }
  for (let count = 0; count < FAILURES_MAX; count++) streamed().release()
  for (let count = 1; count < FAILURES_MAX; count++) streamed().fail('failed', null)
  assert.equal(health.admits(target), true)
  streamed().fail('failed', null)
  assert.equal(health.admits(target), false)
})

test('what a probe finds dead is left out until it is not', () => {
  const { health } = healthAt()
  health.setDown('b', true)
  assert.equal(health.admits(targetOf('b')), false)
  assert.equal(health.admits(targetOf('c')), true)
  assert.equal(health.describe(targetOf('b').backend).is_down, true)
  health.setDown('b', false)
  assert.equal(health.admits(targetOf('b')), true)
  health.setDown('gone', true)
  health.keepOnly(new Map())
  assert.equal(health.admits(targetOf('gone')), true)
})

test('rate limits that are remembered are bounded, the oldest go first', () => {
  const { health } = healthAt()
  for (let index = 0; index <= QUOTAS_MAX; index++)
    health.begin(targetOf('b', ['a'], `m${index}`)).fail('rate-limited', 60_000)
  assert.equal(health.admits(targetOf('b', ['a'], 'm0')), true)
  assert.equal(health.admits(targetOf('b', ['a'], 'm1')), false)
  assert.equal(health.describe(targetOf('b').backend).credentials[0]!.trouble, 'rate-limited')
})

test('a backend that is gone is forgotten, one with other credentials begins anew', () => {
  const { health } = healthAt()
  for (const id of ['gone', 'changed', 'kept'])
    for (let count = 0; count < FAILURES_MAX; count++) health.begin(targetOf(id)).fail('failed', null)
  const now = [targetOf('changed', ['x', 'y']), targetOf('kept')]
  health.keepOnly(new Map(now.map(({ backend }) => [backend.id, backend])))
  assert.equal(health.admits(targetOf('gone')), true)
  assert.equal(health.admits(now[0]!), true)
  assert.equal(health.admits(now[1]!), false)
})
