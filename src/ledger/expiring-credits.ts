/**
 * Credits that end (R90): what is left of one at its time leaves the balance, once. Usage draws on the credit that ends first.
 * How much each has left is not counted with every request: an account's usage only grows, so that the difference since the
 * last change of its credits is spread over them when one is added or ends.
 */
import type { Command } from '#store/command.ts'
import type { ExpiringCreditTable } from '#store/schema.ts'
import { run, runAll, statement, step, type Work } from '#store/statement.ts'
import { type EntryArgs, postEntry } from './commands.ts'

/** Entries that are looked at in one go for usage from behind the end of a credit. */
export const LATE_ENTRIES_PAGE = 500
/** Entries stand in the order of their commits, and their times may differ from it by as much as nodes' clocks do. */
const CLOCKS_APART_MS = 60_000

const findOpen = statement<'account'>()((db, param) =>
  db
    .selectFrom('expiring_credits')
    .selectAll()
    .where('account_id', '=', param('account'))
    .where('closed_ms', 'is', null)
    .orderBy('expires_ms')
    .orderBy('id'),
)

const findSums = statement<'account'>()((db, param) =>
  db.selectFrom('accounts').select(['used_nano', 'balance_nano']).where('id', '=', param('account')),
)

const findEntries = statement<'account' | 'before'>()((db, param) =>
  db
    .selectFrom('ledger_entries')
    .select(['seq', 'type', 'amount_nano', 'created_ms'])
    .where('account_id', '=', param('account'))
    .where('seq', '<', param('before'))
    .orderBy('seq', 'desc')
    .limit(LATE_ENTRIES_PAGE),
)

const insertCredit = statement<'id' | 'account' | 'amount' | 'mark' | 'expires'>()((db, param) =>
  db.insertInto('expiring_credits').values({
    id: param('id'),
    account_id: param('account'),
    amount_nano: param('amount'),
    spent_nano: 0n,
    mark_nano: param('mark'),
    expires_ms: param('expires'),
    closed_ms: null,
  }),
)

const writeCredit = statement<'id' | 'spent' | 'mark' | 'closed'>()((db, param) =>
  db
    .updateTable('expiring_credits')
    .set({ spent_nano: param('spent'), mark_nano: param('mark'), closed_ms: param('closed') })
    .where('id', '=', param('id')),
)

export interface ExpiringCreditArgs extends EntryArgs {
  /** Of the credit. */
  readonly id: string
  readonly expiresMs: number
}

/** Posts a credit that ends at `expiresMs`. Gives the entry's number and the balance after it. */
export const creditUntil: Command<ExpiringCreditArgs, { seq: number; balanceNano: bigint }> = {
  *work(args) {
    const { accountId: account, id, amountNano: amount, expiresMs: expires, nowMs } = args
    const { credits, usedNano } = yield* expireDue(account, nowMs)
    spread(credits, usedNano)
    yield* write(credits)
    const posted = yield* postEntry(args)
    yield* run(insertCredit, { id, account, amount, mark: usedNano, expires })
    return posted
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

/** Takes what is left of an account's credits that have ended. Gives how much that was. */
export const expireCredits: Command<{ accountId: string; nowMs: number }, bigint> = {
  *work({ accountId, nowMs }) {
    const { credits, expiredNano } = yield* expireDue(accountId, nowMs)
    yield* write(credits)
    return expiredNano
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

/** As a row, to be counted on. */
export type Credit = { -readonly [Name in keyof ExpiringCreditTable]: ExpiringCreditTable[Name] }

interface Due {
  /** All that were open, the one that ends first in front. */
  readonly credits: readonly Credit[]
  readonly usedNano: bigint
  readonly expiredNano: bigint
}

function* expireDue(account: string, nowMs: number): Work<Due> {
  const { rows: open } = yield* run(findOpen, { account })
  const { rows: sums } = yield* run(findSums, { account })
  const { used_nano: usedNano = 0n, balance_nano: balance = 0n } = sums[0] ?? {}
  const credits = open.map((row): Credit => ({ ...row }))
  let balanceNano = balance
  let expiredNano = 0n
  for (const credit of credits) {
    if (credit.expires_ms > nowMs) break
    spread(credits, usedNano - (yield* usedBehind(account, credit.expires_ms)))
    credit.closed_ms = nowMs
    // What was used after the end, or taken by hand, may have been this money; a balance never falls below zero for it.
    const leftNano = smaller(credit.amount_nano - credit.spent_nano, balanceNano)
    if (leftNano <= 0n) continue
    balanceNano -= leftNano
    expiredNano += leftNano
    const reason = {
      type: 'expiry',
      note: `credit ${credit.id}`,
      actor: 'gateway',
      paymentRef: `expiry:${credit.id}`,
    } as const
    yield* postEntry({ accountId: account, amountNano: -leftNano, nowMs, ...reason })
  }
  return { credits, usedNano, expiredNano }
}

/** Draws what was used since the last time on the open credits, the one that ends first in front. */
export function spread(credits: readonly Credit[], usedNano: bigint): void {
  const open = credits.filter(({ closed_ms: closed }) => closed === null)
  const mark = open[0]?.mark_nano
  if (mark === undefined || usedNano <= mark) return
  let rest = usedNano - mark
  for (const credit of open) {
    const drawn = smaller(rest, credit.amount_nano - credit.spent_nano)
    credit.spent_nano += drawn
    credit.mark_nano = usedNano
    rest -= drawn
  }
}

/** What an account used after a moment: few entries, because credits are looked after soon. */
function* usedBehind(account: string, sinceMs: number): Work<bigint> {
  let used = 0n
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    const { rows } = yield* run(findEntries, { account, before })
    for (const { type, created_ms: at, amount_nano: amount } of rows) {
      if (type === 'usage' && at > sinceMs) used -= amount
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < LATE_ENTRIES_PAGE) return used
    if (last.created_ms < sinceMs - CLOCKS_APART_MS) return used
    before = last.seq
  }
}

function* write(credits: readonly Credit[]): Work<void> {
  if (credits.length === 0) return
  yield* runAll(
    credits.map(({ id, spent_nano: spent, mark_nano: mark, closed_ms: closed }) =>
      step(writeCredit, { id, spent, mark, closed }),
    ),
  )
}

const smaller = (left: bigint, right: bigint): bigint => (left < right ? left : right)
