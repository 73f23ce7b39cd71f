import { GatewayError } from '#base/errors.ts'
import { id as newId } from '#base/ids.ts'
import type { NanoUsd } from '#base/money.ts'
import { budgetFundsOf } from '#ledger/budget-statements.ts'
import { type BudgetScope, budgetsOf, leftOf, spentOf } from '#ledger/budgets.ts'
import { createPeriodClock, endOf, type PeriodClock, type PeriodStarts } from '#ledger/periods.ts'
import type { BudgetTable } from '#store/billing-schema.ts'
import { AMOUNT_NANO_MAX } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'

export interface Budget {
  readonly id: string
  readonly accountId: string
  readonly scope: BudgetScope
  readonly target: string
  readonly maxNano: NanoUsd
  readonly period: BudgetTable['period']
  readonly hard: boolean
  readonly setBy: BudgetTable['set_by'] | 'file'
  readonly startsMs: number
  readonly createdMs: number
  /** Within the current period, without what is held. */
  readonly spentNano: NanoUsd
  readonly leftNano: NanoUsd
  readonly resetMs: number | null
}

/** `target` is the id of a key, group or model, or the name of a system; empty for the account. */
export type NewBudgetWish = Pick<Budget, 'accountId' | 'scope' | 'target' | 'maxNano' | 'period' | 'hard'> & {
  readonly setBy: BudgetEditor
  /** Null: from now on. */
  readonly startsMs: number | null
}

/** Whoever asks: the account sees all of its budgets, and changes those that it set itself; nobody changes those of the file. */
export type BudgetEditor = BudgetTable['set_by']

export interface Budgets {
  /** Throws GatewayError('invalid_parameter' | 'state_conflict'). */
  create(wish: NewBudgetWish): Promise<Budget>
  list(accountId: string): Promise<readonly Budget[]>
  /** Those that a request of this key counts against, whatever its model and group. */
  ofCaller(accountId: string, key: { id: string; system: string | null } | null): Promise<readonly Budget[]>
  /** Throws GatewayError('not_found'), and ('permission_denied') for one that the operator or the configuration file set. */
  change(
    accountId: string,
    id: string,
    change: { maxNano?: NanoUsd | undefined; hard?: boolean | undefined },
    editor: BudgetEditor,
  ): Promise<Budget>
  remove(accountId: string, id: string, editor: BudgetEditor): Promise<void>
}

/** Budgets over a store (R97). What they count is held and spent by the ledger, in one step with the balance. */
export function createBudgets(store: Store, now: () => number, periods: PeriodClock = createPeriodClock()): Budgets {
  const list = async (accountId: string): Promise<readonly Budget[]> => {
    const rows = await store.read
      .selectFrom('budgets')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('created_ms')
      .orderBy('id')
      .execute()
    const starts = periods(now())
    return rows.map((row) => budgetOf(row, starts))
  }
  const existing = async (accountId: string, id: string, editor: BudgetEditor): Promise<Budget> => {
    const found = (await list(accountId)).find((budget) => budget.id === id)
    if (!found) throw new GatewayError('not_found', 'There is no such budget.')
    if (found.setBy === 'file') {
      throw new GatewayError('permission_denied', 'The configuration file sets this budget; change it there.')
    }
    if (editor === 'operator' || found.setBy === 'account') return found
    throw new GatewayError('permission_denied', 'The operator set this budget; only the operator changes it.')
  }
  return {
    async create({ accountId, scope, target, maxNano, period, hard, setBy, startsMs }) {
      checkMax(maxNano)
      if ((scope === 'account') !== (target === '')) {
        throw invalid('target', 'Every budget but that of the account names its key, system, group or model.')
      }
      const id = newId('bud')
      const own = { id, account_id: accountId, scope, target, max_nano: maxNano, period, hard: hard ? 1 : 0 }
      const at = now()
      await store.execute('createBudget', { ...own, set_by: setBy, starts_ms: startsMs ?? at, created_ms: at })
      return (await list(accountId)).find((budget) => budget.id === id)!
    },
    list,
    async ofCaller(accountId, key) {
      const all = await list(accountId)
      const ask = { keyId: key?.id ?? null, system: key?.system ?? null, groupId: null, modelId: null }
      const funds = all.map((one) => ({ ...one, heldNano: 0n, periodStartMs: 0 }))
      const meant = new Set(budgetsOf(funds, ask, now()).map(({ id }) => id))
      return all.filter(({ id }) => meant.has(id))
    },
    async change(accountId, id, { maxNano, hard }, editor) {
      const before = await existing(accountId, id, editor)
      if (maxNano !== undefined) checkMax(maxNano)
      const next = { maxNano: maxNano ?? before.maxNano, hard: (hard ?? before.hard) ? 1 : 0 }
      await store.execute('changeBudget', { id, accountId, ...next })
      return existing(accountId, id, editor)
    },
    async remove(accountId, id, editor) {
      await existing(accountId, id, editor)
      await store.execute('removeBudget', { id, accountId })
    },
  }
}

function budgetOf(row: BudgetTable, starts: PeriodStarts): Budget {
  const funds = budgetFundsOf(row)
  return {
    id: row.id,
    accountId: row.account_id,
    scope: row.scope,
    target: row.target,
    maxNano: row.max_nano,
    period: row.period,
    hard: row.hard !== 0,
    setBy: row.file_entry === null ? row.set_by : 'file',
    startsMs: row.starts_ms,
    createdMs: row.created_ms,
    spentNano: spentOf(funds, starts),
    leftNano: leftOf(funds, starts),
    resetMs: endOf(row.period, starts),
  }
}

function checkMax(maxNano: NanoUsd): void {
  if (maxNano >= 0n && maxNano <= AMOUNT_NANO_MAX) return
  throw invalid('max_usd', 'A budget is an amount from 0 to a billion USD.')
}

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
