import { sql } from 'kysely'
import { GatewayError } from '#base/errors.ts'
import { formatUsd, type NanoUsd } from '#base/money.ts'
import type { EntryType } from '#ledger/types.ts'
import type { StatementTable } from '#store/billing-schema.ts'
import type { Store } from '#store/store.ts'

/** A month is closed this long after its end, when whatever was still under way is booked. */
export const CLOSE_DELAY_MS = 3_600_000
const CLOSE_TRIES_MAX = 5
const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/

/** One line of usage; null is what no row tells any more. */
export interface UsageLine {
  readonly model: string | null
  readonly vendor: string | null
  readonly key: string | null
  readonly system: string | null
  readonly requests: number
  readonly amount: string
}

export interface Total {
  readonly name: string | null
  readonly requests: number
  readonly amount: string
}

/** A month of an account (R99). Amounts are decimal strings, usage positive. */
export interface AccountStatement {
  /** Null until the month is closed. */
  readonly number: string | null
  readonly month: string
  readonly account: { readonly id: string; readonly email: string }
  readonly currency: string
  readonly from: string
  readonly to: string
  readonly opening_balance: string
  /** Signed sums of the month's entries, by their type. */
  readonly entries: readonly { readonly type: EntryType; readonly count: number; readonly amount: string }[]
  readonly topups: string
  readonly usage: string
  /** Not computed. */
  readonly taxes: '0'
  readonly closing_balance: string
  readonly usage_by_model: readonly Total[]
  readonly usage_by_vendor: readonly Total[]
  readonly usage_by_key: readonly Total[]
  readonly usage_by_system: readonly Total[]
  readonly lines: readonly UsageLine[]
}

export interface AccountStatements {
  /** Months with entries, newest first, with the numbers of those that are closed. */
  list(accountId: string): Promise<readonly { month: string; number: string | null }[]>
  /** Throws GatewayError('invalid_parameter') for what is no month, ('not_found') for one that has not begun. */
  read(account: { id: string; email: string }, month: string): Promise<AccountStatement>
}

/** Statements over the ledger. A closed one is stored as it was and never computed again. */
export function createAccountStatements(store: Store, currency: string, now: () => number): AccountStatements {
  return {
    async list(accountId) {
      const closed = await store.read
        .selectFrom('statements')
        .select(['month', 'number'])
        .where('account_id', '=', accountId)
        .execute()
      const numbers = new Map(closed.map(({ month, number }) => [month, number]))
      const { first_ms: firstMs } = await store.read
        .selectFrom('ledger_entries')
        .select(({ fn }) => fn.min('created_ms').as('first_ms'))
        .where('account_id', '=', accountId)
        .executeTakeFirstOrThrow()
      if (firstMs === null) return []
      return monthsFrom(Number(firstMs), now()).map((month) => ({ month, number: numbers.get(month) ?? null }))
    },
    async read(account, month) {
      const { fromMs, toMs } = boundsOf(month)
      const nowMs = now()
      if (fromMs > nowMs) throw new GatewayError('not_found', 'This month has not begun.')
      const closed = await findClosed(store, account.id, month)
      if (closed) return withNumber(closed)
      const open = await compute(store, account, month, currency)
      if (nowMs < toMs + CLOSE_DELAY_MS) return open
      return withNumber(await close(store, open, nowMs))
    },
  }
}

const findClosed = (store: Store, accountId: string, month: string): Promise<StatementTable | undefined> =>
  store.read
    .selectFrom('statements')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('month', '=', month)
    .executeTakeFirst()

const withNumber = ({ number, body }: StatementTable): AccountStatement => ({
  ...(JSON.parse(body) as AccountStatement),
  number,
})

async function close(store: Store, open: AccountStatement, nowMs: number): Promise<StatementTable> {
  const row = { account_id: open.account.id, month: open.month, body: JSON.stringify(open), closed_ms: nowMs }
  for (let tries = 1; ; tries++) {
    try {
      return await store.execute('closeStatement', row)
    } catch (thrown) {
      const isTaken = thrown instanceof GatewayError && thrown.code === 'state_conflict'
      if (!isTaken || tries >= CLOSE_TRIES_MAX) throw thrown
    }
  }
}

interface Group {
  readonly type: EntryType
  readonly model_id: string | null
  readonly vendor: string | null
  readonly key_id: string | null
  readonly system: string | null
  readonly count: number
  readonly amount_nano: NanoUsd
}

