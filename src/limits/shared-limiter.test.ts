import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CONCURRENCY_WAIT_MS, type Scope } from './limiter.ts'
import { KNOWN_MAX, LEASE_MS, SHARED_BATCH_MAX, SharedLimiter, SWAPS_MAX } from './shared-limiter.ts'
import { type Counts, type CountsWrite, type LimitSet, NO_LIMITS, type SharedCounts } from './types.ts'

/** Counts in memory that behave as those of a database: nodes see each other's, and only the fastest writes. */
function placeOf(clock: { nowMs: number }) {
  const rows = new Map<string, Counts & { expiresMs: number }>()
  const seen = { swaps: 0, conflicts: 0, batchMax: 0 }
  const place: SharedCounts = {
    async swap(writes: readonly CountsWrite[]) {
      seen.swaps++
      seen.batchMax = Math.max(seen.batchMax, writes.length)
      await new Promise(setImmediate)
      const current = writes.map(({ id }) => rows.get(id) ?? { id, version: 0, state: '' })
      if (current.some(({ version }, index) => version !== writes[index]!.version)) {
        seen.conflicts++
        return current
      }
      for (const { id, next, state, expiresMs } of writes)
        if (state !== null) rows.set(id, { id, version: next, state, expiresMs })
      return null
    },
    async sweep(nowMs) {
      for (const [id, { expiresMs }] of rows) if (expiresMs <= nowMs) rows.delete(id)
    },
    now: () => clock.nowMs,
    busy: () => new Error('busy'),
  }
  return { place, rows, seen }
}

const NOON_MS = Date.UTC(2026, 10, 20, 12)
const scopeOf = (limits: Partial<LimitSet>, change: Partial<Scope> = {}): Scope => ({
  id: 'key k',
  what: 'this API key',
  limits: { ...NO_LIMITS, perUtcDay: 0, ...limits },
  history: null,
  ...change,
})

function start(nodes = 2) {
  const clock = { nowMs: NOON_MS }
  const shared = placeOf(clock)
  return { clock, ...shared, nodes: Array.from({ length: nodes }, () => new SharedLimiter(shared.place)) }
}

