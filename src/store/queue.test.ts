import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { COMPANY_LENGTH_MIN, COMPANY_WAIT_MS, createQueue } from './queue.ts'
import type { Reply } from './queue.ts'

const unavailable = (thrown: unknown): boolean => (thrown as GatewayError).code === 'store_unavailable'

/** A commit that a test lets through when it wants to. */
function gate() {
  const batches: number[][] = []
  const gates: PromiseWithResolvers<void>[] = []
  const waiters: (() => void)[] = []
  return {
    batches,
    async commit(jobs: readonly number[]): Promise<Reply[]> {
      const opened = Promise.withResolvers<void>()
      batches.push([...jobs])
      gates.push(opened)
      waiters.shift()?.()
      await opened.promise
      return jobs.map((job) => ({ value: job * 2 }))
    },
    async next(): Promise<PromiseWithResolvers<void>> {
      if (gates.length === 0) await new Promise<void>((resolve) => waiters.push(resolve))
      return gates.shift()!
    },
  }
}

test('what arrives during a commit forms the next batch, of bounded length', async () => {
  const { batches, commit, next } = gate()
  const queue = createQueue({ lengthMax: 10, batchLengthMax: 3, commit })
  const first = queue.push(1)
  const underWay = await next()
  const rest = [2, 3, 4, 5].map((job) => queue.push(job))
  underWay.resolve()
  assert.equal(await first, 2)
  ;(await next()).resolve()
  ;(await next()).resolve()
  assert.deepEqual(await Promise.all(rest), [4, 6, 8, 10])
  assert.deepEqual(batches, [[1], [2, 3, 4], [5]])
})

test('one job more than the bound is refused, those before are not', async () => {
  const { commit, next } = gate()
  const queue = createQueue({ lengthMax: 3, batchLengthMax: 2, commit })
  const accepted = [1, 2, 3].map((job) => queue.push(job))
  assert.equal(queue.length, 3)
  await assert.rejects(queue.push(4), unavailable)
  ;(await next()).resolve()
  ;(await next()).resolve()
  assert.deepEqual(await Promise.all(accepted), [2, 4, 6])
  assert.equal(queue.length, 0)
})

test('closing finishes what was accepted and refuses what comes', async () => {
  const { commit, next } = gate()
  const queue = createQueue({ lengthMax: 3, batchLengthMax: 2, commit })
  const accepted = queue.push(1)
  const closed = queue.close()
  await assert.rejects(queue.push(2), unavailable)
  ;(await next()).resolve()
  assert.equal(await accepted, 2)
  await closed
})

test('a commit that throws refuses its batch only; a broken queue refuses all', async () => {
  let fail = true
  const commit = async (jobs: readonly number[]): Promise<Reply[]> => {
    if (fail) throw new Error('disk')
    return jobs.map((value) => ({ value }))
  }
  const queue = createQueue({ lengthMax: 3, batchLengthMax: 2, commit })
  await assert.rejects(queue.push(1), unavailable)
  fail = false
  assert.equal(await queue.push(2), 2)
  queue.fail(new Error('thread ended'))
  await assert.rejects(queue.push(3), unavailable)
})

test('a failure reply rejects its job with its code', async () => {
  const commit = async (): Promise<Reply[]> => [
    { failure: { code: 'not_found', message: 'There is none.' } },
    { value: 1 },
  ]
  const queue = createQueue({ lengthMax: 3, batchLengthMax: 2, commit })
  const [bad, good] = [queue.push(1), queue.push(2)]
  await assert.rejects(bad, { code: 'not_found', message: 'There is none.' })
  assert.equal(await good, 1)
})

const numbers = (length: number): number[] => Array.from({ length }, (_, at) => at)

/** Commits a first batch of this length, so that the queue takes it for its load. */
async function loaded(length: number) {
  const { batches, commit, next } = gate()
  const queue = createQueue({ lengthMax: 100, batchLengthMax: 8, gathers: true, commit })
  const first = numbers(length).map((job) => queue.push(job))
  ;(await next()).resolve()
  await Promise.all(first)
  batches.length = 0
  return { queue, batches, next }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('behind a batch of the company size the next one waits for company, and not longer than its bound', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { queue, batches, next } = await loaded(COMPANY_LENGTH_MIN)
  const early = queue.push(1)
  await turn()
  t.mock.timers.tick(COMPANY_WAIT_MS - 1)
  assert.deepEqual(batches, [])
  const late = queue.push(2)
  t.mock.timers.tick(1)
  ;(await next()).resolve()
  assert.deepEqual([await early, await late], [2, 4])
  assert.deepEqual(batches, [[1, 2]])
})

test('behind a smaller batch nobody waits', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { queue, batches, next } = await loaded(COMPANY_LENGTH_MIN - 1)
  const alone = queue.push(1)
  ;(await next()).resolve()
  assert.equal(await alone, 2)
  assert.deepEqual(batches, [[1]])
})

test('a full batch does not wait, and closing waits for nobody', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const full = await loaded(COMPANY_LENGTH_MIN)
  const jobs = numbers(8).map((job) => full.queue.push(job))
  ;(await full.next()).resolve()
  assert.equal((await Promise.all(jobs)).length, 8)
  const closing = await loaded(COMPANY_LENGTH_MIN)
  const last = closing.queue.push(1)
  const closed = closing.queue.close()
  ;(await closing.next()).resolve()
  assert.equal(await last, 2)
  await closed
})
