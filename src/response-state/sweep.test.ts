import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SWEEP_INTERVAL_MS, sweepRegularly } from './sweep.ts'

/** A store whose sweeps end when the test says so. */
function sweeper(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const sweeps: PromiseWithResolvers<number>[] = []
  const failures: unknown[] = []
  const sweep = (): Promise<number> => {
    const next = Promise.withResolvers<number>()
    sweeps.push(next)
    return next.promise
  }
  const stop = sweepRegularly({ sweep }, (cause) => failures.push(cause))
  return { sweeps, failures, stop, interval: () => t.mock.timers.tick(SWEEP_INTERVAL_MS) }
}

/** Everything that already settled promises bring about. */
const settled = (): Promise<void> => new Promise((accept) => setImmediate(accept))

test('sweeps at once and at every interval, never two at a time, and goes on after a failure', async (t) => {
  const { sweeps, failures, stop, interval } = sweeper(t)
  assert.equal(sweeps.length, 1)
  interval()
  assert.equal(sweeps.length, 1, 'the first one is not over')
  sweeps[0]!.reject(new Error('store'))
  await settled()
  assert.deepEqual(failures.map(String), ['Error: store'])
  interval()
  assert.equal(sweeps.length, 2)
  sweeps[1]!.resolve(3)
  await settled()
  stop()
  interval()
  assert.equal(sweeps.length, 2)
})

test('what fails because the process ends is not told', async (t) => {
  const { sweeps, failures, stop } = sweeper(t)
  stop()
  sweeps[0]!.reject(new Error('closed'))
  await settled()
  assert.deepEqual(failures, [])
})