suite('R78: nodes that count together', () => {
  test('of 500 requests at once at three nodes exactly as many pass as the limit says', async () => {
    const { nodes, clock, seen } = start(3)
    const scopes = [scopeOf({ rpm: 100 }), scopeOf({ rpd: 1000 }, { id: 'account a' })]
    const asks = Array.from({ length: 500 }, (_, at) => nodes[at % 3]!.admit(scopes, 1, clock.nowMs, null))
    const answers = await Promise.all(asks)
    assert.equal(answers.filter((answer) => answer?.granted).length, 100)
    const refused = answers.find((answer) => answer && !answer.granted)!
    assert.deepEqual([refused.standing.requests?.remaining, refused.standing.requests?.resetMs], [0, 60_000])
    // Most wait for the same writes.
    assert.ok(seen.swaps < 50 && seen.conflicts > 0, JSON.stringify(seen))
    clock.nowMs += 60_000
    assert.equal((await nodes[1]!.admit(scopes, 1, clock.nowMs, null))?.granted, true)
  })

  test('a place at the same time is free for every node when its request has ended, and when its node is gone', async () => {
    const { nodes, clock } = start()
    const scopes = [scopeOf({ concurrency: 1 })]
    const admit = (node: number) => nodes[node]!.admit(scopes, 1, clock.nowMs, null)
    const first = await admit(0)
    assert.ok(first?.granted)
    const second = await admit(1)
    assert.ok(second && !second.granted)
    assert.deepEqual([second.limit, second.waitMs], ['concurrency', CONCURRENCY_WAIT_MS])
    await first.grant.end(true, null, clock.nowMs)
    await first.grant.end(true, null, clock.nowMs)
    assert.equal((await admit(1))?.granted, true)
    assert.equal((await admit(0))?.granted, false)
    clock.nowMs += LEASE_MS - 1
    assert.equal((await admit(0))?.granted, false)
    clock.nowMs += 1
    assert.equal((await admit(0))?.granted, true)
  })

  test('what was not sent does not count, and tokens are put right, at another node too', async () => {
    const { nodes, clock } = start()
    const scopes = [scopeOf({ rpm: 2, tpm: 100 })]
    const admit = async (node: number, tokens: number) => {
      const answer = await nodes[node]!.admit(scopes, tokens, clock.nowMs, null)
      assert.ok(answer?.granted)
      return answer
    }
    await (await admit(0, 90)).grant.end(false, null, clock.nowMs)
    const next = await admit(1, 60)
    assert.deepEqual([next.standing.requests?.remaining, next.standing.tokens?.remaining], [1, 40])
    await next.grant.end(true, 5, clock.nowMs)
    const last = await admit(0, 10)
    assert.deepEqual([last.standing.requests?.remaining, last.standing.tokens?.remaining], [0, 85])
    // Nothing to put right is nothing to write.
    assert.equal(last.grant.end(true, 10, clock.nowMs), undefined)
  })

  test('the past of a long window is put in once, for all nodes', async () => {
    const { nodes, clock } = start()
    const scope = scopeOf({ rpd: 3 }, { history: { accountId: 'a' } })
    assert.equal(await nodes[0]!.admit([scope], 1, clock.nowMs, null), null)
    const pasts = new Map([['key k rpd', [{ count: 2, lastMs: clock.nowMs - 1000 }]]])
    assert.equal((await nodes[0]!.admit([scope], 1, clock.nowMs, pasts))?.granted, true)
    assert.equal((await nodes[1]!.admit([scope], 1, clock.nowMs, pasts))?.granted, false)
    assert.equal(await nodes[1]!.used(scope, 'rpd', clock.nowMs, null), 3)
  })

  test('a scope that was forgotten begins anew, whatever a node remembers of it', async () => {
    const { nodes, clock, rows, place } = start()
    const scopes = [scopeOf({ rpm: 1 })]
    const admit = async (node: number) => (await nodes[node]!.admit(scopes, 1, clock.nowMs, null))?.granted
    assert.deepEqual([await admit(0), await admit(1)], [true, false])
    clock.nowMs += 60_000
    await place.sweep(clock.nowMs)
    assert.equal(rows.size, 0)
    assert.deepEqual([await admit(1), await admit(0), await admit(1)], [true, false, false])
  })

  test('batches, remembered scopes and tries have bounds', async () => {
    const { nodes, clock, seen, place } = start(1)
    const each = (at: number): readonly Scope[] => [scopeOf({ rpm: 1 }, { id: `key ${at}` })]
    await Promise.all(Array.from({ length: 450 }, (_, at) => nodes[0]!.admit(each(at), 1, clock.nowMs, null)))
    assert.equal(seen.batchMax, SHARED_BATCH_MAX)
    for (let at = 0; at <= KNOWN_MAX; at += SHARED_BATCH_MAX)
      await Promise.all(
        Array.from({ length: SHARED_BATCH_MAX }, (_, one) => nodes[0]!.admit(each(at + one), 1, clock.nowMs, null)),
      )
    // What is no longer remembered is read again by one conflict, and still counted.
    assert.equal((await nodes[0]!.admit(each(0), 1, clock.nowMs, null))?.granted, false)
    let swaps = 0
    const unlucky = new SharedLimiter({
      ...place,
      swap: async (writes) => {
        swaps++
        return writes.map(({ id, version }) => ({ id, version: version + 1, state: '' }))
      },
    })
    await assert.rejects(unlucky.admit(each(1), 1, clock.nowMs, null), /busy/)
    assert.equal(swaps, SWAPS_MAX)
  })

  test('a place that cannot be reached refuses requests, and ends none badly', async () => {
    const { place, clock } = start()
    let isDown = false
    const node = new SharedLimiter({
      ...place,
      swap: (writes) => (isDown ? Promise.reject(new Error('down')) : place.swap(writes)),
    })
    const answer = await node.admit([scopeOf({ concurrency: 1 })], 1, clock.nowMs, null)
    assert.ok(answer?.granted)
    isDown = true
    await assert.rejects(node.admit([scopeOf({ rpm: 1 })], 1, clock.nowMs, null), /down/)
    await answer.grant.end(true, null, clock.nowMs)
    isDown = false
    assert.equal((await node.admit([scopeOf({ rpm: 1 })], 1, clock.nowMs, null))?.granted, true)
  })
})
