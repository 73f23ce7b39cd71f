import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Deadlines, SWEEP_MS } from './deadlines.ts'

test('expires what is due, once, and follows deadlines that move', (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => mock.timers.reset())
  const watch = new Deadlines()
  const expired: string[] = []
  const item = (name: string, deadlineAt: number) => ({ deadlineAt, place: -1, onExpiry: () => expired.push(name) })
  const now = performance.now()
  const due = item('due', now - 1)
  const later = { ...item('later', now + 60_000) }
  const dropped = item('dropped', now - 1)
  for (const each of [due, later, dropped]) watch.watch(each)
  watch.unwatch(dropped)
  mock.timers.tick(SWEEP_MS - 1)
  assert.deepEqual(expired, [])
  mock.timers.tick(1)
  assert.deepEqual(expired, ['due'])
  later.deadlineAt = now - 1
  mock.timers.tick(SWEEP_MS * 3)
  assert.deepEqual(expired, ['due', 'later'])
  watch.watch(item('again', now - 1))
  mock.timers.tick(SWEEP_MS)
  assert.deepEqual(expired, ['due', 'later', 'again'])
})
