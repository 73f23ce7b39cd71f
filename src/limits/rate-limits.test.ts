import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationText } from './headers.ts'
import { RateLimits } from './rate-limits.ts'
import { addressScope, type LimitedRequest, scopesOf } from './scopes.ts'
import { type LimitHistory, type LimitSet, NO_LIMITS, type RateLimitSettings } from './types.ts'

const NOON_MS = Date.UTC(2026, 10, 20, 12)
const FREE_TIER = { rpm: 0, rpd: 2, rpdPaid: 4, thresholdNano: 10n }

const limits = (change: Partial<LimitSet>): LimitSet => ({ ...NO_LIMITS, ...change })

function settingsOf(change: Partial<RateLimitSettings> = {}): RateLimitSettings {
  return {
    ip: null,
    tiers: new Map(),
    models: new Map(),
    groups: new Map(),
    freeTier: FREE_TIER,
    freeModels: new Map(),
    ...change,
  }
}

const NO_TIER = { freeRpd: null, minLifetimeNano: 0n }

const REQUEST: LimitedRequest = {
  accountId: 'acc',
  tier: 'gold',
  key: { id: 'key', rateLimits: null },
  modelId: 'm',
  group: 'default',
  ip: '192.0.2.1',
  isFree: false,
}

/** A past that tells how often it was asked. */
function pastOf(boughtNano: bigint, count = 0): LimitHistory & { asked: string[]; boughtNano: bigint } {
  return {
    asked: [],
    boughtNano,
    async requests(filter) {
      this.asked.push(JSON.stringify(filter))
      return count > 0 ? [{ count, lastMs: NOON_MS - 60_000 }] : []
    },
    async purchased() {
      this.asked.push('purchased')
      return this.boughtNano
    },
  }
}

function limitsOver(settings: RateLimitSettings, history: LimitHistory) {
  const clock = { nowMs: NOON_MS }
  const rates = new RateLimits({
    settings: () => settings,
    history,
    freeModelIds: () => ['f1', 'f2'],
    now: () => clock.nowMs,
  })
  return { rates, clock }
}

test('every level that limits is a scope of its own; without limits there is none', () => {
  const settings = settingsOf({
    ip: limits({ tpm: 9, rpm: 1 }),
    tiers: new Map([
      ['gold', { limits: limits({ rpm: 5 }), models: new Map([['m', limits({ rpm: 2 })]]), ...NO_TIER }],
    ]),
    models: new Map([['m', limits({ tpm: 7 })]]),
    groups: new Map([['default', limits({ rpd: 3 })]]),
  })
  const request = { ...REQUEST, key: { id: 'key', rateLimits: limits({ concurrency: 1 }) }, isFree: true }
  assert.deepEqual(
    scopesOf(settings, request, () => true).map(({ id, limits: { rpm, tpm, rpd, concurrency, perUtcDay } }) => [
      id,
      rpm + tpm + rpd + concurrency + perUtcDay,
    ]),
    [
      ['account acc', 5],
      ['tier acc m', 2],
      ['key key', 1],
      ['model acc m', 7],
      ['group acc default', 3],
      ['ip 192.0.2.1', 9],
      ['free acc', 4],
    ],
  )
  assert.deepEqual(
    scopesOf(settingsOf(), REQUEST, () => false),
    [],
  )
  const { rates } = limitsOver(settingsOf(), pastOf(0n))
  assert.ok(rates.isOff(REQUEST))
  assert.ok(!rates.isOff(request))
})

test('an IPv6 client is its /64, an IPv4 client in IPv6 dress is its address', () => {
  const settings = settingsOf({ ip: limits({ rpm: 1 }) })
  const idOf = (ip: string) => addressScope(settings, ip)!.id
  assert.equal(idOf('2001:db8:0:1::5'), 'ip 2001:db8:0:1::/64')
  assert.equal(idOf('2001:0db8:0000:0001:ffff:1:2:3'), 'ip 2001:db8:0:1::/64')
  assert.equal(idOf('::1'), 'ip 0:0:0:0::/64')
  assert.equal(idOf('fe80::1%eth0'), 'ip fe80:0:0:0::/64')
  assert.equal(idOf('::ffff:192.0.2.7'), 'ip 192.0.2.7')
})

test('R96: who bought enough gets the larger day; a purchase counts from the next look on', async () => {
  const past = pastOf(9n)
  const { rates, clock } = limitsOver(settingsOf(), past)
  const ask = async () => (await rates.admit({ ...REQUEST, isFree: true }, 0, false))!
  assert.equal((await ask()).error, null)
  assert.equal((await ask()).error, null)
  const third = await ask()
  assert.equal(third.error?.code, 'free_tier_daily_limit')
  assert.equal(third.error?.details.retryAfterSeconds, 12 * 3600)
  assert.equal(third.headers['x-ratelimit-limit'], '2')
  assert.equal(third.headers['x-ratelimit-remaining'], '0')
  assert.equal(third.headers['x-ratelimit-reset'], String(Date.UTC(2026, 10, 21)))
  assert.deepEqual(past.asked, ['purchased', '{"accountId":"acc","freeModelIds":["f1","f2"]}'])
  past.boughtNano = 10n
  clock.nowMs += 10_000
  assert.equal((await ask()).headers['x-ratelimit-remaining'], '1')
  assert.deepEqual(await rates.freeDay('acc', 'gold'), { limit: 4, used: 3, resetMs: Date.UTC(2026, 10, 21) })
  clock.nowMs += 100_000
  await ask()
  assert.equal(past.asked.filter((one) => one === 'purchased').length, 2)
})

test('a long window begins with what happened before, read once however many wait for it', async () => {
  const past = pastOf(0n, 3)
  const { rates } = limitsOver(settingsOf({ models: new Map([['m', limits({ rp5h: 5, rpd: 9 })]]) }), past)
  const answers = await Promise.all([1, 2, 3].map(() => rates.admit(REQUEST, 0, false)))
  assert.deepEqual(
    answers.map((one) => one!.error?.code),
    [undefined, undefined, 'rate_limit_exceeded'],
  )
  // One for each of the two windows.
  assert.equal(past.asked.length, 2)
  assert.ok(!(rates.admit(REQUEST, 0, false) instanceof Promise))
})

test('a past that cannot be read refuses, and is asked for again', async () => {
  let isDown = true
  const down: LimitHistory = {
    requests: async () => (isDown ? Promise.reject(new Error('down')) : []),
    purchased: async () => 0n,
  }
  const { rates } = limitsOver(settingsOf({ models: new Map([['m', limits({ rpd: 1 })]]) }), down)
  await assert.rejects(async () => rates.admit(REQUEST, 0, false), /down/)
  isDown = false
  assert.equal((await rates.admit(REQUEST, 0, false))!.error, null)
})

test('a reset is written as OpenAI writes it', () => {
  assert.deepEqual([0, 20, 1000, 59_001, 61_000, 3_723_000].map(durationText), [
    '0ms',
    '20ms',
    '1s',
    '1m0s',
    '1m1s',
    '1h2m3s',
  ])
})
