import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { sweepRegularly } from './sweep.ts'

test('sweeps at once and again, never two at a time, and goes on after a failure', async () => {
  const seen = new EventTarget()
  const failures: unknown[] = []
  let running = 0
  let most = 0
  let count = 0
  const sweep = async (): Promise<number> => {
    most = Math.max(most, ++running)
    count++
    await wait(15)
    running--
    if (count === 1) throw new Error('store')
    if (count === 3) seen.dispatchEvent(new Event('third'))
    return 0
  }
  const third = once(seen, 'third')
  const stop = sweepRegularly({ sweep }, (cause) => failures.push(cause), 5)
  assert.equal(count, 1)
  const alive = setInterval(() => {}, 1000)
  await third
  stop()
  const atStop = count
  await wait(30)
  clearInterval(alive)
  assert.equal(count, atStop)
  assert.deepEqual([most, failures.map(String)], [1, ['Error: store']])
})

test('what fails because the process ends is not told', async () => {
  const failures: unknown[] = []
  const { promise, reject } = Promise.withResolvers<number>()
  const stop = sweepRegularly({ sweep: () => promise }, (cause) => failures.push(cause), 1000)
  stop()
  reject(new Error('closed'))
  await wait(1)
  assert.deepEqual(failures, [])
})
