import { formatUsd, type NanoUsd } from '#base/money.ts'
import { spentOf, startOf } from '#ledger/budgets.ts'
import { endOf, spentInPeriod } from '#ledger/periods.ts'
import type { PeriodStarts } from '#ledger/periods.ts'
import type { Store } from '#store/store.ts'
import { type AlertDefaults, type AlertView, type Due, settingsOf } from './alert-settings.ts'
import { dueAbsorbed, dueErrorRates, dueKeyShares, dueSpikes } from './spend-alerts.ts'

const MARKS_AT_ONCE = 500

/** What the database says has become due and was not raised yet (R98). */
export async function dueAlerts(
  store: Store,
  nowMs: number,
  starts: PeriodStarts,
  defaults: AlertDefaults,
): Promise<Due[]> {
  const rows = await store.read.selectFrom('alert_settings').selectAll().execute()
  const settings = new Map(rows.map((row) => [row.account_id, row]))
  const view = { nowMs, starts, defaults, settings }
  const due = [
    ...(await dueBudgets(store, view)),
    ...(await dueKeys(store, view)),
    ...(await dueBalances(store, view)),
    ...(await dueKeyShares(store, view)),
    ...(await dueSpikes(store, view)),
    ...(await dueErrorRates(store, view)),
    ...(await dueAbsorbed(store, view)),
  ]
  if (due.length === 0) return due
  const marks = due.map(({ mark }) => mark)
  const known = new Set<string>()
  for (let at = 0; at < marks.length; at += MARKS_AT_ONCE) {
    const some = marks.slice(at, at + MARKS_AT_ONCE)
    const found = await store.read.selectFrom('alerts').select('mark').where('mark', 'in', some).execute()
    for (const { mark } of found) known.add(mark)
  }
  return due.filter(({ mark }) => !known.has(mark))
}

async function dueBudgets(store: Store, view: AlertView): Promise<Due[]> {
  const rows = await store.read.selectFrom('budgets').selectAll().where('spent_nano', '>', 0n).execute()
  return rows.flatMap((row) => {
    const { id, account_id: accountId, scope, target, period, max_nano: maxNano, raises } = row
    const funds = { period, spentNano: row.spent_nano, periodStartMs: row.period_start_ms }
    const share = { scope, target, period, maxNano, spentNano: spentOf(funds, view.starts) }
    return crossed(accountId, `budget:${id}:${raises}`, share, view)
  })
}

/** A key's limit is a budget of the key. */
async function dueKeys(store: Store, view: AlertView): Promise<Due[]> {
  const rows = await store.read
    .selectFrom('api_keys as k')
    .innerJoin('key_usage as u', 'u.key_id', 'k.id')
    .selectAll('u')
    .select(['k.account_id', 'k.limit_nano', 'k.limit_reset'])
    .where('k.limit_nano', 'is not', null)
    .where('k.removed_ms', 'is', null)
    .where('u.total_nano', '>', 0n)
    .execute()
  return rows.flatMap((row) => {
    const { key_id: target, account_id: accountId, limit_reset: period } = row
    const maxNano = row.limit_nano!
    const share = { scope: 'key', target, period, maxNano, spentNano: spentInPeriod(row, period, view.starts) }
    return crossed(accountId, `key:${target}:${maxNano}`, share, view)
  })
}

interface Share {
  readonly scope: string
  readonly target: string
  readonly period: 'daily' | 'weekly' | 'monthly' | null
  readonly maxNano: NanoUsd
  readonly spentNano: NanoUsd
}

function crossed(accountId: string, what: string, share: Share, { starts, settings, defaults }: AlertView): Due[] {
  const { scope, target, period, maxNano, spentNano } = share
  const { thresholds } = settingsOf(settings.get(accountId), defaults)
  const resetMs = endOf(period, starts)
  return thresholds
    .filter((threshold) => spentNano > 0n && spentNano * 100n >= maxNano * BigInt(threshold))
    .map((threshold) => ({
      accountId,
      kind: 'budget_threshold',
      mark: `${what}:${startOf(period, starts)}:${threshold}`,
      facts: {
        scope,
        target: target === '' ? null : target,
        threshold,
        spent: formatUsd(spentNano),
        max: formatUsd(maxNano),
        period: period ?? 'none',
        reset_at: resetMs === null ? null : new Date(resetMs).toISOString(),
      },
    }))
}

/** Once until the account is credited again. Where only the operator names an amount, it is meant for those who had some money. */
async function dueBalances(store: Store, { defaults, settings }: AlertView): Promise<Due[]> {
  const usual = defaults.balanceBelowNano
  if (usual === null && settings.size === 0) return []
  const rows = await store.read
    .selectFrom('accounts as a')
    .leftJoin('alert_settings as s', 's.account_id', 'a.id')
    .select(['a.id', 'a.balance_nano', 'a.credited_nano', 's.balance_below_nano'])
    .where((where) =>
      where.or([
        where('a.balance_nano', '<', where.ref('s.balance_below_nano')),
        ...(usual === null
          ? []
          : [
              where.and([
                where('s.balance_below_nano', 'is', null),
                where('a.mode', '=', 'prepaid'),
                where('a.credited_nano', '>', 0n),
                where('a.balance_nano', '<', usual),
              ]),
            ]),
      ]),
    )
    .execute()
  return rows.map(({ id, balance_nano: balance, credited_nano: credited, balance_below_nano: own }) => {
    const below = own ?? usual!
    return {
      accountId: id,
      kind: 'balance_low',
      mark: `balance:${id}:${below}:${credited}`,
      facts: { balance: formatUsd(balance), below: formatUsd(below) },
    }
  })
}
