import { createHash } from 'node:crypto'
import type { NanoUsd } from '#base/money.ts'
import type { BudgetScope } from '#ledger/budgets.ts'
import type { BudgetTable, FileBudgetTable } from '#store/billing-schema.ts'
import type { Store } from '#store/store.ts'

/** A budget as the configuration file sets it. */
export interface BudgetRule {
  /** Id or e-mail address of an account; null: every account has one of its own. */
  readonly account: string | null
  readonly scope: BudgetScope
  /** Id or hash of a key, id of a group or model, name of a system; empty for the account. */
  readonly target: string
  readonly maxNano: NanoUsd
  readonly period: BudgetTable['period']
  readonly hard: boolean
  /** Nothing before counts; 0: from the beginning. */
  readonly startsMs: number
}

export interface FileBudgets {
  /** Puts these budgets in the place of those that the file set before. Rejects when the store does. */
  apply(rules: readonly BudgetRule[]): Promise<void>
  /** Does again what failed. */
  retry(): Promise<void>
}

/** Accounts that are changed at a time. */
const ACCOUNTS_AT_ONCE = 100

/**
 * The budgets of the configuration file, kept as rows beside those of the API: the ledger decides on both in the same step.
 * Every node does the same with the same file. `onUnknown` hears of a key or an account that a rule names in vain.
 */
export function createFileBudgets(
  store: Store,
  now: () => number,
  onUnknown: (rule: Pick<BudgetRule, 'account' | 'scope' | 'target'>) => void = () => {},
): FileBudgets {
  let applying: Promise<void> = Promise.resolve()
  let failed: readonly BudgetRule[] | null = null
  const applyNow = async (rules: readonly BudgetRule[]): Promise<void> => {
    const entries = rules.map(entryOf)
    // First, so that an account that is made meanwhile has them.
    await store.execute('putFileBudgets', { budgets: entries.filter(({ scope }) => scope !== 'key') })
    const accounts = await store.read.selectFrom('accounts').select(['id', 'email']).orderBy('id').execute()
    const keys = await keysOf(store, entries)
    const wanted = new Map<string, FileBudgetTable[]>()
    for (const entry of entries) {
      const owners = ownersOf(entry, accounts, keys)
      if (owners.length === 0) onUnknown(entry)
      for (const { accountId, target } of owners) {
        const budget = { ...entry, target }
        const known = wanted.get(accountId)
        if (known) known.push(budget)
        else wanted.set(accountId, [budget])
      }
    }
    const before = await presentOf(store)
    const changed = accounts.map(({ id }) => id).filter((id) => textOf(wanted.get(id)) !== (before.get(id) ?? ''))
    for (let at = 0; at < changed.length; at += ACCOUNTS_AT_ONCE) {
      await Promise.all(
        changed.slice(at, at + ACCOUNTS_AT_ONCE).map((accountId) => {
          const budgets = wanted.get(accountId) ?? []
          return store.execute('putAccountFileBudgets', { accountId, budgets, nowMs: now() })
        }),
      )
    }
  }
  const after = async (before: Promise<void>, rules: readonly BudgetRule[]): Promise<void> => {
    await before
    failed = rules
    await applyNow(rules)
    failed = null
  }
  const apply = (rules: readonly BudgetRule[]): Promise<void> => {
    // One after the other: the last file is the one that holds.
    applying = after(
      applying.catch(() => {}),
      rules,
    )
    return applying
  }
  return {
    apply,
    async retry() {
      if (failed !== null) await apply(failed)
    },
  }
}

interface Owner {
  readonly accountId: string
  readonly target: string
}

function ownersOf(
  { scope, target, account }: FileBudgetTable,
  accounts: readonly { id: string; email: string }[],
  keys: ReadonlyMap<string, Owner>,
): readonly Owner[] {
  if (scope === 'key') {
    const key = keys.get(target)
    return key ? [key] : []
  }
  const meant = account === null ? accounts : accounts.filter(({ id, email }) => id === account || email === account)
  return meant.map(({ id }) => ({ accountId: id, target }))
}

/** The keys that are named, by the name that is used. */
async function keysOf(store: Store, entries: readonly FileBudgetTable[]): Promise<ReadonlyMap<string, Owner>> {
  const names = [...new Set(entries.filter(({ scope }) => scope === 'key').map(({ target }) => target))]
  if (names.length === 0) return new Map()
  const rows = await store.read
    .selectFrom('api_keys')
    .select(['id', 'hash', 'account_id'])
    .where((where) => where.or([where('id', 'in', names), where('hash', 'in', names)]))
    .execute()
  return new Map(
    rows.flatMap(({ id, hash, account_id: accountId }) => [
      [id, { accountId, target: id }] as const,
      [hash, { accountId, target: id }] as const,
    ]),
  )
}

/** What each account has of the file, as one text. */
async function presentOf(store: Store): Promise<ReadonlyMap<string, string>> {
  const rows = await store.read.selectFrom('budgets').selectAll().where('file_entry', 'is not', null).execute()
  const lists = new Map<string, FileBudgetTable[]>()
  for (const { account_id: id, file_entry: entry, ...row } of rows) {
    const list = lists.get(id) ?? []
    lists.set(id, list)
    list.push({ ...row, entry: entry!, account: null })
  }
  return new Map([...lists].map(([id, list]) => [id, textOf(list)]))
}

const textOf = (budgets: readonly FileBudgetTable[] = []): string =>
  budgets
    .map(({ entry, target, max_nano: max, hard, starts_ms: starts }) => `${entry} ${target} ${max} ${hard} ${starts}`)
    .toSorted()
    .join('\n')

/** What it is about makes the entry; how much it allows may change, and what was counted stays. */
function entryOf({ account, scope, target, maxNano, period, hard, startsMs }: BudgetRule): FileBudgetTable {
  const about = JSON.stringify([account, scope, target, period])
  const entry = createHash('sha256').update(about).digest('hex').slice(0, ENTRY_CHARACTERS)
  return { entry, account, scope, target, max_nano: maxNano, period, hard: hard ? 1 : 0, starts_ms: startsMs }
}

const ENTRY_CHARACTERS = 16
