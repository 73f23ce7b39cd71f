import { sql } from 'kysely'
import type { Store } from '#store/store.ts'
import type { AccountEntry, FundsBook, KeyEntry } from './funds-book.ts'
import type { PeriodSums } from './periods.ts'
import { checkPostings, type TrialLine, trialBalance } from './trial-balance.ts'

/** Entries of the book that are compared at once, so that a check does not fill the queue. */
const COMPARED_AT_ONCE_MAX = 100
/** A lease that ended is released by whoever recovers next; longer than this after its end it is forgotten. */
export const LEASE_GRACE_MS = 120_000
/** Charges that are told one by one; more are of the same kind. */
const UNEXPLAINED_TOLD_MAX = 100

export interface Verification {
  readonly accounts: number
  readonly entries: number
  readonly openHolds: number
  readonly trialBalance: readonly TrialLine[]
  /** One sentence per broken invariant; empty when the books are right. */
  readonly problems: readonly string[]
}

/** Sums may be wider than 64 bits only in a corrupt database; then the cast fails, which is a finding as well. */
const sumOf = (column: string) => sql<bigint>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`

/** Checks the invariants of what is stored (R90). `nowMs` is the time that leases are counted by. */
export async function verify({ read }: Store, nowMs: number): Promise<Verification> {
  const booked = await read
    .selectFrom('accounts as a')
    .leftJoin('ledger_entries as e', 'e.account_id', 'a.id')
    .select(['a.id', 'a.balance_nano', 'a.used_nano', sumOf('e.amount_nano').as('sum_nano')])
    .select(
      sql<bigint>`cast(coalesce(sum(case when e.type = 'usage' then -e.amount_nano end), 0) as bigint)`.as(
        'usage_nano',
      ),
    )
    .select(sql<number>`count(e.seq)`.as('entries'))
    .groupBy(['a.id', 'a.balance_nano', 'a.used_nano'])
    .execute()
  const held = await read
    .selectFrom('accounts as a')
    .leftJoin('holds as h', 'h.account_id', 'a.id')
    .select(['a.id', 'a.held_nano', sumOf('h.amount_nano').as('sum_nano'), sql<number>`count(h.request_id)`.as('open')])
    .groupBy(['a.id', 'a.held_nano'])
    .execute()
  const keys = await read
    .selectFrom('key_usage as u')
    .leftJoin('holds as h', 'h.key_id', 'u.key_id')
    .select(['u.key_id', 'u.held_nano', sumOf('h.amount_nano').as('sum_nano')])
    .groupBy(['u.key_id', 'u.held_nano'])
    .execute()
  const problems: string[] = []
  for (const row of booked) {
    if (row.balance_nano !== row.sum_nano)
      problems.push(`${row.id}: balance ${row.balance_nano}, entries ${row.sum_nano}.`)
    if (row.used_nano !== row.usage_nano) problems.push(`${row.id}: used ${row.used_nano}, entries ${row.usage_nano}.`)
  }
  for (const row of held) {
    if (row.held_nano !== row.sum_nano) problems.push(`${row.id}: held ${row.held_nano}, holds ${row.sum_nano}.`)
  }
  for (const row of keys) {
    if (row.held_nano !== row.sum_nano) problems.push(`${row.key_id}: held ${row.held_nano}, holds ${row.sum_nano}.`)
  }
  problems.push(...(await misplaced(read)), ...(await brokenChains(read)), ...(await unexplained(read)))
  problems.push(...(await wrongBudgets(read)), ...(await forgotten(read, nowMs - LEASE_GRACE_MS)))
  const lines = await trialBalance(read)
  problems.push(...(await checkPostings(read, lines)), ...(await uncharged(read)), ...(await overExpired(read)))
  return {
    accounts: booked.length,
    entries: booked.reduce((sum, row) => sum + row.entries, 0),
    openHolds: held.reduce((sum, row) => sum + row.open, 0),
    trialBalance: lines,
    problems,
  }
}

/** Every entry names the balance behind it: a gap or a change in the middle shows, even where the sums are right. */
async function brokenChains(read: Store['read']): Promise<string[]> {
  const sums = read
    .selectFrom('ledger_entries')
    .select(['seq', 'account_id', 'balance_after_nano'])
    .select(sql<bigint>`cast(sum(amount_nano) over (partition by account_id order by seq) as bigint)`.as('sum_nano'))
    .as('e')
  const broken = await read
    .selectFrom(sums)
    .select('e.account_id')
    .select(sql<number>`min(e.seq)`.as('seq'))
    .whereRef('e.balance_after_nano', '<>', 'e.sum_nano')
    .groupBy('e.account_id')
    .execute()
  return broken.map(({ account_id, seq }) => `${account_id}: from entry ${seq} on the balance is not the sum.`)
}

/** A charge and the row that explains it tell the same amount. Rows may be gone by now; then nothing contradicts. */
async function unexplained(read: Store['read']): Promise<string[]> {
  const rows = await read
    .selectFrom('ledger_entries as e')
    .innerJoin('requests as r', 'r.request_id', 'e.request_id')
    .select(['e.request_id', 'e.amount_nano', 'r.charged_cost_nano'])
    .where('e.type', '=', 'usage')
    .where(sql<boolean>`r.charged_cost_nano is null or r.charged_cost_nano <> -e.amount_nano`)
    .limit(UNEXPLAINED_TOLD_MAX)
    .execute()
  return rows.map(
    (row) => `${row.request_id}: charged ${-row.amount_nano}, and its row says ${row.charged_cost_nano ?? 'nothing'}.`,
  )
}

/** What a row says was charged stands in the ledger. */
async function uncharged(read: Store['read']): Promise<string[]> {
  const rows = await read
    .selectFrom('requests as r')
    .leftJoin('ledger_entries as e', (join) =>
      join.onRef('e.request_id', '=', 'r.request_id').on('e.type', '=', 'usage'),
    )
    .select(['r.request_id', 'r.charged_cost_nano'])
    .where('r.charged_cost_nano', '>', 0n)
    .where('e.seq', 'is', null)
    .limit(UNEXPLAINED_TOLD_MAX)
    .execute()
  return rows.map((row) => `${row.request_id}: its row says ${row.charged_cost_nano}, and nothing was charged.`)
}

/** What a budget holds is the sum of the holds that name it. */
async function wrongBudgets(read: Store['read']): Promise<string[]> {
  const rows = await read
    .selectFrom('budgets as b')
    .leftJoin('holds as h', (join) =>
      join
        .onRef('h.account_id', '=', 'b.account_id')
        .on(sql<boolean>`',' || h.budget_ids || ',' like '%,' || b.id || ',%'`),
    )
    .select(['b.id', 'b.held_nano', sumOf('h.amount_nano').as('sum_nano')])
    .groupBy(['b.id', 'b.held_nano'])
    .execute()
  return rows
    .filter((row) => row.held_nano !== row.sum_nano)
    .map((row) => `${row.id}: held ${row.held_nano}, holds ${row.sum_nano}.`)
}

async function forgotten(read: Store['read'], beforeMs: number): Promise<string[]> {
  const rows = await read
    .selectFrom('holds')
    .select('request_id')
    .where('expires_ms', '<', beforeMs)
    .limit(UNEXPLAINED_TOLD_MAX)
    .execute()
  return rows.map(({ request_id: id }) => `${id}: held past its lease.`)
}

/** No credit gives back more at its end than was left of it (R90). */
async function overExpired(read: Store['read']): Promise<string[]> {
  const rows = await read
    .selectFrom('expiring_credits as c')
    .innerJoin('ledger_entries as e', (join) =>
      join.on('e.payment_ref', '=', sql<string>`'expiry:' || c.id`).onRef('e.account_id', '=', 'c.account_id'),
    )
    .select(['c.id', 'c.account_id'])
    .where(sql<boolean>`-e.amount_nano > c.amount_nano - c.spent_nano or c.closed_ms is null`)
    .limit(UNEXPLAINED_TOLD_MAX)
    .execute()
  return rows.map(({ id, account_id }) => `${account_id}: more expired of ${id} than was left of it.`)
}

async function misplaced(read: Store['read']): Promise<string[]> {
  const twice = await read
    .selectFrom('ledger_entries')
    .select('request_id')
    .where('type', '=', 'usage')
    .groupBy('request_id')
    .having(sql<number>`count(*)`, '>', 1)
    .execute()
  const orphans = await read
    .selectFrom('holds as h')
    .leftJoin('accounts as a', 'a.id', 'h.account_id')
    .select('h.request_id')
    .where('a.id', 'is', null)
    .execute()
  const settledAndHeld = await read
    .selectFrom('holds as h')
    .innerJoin('ledger_entries as e', 'e.request_id', 'h.request_id')
    .select('h.request_id')
    .where('e.type', '=', 'usage')
    .execute()
  return [
    ...twice.map((row) => `${row.request_id}: booked more than once.`),
    ...orphans.map((row) => `${row.request_id}: its hold belongs to no account.`),
    ...settledAndHeld.map((row) => `${row.request_id}: booked, yet still held.`),
  ]
}

interface Hold {
  readonly account: AccountEntry
  readonly key: KeyEntry | null
  readonly amountNano: bigint
}

/**
 * Compares a book in memory with the database, one sentence per difference. What the book says when the read is queued is
 * what the read must find, because both are the state behind the same write; entries that wait for a read are left out.
 */
export async function compareBook(store: Store, book: FundsBook, holds: Iterable<Hold>): Promise<string[]> {
  const problems = compareHolds(book, holds)
  const entries = [...book.accounts].map((entry) => () => compareAccount(store, entry))
  const keys = [...book.keys].map((entry) => () => compareKey(store, entry))
  const checks = [...entries, ...keys]
  for (let at = 0; at < checks.length; at += COMPARED_AT_ONCE_MAX) {
    const found = await Promise.all(checks.slice(at, at + COMPARED_AT_ONCE_MAX).map((check) => check()))
    problems.push(...found.filter((problem) => problem !== undefined))
  }
  return problems
}

function compareHolds(book: FundsBook, holds: Iterable<Hold>): string[] {
  const sums = new Map<AccountEntry | KeyEntry, bigint>()
  for (const { account, key, amountNano } of holds) {
    for (const entry of key ? [account, key] : [account]) sums.set(entry, (sums.get(entry) ?? 0n) + amountNano)
  }
  return [...book.accounts, ...book.keys]
    .filter((entry) => entry.holdsNano < (sums.get(entry) ?? 0n))
    .map((entry) => `${entry.id}: the book holds ${entry.holdsNano}, its holds ${sums.get(entry) ?? 0n}.`)
}

async function compareAccount(store: Store, entry: AccountEntry): Promise<string | undefined> {
  if (!entry.current) return undefined
  const { status, mode, balanceNano, creditLimitNano } = entry.funds
  const found = await store.execute('readAccountFunds', { accountId: entry.id })
  const same =
    found?.balanceNano === balanceNano &&
    found.status === status &&
    found.mode === mode &&
    found.creditLimitNano === creditLimitNano
  if (same) return undefined
  return `${entry.id}: balance ${balanceNano} in the book, ${found?.balanceNano} in the database.`
}

async function compareKey(store: Store, entry: KeyEntry): Promise<string | undefined> {
  if (!entry.current) return undefined
  const { disabled, limitNano, limitReset, sums } = entry.funds
  const found = await store.execute('readKeyFunds', { keyId: entry.id })
  const same =
    found?.disabled === disabled &&
    found.limitNano === limitNano &&
    found.limitReset === limitReset &&
    SUMS.every((name) => found.sums[name] === sums[name])
  if (same) return undefined
  return `${entry.id}: spent ${sums.total_nano} in the book, ${found?.sums.total_nano} in the database.`
}

const SUMS = [
  'total_nano',
  'day_start_ms',
  'day_nano',
  'week_start_ms',
  'week_nano',
  'month_start_ms',
  'month_nano',
] as const satisfies readonly (keyof PeriodSums)[]
