import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BreakGlass, GLASS_LEASE_MS, GLASS_SWAPS_MAX } from './break-glass.ts'
import type { Counts, SharedCounts } from './types.ts'

function start() {
  const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }
  const rows = new Map<string, Counts>()
  const counts: SharedCounts = {
    async swap([write]) {
      const { id, version, next, state } = write!
      const current = rows.get(id) ?? { id, version: 0, state: '' }
      if (current.version !== version) return [current]
      if (state !== null) rows.set(id, { id, version: next, state })
      return null
    },
    async sweep() {},
    now: () => clock.nowMs,
    busy: () => new Error('busy'),
  }
  const failed = (cause: unknown) => assert.fail(String(cause))
  return { clock, counts, nodes: [new BreakGlass(counts, failed), new BreakGlass(counts, failed)] as const }
}

test('B11: two nodes spend one amount; what runs counts with the most that it can cost', async () => {
  const { nodes } = start()
  const first = await nodes[0].take('r', 100n, 0, 90n)
  const second = await nodes[1].take('r', 100n, 0, 90n)
  assert.deepEqual([first?.isFirst, second?.isFirst], [true, false])
  assert.equal(await nodes[0].take('r', 100n, 0, 90n), null)
  await first!.end(5n)
  await first!.end(1000n)
  await second!.end(10n)
  const third = await nodes[1].take('r', 100n, 0, 1n)
  await third!.end(85n)
  assert.equal(await nodes[0].take('r', 100n, 0, 1n), null)
  // Another rule, and the next period of this one, have their own amounts.
  assert.equal((await nodes[0].take('other', 100n, 0, 1n))?.isFirst, true)
  assert.equal((await nodes[1].take('r', 100n, 1, 1n))?.isFirst, true)
})

test('a node that was killed holds nothing for ever', async () => {
  const { nodes, clock } = start()
  await nodes[0].take('r', 100n, 0, 100n)
  clock.nowMs += GLASS_LEASE_MS - 1
  assert.equal(await nodes[1].take('r', 100n, 0, 1n), null)
  clock.nowMs += 1
  assert.ok(await nodes[1].take('r', 100n, 0, 1n))
})

test('tries have a bound, and an end never rejects but is told of', async () => {
  const { counts } = start()
  let swaps = 0
  let isUnlucky = false
  const unspent: unknown[] = []
  const glass = new BreakGlass(
    {
      ...counts,
      swap: async (writes) => {
        swaps++
        return isUnlucky
          ? writes.map(({ id, version }) => ({ id, version: version + 1, state: '' }))
          : counts.swap(writes)
      },
    },
    (cause) => unspent.push(cause),
  )
  const grant = await glass.take('r', 1n, 0, 1n)
  isUnlucky = true
  swaps = 0
  await assert.rejects(glass.take('r', 1n, 0, 1n), /busy/)
  assert.equal(swaps, GLASS_SWAPS_MAX)
  await grant!.end(1n)
  assert.match(String(unspent), /busy/)
})
