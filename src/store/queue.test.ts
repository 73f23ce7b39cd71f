import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayError } from '#base/errors.ts'
import { createQueue } from './queue.ts'
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