/** All sums of a statement come from one read of the month, so that they agree whatever is booked meanwhile. */
async function compute(
  store: Store,
  account: { id: string; email: string },
  month: string,
  currency: string,
): Promise<AccountStatement> {
  const { fromMs, toMs } = boundsOf(month)
  const groups = await readGroups(store, account.id, fromMs, toMs)
  const openingNano = await sumBefore(store, account.id, fromMs)
  const sumOf = (some: readonly Group[]): NanoUsd => some.reduce((sum, { amount_nano: amount }) => sum + amount, 0n)
  const usage = groups.filter(({ type }) => type === 'usage')
  const types = [...new Set(groups.map(({ type }) => type))].toSorted()
  return {
    number: null,
    month,
    account: { id: account.id, email: account.email },
    currency,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    opening_balance: formatUsd(openingNano),
    entries: types.map((type) => {
      const some = groups.filter((group) => group.type === type)
      return { type, count: countOf(some), amount: formatUsd(sumOf(some)) }
    }),
    topups: formatUsd(sumOf(groups.filter(({ type }) => type === 'topup' || type === 'grant'))),
    usage: formatUsd(-sumOf(usage)),
    taxes: '0',
    closing_balance: formatUsd(openingNano + sumOf(groups)),
    usage_by_model: totalsBy(usage, ({ model_id: model }) => model),
    usage_by_vendor: totalsBy(usage, ({ vendor }) => vendor),
    usage_by_key: totalsBy(usage, ({ key_id: key }) => key),
    usage_by_system: totalsBy(usage, ({ system }) => system),
    lines: usage.map((group) => ({
      model: group.model_id,
      vendor: group.vendor,
      key: group.key_id,
      system: group.system,
      requests: group.count,
      amount: formatUsd(-group.amount_nano),
    })),
  }
}

async function readGroups(store: Store, accountId: string, fromMs: number, toMs: number): Promise<Group[]> {
  const vendor =
    store.engine === 'sqlite'
      ? sql<string | null>`json_extract(r.detail, '$.vendor')`
      : sql<string | null>`r.detail::json ->> 'vendor'`
  const rows = await store.read
    .selectFrom('ledger_entries as e')
    .leftJoin('requests as r', (join) => join.onRef('r.request_id', '=', 'e.request_id').on('e.type', '=', 'usage'))
    .select(['e.type', 'r.model_id', 'r.key_id', 'r.system'])
    .select(vendor.as('vendor'))
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .select(sql<bigint>`cast(sum(e.amount_nano) as bigint)`.as('amount_nano'))
    .where('e.account_id', '=', accountId)
    .where('e.created_ms', '>=', fromMs)
    .where('e.created_ms', '<', toMs)
    .groupBy(['e.type', 'r.model_id', 'r.key_id', 'r.system', vendor])
    .orderBy('e.type')
    .orderBy('r.model_id')
    .orderBy('r.key_id')
    .orderBy('r.system')
    .execute()
  return rows.map((row) => ({ ...row, count: Number(row.count) }))
}

async function sumBefore({ read }: Store, accountId: string, beforeMs: number): Promise<NanoUsd> {
  const { sum_nano: sum } = await read
    .selectFrom('ledger_entries')
    .select(sql<bigint>`cast(coalesce(sum(amount_nano), 0) as bigint)`.as('sum_nano'))
    .where('account_id', '=', accountId)
    .where('created_ms', '<', beforeMs)
    .executeTakeFirstOrThrow()
  return sum
}

function totalsBy(groups: readonly Group[], nameOf: (group: Group) => string | null): Total[] {
  const totals = new Map<string | null, { requests: number; nano: NanoUsd }>()
  for (const group of groups) {
    const name = nameOf(group)
    const total = totals.get(name) ?? { requests: 0, nano: 0n }
    totals.set(name, { requests: total.requests + group.count, nano: total.nano - group.amount_nano })
  }
  return [...totals]
    .toSorted(([, left], [, right]) => (left.nano < right.nano ? 1 : left.nano > right.nano ? -1 : 0))
    .map(([name, { requests, nano }]) => ({ name, requests, amount: formatUsd(nano) }))
}

const countOf = (groups: readonly Group[]): number => groups.reduce((sum, { count }) => sum + count, 0)

function boundsOf(month: string): { fromMs: number; toMs: number } {
  const match = MONTH.exec(month)
  if (!match) throw new GatewayError('invalid_parameter', 'A month is written as 2026-11.', { param: 'month' })
  const [year, number] = [Number(match[1]), Number(match[2])]
  return { fromMs: Date.UTC(year, number - 1, 1), toMs: Date.UTC(year, number, 1) }
}

function monthsFrom(firstMs: number, nowMs: number): string[] {
  const months: string[] = []
  const end = new Date(nowMs)
  for (const at = new Date(firstMs); ;) {
    const month = at.toISOString().slice(0, 7)
    if (month > end.toISOString().slice(0, 7)) return months.toReversed()
    months.push(month)
    at.setUTCMonth(at.getUTCMonth() + 1, 1)
  }
}
