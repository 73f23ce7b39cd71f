import { sql } from 'kysely'
import { formatUsd, type NanoUsd } from '#base/money.ts'
import { spentInPeriod } from '#ledger/periods.ts'
import type { Store } from '#store/store.ts'
import { type AlertView, type Due, settingsOf } from './alert-settings.ts'

const HOUR_MS = 3_600_000
/** The hours that a spike is compared with. */
const MEAN_HOURS = 7 * 24

/** Keys that make up so much of what their account spends in a month: once a month each. An account of one key has no share to tell of. */
export async function dueKeyShares(store: Store, view: AlertView): Promise<Due[]> {
  const { starts, settings, defaults } = view
  const isWanted =
    defaults.keySharePercent > 0 || [...settings.values()].some(({ key_share_percent: share }) => share !== null)
  if (!isWanted) return []
  const rows = await store.read
    .selectFrom('api_keys as k')
    .innerJoin('key_usage as u', 'u.key_id', 'k.id')
    .selectAll('u')
    .select(['k.account_id', 'k.removed_ms'])
    .execute()
  const accounts = Map.groupBy(rows, ({ account_id: accountId }) => accountId)
  return [...accounts].flatMap(([accountId, keys]) => {
    const percent = settingsOf(settings.get(accountId), defaults).keySharePercent
    const spent = keys.map((key) => spentInPeriod(key, 'monthly', starts))
    const all = spent.reduce((sum, one) => sum + one, 0n)
    if (percent === 0 || keys.length < 2 || all === 0n || all < defaults.keyShareMinNano) return []
    return keys.flatMap(({ key_id: target, removed_ms: removedMs }, at) => {
      if (removedMs !== null || spent[at]! * 100n < all * BigInt(percent)) return []
      const facts = {
        scope: 'key',
        target,
        threshold: percent,
        spent: formatUsd(spent[at]!),
        max: formatUsd(all),
        period: 'monthly',
        reset_at: new Date(starts.monthEndMs).toISOString(),
      }
      return [{ accountId, kind: 'key_share', mark: `key_share:${target}:${percent}:${starts.monthStartMs}`, facts }]
    })
  })
}

/**
 * Accounts whose last hour cost more than n times the mean hour of the seven days before: once a day each. Counted by the
 * clock's hours, as the rollups are. An account that is younger has no such mean.
 */
export async function dueSpikes(store: Store, view: AlertView): Promise<Due[]> {
  const { nowMs, starts, settings, defaults } = view
  const isWanted = defaults.spikeTimes > 0 || [...settings.values()].some(({ spike_times: times }) => times !== null)
  if (!isWanted) return []
  const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  // The hour before as well: what it ended with may have been folded since.
  const recent = await spentByHour(store, hourMs - HOUR_MS, hourMs + HOUR_MS)
  const due: Due[] = []
  for (const { accountId, startMs, nano } of recent) {
    const times = settingsOf(settings.get(accountId), defaults).spikeTimes
    if (times === 0 || nano === 0n || nano < defaults.spikeMinNano) continue
    const before = await spentBefore(store, accountId, startMs)
    if (before === null || nano * BigInt(MEAN_HOURS) <= before * BigInt(times)) continue
    const facts = {
      scope: 'account',
      threshold: times,
      spent: formatUsd(nano),
      mean: formatUsd(before / BigInt(MEAN_HOURS)),
      hour: new Date(startMs).toISOString(),
      period: 'daily',
      reset_at: new Date(starts.dayEndMs).toISOString(),
    }
    due.push({ accountId, kind: 'spend_spike', mark: `spike:${accountId}:${times}:${starts.dayStartMs}`, facts })
  }
  return due
}

