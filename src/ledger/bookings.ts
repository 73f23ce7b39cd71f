import type { DatabaseSync } from 'node:sqlite'
import { bind } from '#store/bind.ts'
import type { Booking, Bookings } from '#store/booking.ts'
import type { LiveCounter } from '#store/live-count.ts'
import { insertRequest } from '#store/request-columns.ts'
import { spendOnBudget as budgetStatement } from './budget-statements.ts'
import { spendOnSession as sessionStatement } from './session-commands.ts'
import { isSessionId } from './session-funds.ts'
import * as sql from './statements.ts'

interface Balance {
  nano: bigint
  chargedNano: bigint
}

interface Spending {
  chargedNano: bigint
  dayStartMs: number
  weekStartMs: number
  monthStartMs: number
}

/**
 * The writer's half of the ledger on one node (record 9): per settlement two inserts, per batch one read and one update
 * of each account and one update of each key. Only called inside a transaction of `db`; `live` counts its rows.
 */
export function openBookings(db: DatabaseSync, live: LiveCounter): Bookings {
  const prepare = (text: { compiled(engine: 'sqlite'): { sql: string } }) => db.prepare(text.compiled('sqlite').sql)
  const readBalance = prepare(sql.findNano)
  readBalance.setReadBigInts(true)
  readBalance.setReturnArrays(true)
  const insertEntry = prepare(sql.insertUsage)
  const insertRow = prepare(insertRequest)
  const writeBalance = prepare(sql.writeBalance)
  const spendOnKey = sql.spendOnKey.compiled('sqlite')
  const writeSpending = db.prepare(spendOnKey.sql)
  const balances = new Map<string, Balance>()
  const spent = new Map<string, Spending>()
  const spendBudgets = budgetSpender(db)

  const balanceOf = (account: string): Balance | undefined => {
    let balance = balances.get(account)
    if (balance) return balance
    const cells = readBalance.get(account) as unknown as [bigint] | undefined
    if (!cells) return undefined
    balance = { nano: cells[0], chargedNano: 0n }
    balances.set(account, balance)
    return balance
  }

  const flushKey = (key: string, spending: Spending): void => {
    const { chargedNano: charged, dayStartMs: day, weekStartMs: week, monthStartMs: month } = spending
    writeSpending.run(...bind(spendOnKey, { key, held: 0n, charged, day, week, month }))
  }

  const spend = (key: string, chargedNano: bigint, dayStartMs: number, weekStartMs: number, monthStartMs: number) => {
    const last = spent.get(key)
    if (last && last.dayStartMs === dayStartMs) {
      last.chargedNano += chargedNano
      return
    }
    // A batch over midnight counts into two periods, in their order.
    if (last) flushKey(key, last)
    spent.set(key, { chargedNano, dayStartMs, weekStartMs, monthStartMs })
  }

  return {
    book([row, requestId, account, key, chargedNano, balanceNano, nowMs, day, week, month, budgets, facts]: Booking) {
      const balance = balanceOf(account)
      if (!balance || balance.nano - chargedNano !== balanceNano) return false
      if (insertEntry.run(account, -chargedNano, balanceNano, requestId, nowMs).changes === 0) return false
      live.note(insertRow.run(...row), row, facts)
      balance.nano = balanceNano
      balance.chargedNano += chargedNano
      if (key !== null) spend(key, chargedNano, day, week, month)
      if (budgets) spendBudgets(budgets, chargedNano, nowMs, day, week, month)
      return true
    },
    finish() {
      for (const [account, { nano, chargedNano }] of balances) {
        if (chargedNano !== 0n) writeBalance.run(nano, chargedNano, account)
      }
      for (const [key, spending] of spent) flushKey(key, spending)
      balances.clear()
      spent.clear()
    },
    forget() {
      balances.clear()
      spent.clear()
    },
  }
}

type SpendBudgets = (ids: string, charged: bigint, now: number, day: number, week: number, month: number) => void

/** Budgets and sessions are few and seldom: each is written at once. */
function budgetSpender(db: DatabaseSync): SpendBudgets {
  const onBudget = budgetStatement.compiled('sqlite')
  const writeBudget = db.prepare(onBudget.sql)
  const onSession = sessionStatement.compiled('sqlite')
  const writeSession = db.prepare(onSession.sql)
  return (ids, charged, now, day, week, month) => {
    for (const id of ids.split(',')) {
      if (isSessionId(id)) writeSession.run(...bind(onSession, { id, held: 0n, charged, count: 1, now }))
      else writeBudget.run(...bind(onBudget, { budget: id, held: 0n, charged, day, week, month }))
    }
  }
}
