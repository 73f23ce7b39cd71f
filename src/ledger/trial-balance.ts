import { sql } from 'kysely'
import type { Store } from '#store/store.ts'

/** One account of the trial balance: all customers together, or one of ours. Credits are what it is owed or has earned. */
export interface TrialLine {
  readonly account: string
  readonly debitNano: bigint
  readonly creditNano: bigint
}

export const CUSTOMERS = 'customers'
/** Credits that an operator booked for money that no provider reports. */
const MANUAL = 'cash:manual'

const debits = sql<bigint>`cast(coalesce(sum(case when amount_nano < 0 then -amount_nano end), 0) as bigint)`
const credits = sql<bigint>`cast(coalesce(sum(case when amount_nano > 0 then amount_nano end), 0) as bigint)`
const sum = (column: string) => sql<bigint>`cast(coalesce(sum(${sql.ref(column)}), 0) as bigint)`

/** Debits and credits of every account, ours by name (B1). They are equal in sum, or the books are wrong. */
export async function trialBalance(read: Store['read']): Promise<readonly TrialLine[]> {
  const account = sql<string>`case when account like 'customer:%' then ${sql.lit(CUSTOMERS)} else account end`
  const rows = await read
    .selectFrom('ledger_postings')
    .select([account.as('name'), debits.as('debit_nano'), credits.as('credit_nano')])
    .groupBy(account)
    .orderBy('name')
    .execute()
  return rows.map(({ name, debit_nano, credit_nano }) => ({
    account: name,
    debitNano: debit_nano,
    creditNano: credit_nano,
  }))
}

/** Holds our accounts against what is known of them elsewhere, one sentence per difference. */
export async function checkPostings(read: Store['read'], lines: readonly TrialLine[]): Promise<string[]> {
  const rest = lines.reduce((all, { creditNano, debitNano }) => all + creditNano - debitNano, 0n)
  const problems = rest === 0n ? [] : [`The postings sum to ${rest}.`]
  problems.push(...(await halfEntries(read)), ...(await wrongVouchers(read)), ...(await wrongCash(read, lines)))
  return problems
}

async function halfEntries(read: Store['read']): Promise<string[]> {
  const { entries, postings } = await read
    .selectNoFrom((select) => [
      select
        .selectFrom('ledger_entries')
        .select(sql<number>`count(*)`.as('count'))
        .as('entries'),
      select
        .selectFrom('ledger_postings')
        .select(sql<number>`count(*)`.as('count'))
        .as('postings'),
    ])
    .executeTakeFirstOrThrow()
  return postings === 2 * entries! ? [] : [`${entries} entries have ${postings} postings.`]
}

async function wrongVouchers(read: Store['read']): Promise<string[]> {
  // One statement sees one moment, whatever is redeemed meanwhile.
  const row = await read
    .selectFrom('vouchers')
    .select(sum('amount_nano').as('redeemed_nano'))
    .select((select) =>
      select
        .selectFrom('ledger_postings')
        .select(sum('amount_nano').as('sum'))
        .where('account', '=', 'vouchers')
        .as('posted_nano'),
    )
    .where('redeemed_by', 'is not', null)
    .executeTakeFirstOrThrow()
  const postedNano = -row.posted_nano!
  if (postedNano === row.redeemed_nano) return []
  return [`vouchers: posted ${postedNano}, redeemed ${row.redeemed_nano}.`]
}

/** What was posted for a channel is what its orders say was paid and not given back. */
async function wrongCash(read: Store['read'], lines: readonly TrialLine[]): Promise<string[]> {
  const rows = await read
    .selectFrom('payment_orders as o')
    .select('o.channel')
    .select(
      sql<bigint>`cast(sum(case when o.status = 'paid'
        then o.paid_nano - o.refund_booked_nano - o.dispute_booked_nano else 0 end) as bigint)`.as('paid_nano'),
    )
    .select((select) =>
      select
        .selectFrom('ledger_postings as p')
        .select(sum('p.amount_nano').as('sum'))
        .where('p.account', '=', sql<string>`'cash:' || o.channel`)
        .as('posted_nano'),
    )
    .groupBy('o.channel')
    .execute()
  const known = new Set([MANUAL, ...rows.map(({ channel }) => `cash:${channel}`)])
  return [
    ...rows
      .filter((row) => row.posted_nano !== -row.paid_nano)
      .map((row) => `cash:${row.channel}: posted ${-row.posted_nano!}, paid ${row.paid_nano}.`),
    ...lines
      .filter(({ account }) => account.startsWith('cash:') && !known.has(account))
      .map(({ account }) => `${account}: no order came this way.`),
  ]
}