async function spentByHour(
  { read }: Store,
  fromMs: number,
  toMs: number,
): Promise<{ accountId: string; startMs: number; nano: NanoUsd }[]> {
  const rows = await read
    .selectFrom('usage_rollups')
    .select(['account_id', 'start_ms', sql<bigint>`cast(sum(charged_nano) as bigint)`.as('sum_nano')])
    .where('grain_ms', '=', HOUR_MS)
    .where('start_ms', '>=', fromMs)
    .where('start_ms', '<', toMs)
    .where('account_id', '<>', '')
    .groupBy(['account_id', 'start_ms'])
    .execute()
  return rows.map(({ account_id: accountId, start_ms: startMs, sum_nano: nano }) => ({ accountId, startMs, nano }))
}

/** Of the seven days before an hour; null when the account is younger. */
async function spentBefore({ read }: Store, accountId: string, hourMs: number): Promise<NanoUsd | null> {
  const fromMs = hourMs - MEAN_HOURS * HOUR_MS
  const account = await read
    .selectFrom('accounts')
    .select('id')
    .where('id', '=', accountId)
    .where('created_ms', '<=', fromMs)
    .executeTakeFirst()
  if (!account) return null
  const sum = await read
    .selectFrom('usage_rollups')
    .select(sql<bigint>`cast(coalesce(sum(charged_nano), 0) as bigint)`.as('sum_nano'))
    .where('account_id', '=', accountId)
    .where('grain_ms', '=', HOUR_MS)
    .where('start_ms', '>=', fromMs)
    .where('start_ms', '<', hourMs)
    .executeTakeFirstOrThrow()
  return sum.sum_nano
}

/** Accounts for which the operator paid what no balance reached (R94): once a day each, for the operator. */
export async function dueAbsorbed({ read }: Store, { nowMs, starts }: AlertView): Promise<Due[]> {
  const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  const rows = await read
    .selectFrom('usage_rollups')
    .select(['account_id', sql<bigint>`cast(sum(absorbed_nano) as bigint)`.as('sum_nano')])
    .where('grain_ms', '=', HOUR_MS)
    .where('start_ms', '>=', hourMs - HOUR_MS)
    .where('absorbed_nano', '>', 0n)
    .where('account_id', '<>', '')
    .groupBy('account_id')
    .execute()
  return rows.map(({ account_id: account, sum_nano: absorbed }) => ({
    accountId: null,
    kind: 'cost_absorbed',
    mark: `cost_absorbed:${account}:${starts.dayStartMs}`,
    facts: { account, absorbed: formatUsd(absorbed), period: 'daily' },
  }))
}

const MINUTE_MS = 60_000
/** How far the rate of errors looks back. */
const ERROR_RATE_MS = 5 * MINUTE_MS

/** Backends of which so much of the last five minutes went wrong: once an hour each, for the operator. */
export async function dueErrorRates({ read }: Store, { nowMs, defaults }: AlertView): Promise<Due[]> {
  const { errorRatePercent: percent, errorRateAttemptsMin: least } = defaults
  if (percent === 0) return []
  const rows = await read
    .selectFrom('speed_rollups')
    .select(['backend_id', 'metric', sql<number>`cast(sum(count) as bigint)`.as('attempts')])
    .where('grain_ms', '=', MINUTE_MS)
    .where('start_ms', '>=', Math.floor((nowMs - ERROR_RATE_MS) / MINUTE_MS) * MINUTE_MS)
    .where('metric', 'in', ['up', 'down'])
    .groupBy(['backend_id', 'metric'])
    .execute()
  const backends = Map.groupBy(rows, ({ backend_id: id }) => id)
  const hourMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  return [...backends].flatMap(([backend, counts]) => {
    const of = (metric: string): number => Number(counts.find((one) => one.metric === metric)?.attempts ?? 0)
    const [failed, attempts] = [of('down'), of('down') + of('up')]
    if (attempts < least || failed * 100 <= attempts * percent) return []
    const facts = { backend, threshold: percent, failed, attempts, period: '5 minutes' }
    return [{ accountId: null, kind: 'error_rate', mark: `error_rate:${backend}:${percent}:${hourMs}`, facts }]
  })
}
