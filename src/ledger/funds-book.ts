/**
 * The funds of the accounts and keys in use, in memory, for the one process that owns the database (record 9).
 *
 * The book is always the state behind the last write that was queued. That is exact because the writer is a queue: a read
 * that goes through it sees every write queued before and none queued after. So each entry is marked when a command that may
 * touch it is queued; what was read before the mark is thrown away, and until a read from behind the mark has answered
 * nothing is decided on that entry.
 */
import { storeUnavailable } from '#store/failure.ts'
import type { Store } from '#store/store.ts'
import { type BudgetFunds, NO_BUDGETS, spendOn } from './budgets.ts'
import type { AccountFunds, KeyFunds } from './funds.ts'
import { addSpent, NO_SUMS } from './periods.ts'
import type { PeriodStarts } from './periods.ts'
import { touchedBy } from './touched.ts'
import type { Touched } from './touched.ts'

/** Accounts, and likewise keys, kept in memory: about half a kilobyte each. Only those that nobody uses give way. */
export const FUNDS_WARM_MAX = 10_000
/** Reads that one request makes while others keep changing the funds it needs; then it is refused. */
export const READS_PER_REQUEST_MAX = 8
/** Entries in use that an eviction passes over before it gives up and lets the book grow by one. */
const EVICTION_LOOKS_MAX = 16

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

interface Entry {
  readonly id: string
  /** Whether the funds are those behind the last queued write. */
  current: boolean
  /** Counts the marks; a read that began before the last one is not used. */
  marks: number
  reading: Promise<boolean> | undefined
  /** Open holds, bookings under way and requests that wait; while there is one the entry stays. */
  users: number
  /** Held in this book, apart from what an older version left in the database. */
  holdsNano: bigint
}

export interface AccountEntry extends Entry {
  readonly funds: Mutable<AccountFunds>
  budgets: readonly BudgetFunds[]
  /** Held in this book on each budget; null while the account never had one. */
  budgetHolds: Map<string, bigint> | null
}

export interface KeyEntry extends Entry {
  readonly funds: Mutable<KeyFunds>
  /** Both empty until the key was read. */
  accountId: string
  hash: string
  /** Changes during the first read, of which one may be this key's. Not counted as marks, or others could delay the read. */
  changedHashes: string[]
}

export interface FundsBook {
  /** The entry when it is current, else undefined. */
  account(id: string): AccountEntry | undefined
  key(id: string): KeyEntry | undefined
  /** Waits for current entries. Undefined for what does not exist. Throws store_unavailable. */
  load(accountId: string, keyId: string | null): Promise<[AccountEntry | undefined, KeyEntry | null | undefined]>
  hold(account: AccountEntry, key: KeyEntry | null, amountNano: bigint, budgetIds: readonly string[]): void
  /** Adds to a hold. */
  grow(account: AccountEntry, key: KeyEntry | null, amountNano: bigint, budgetIds: readonly string[]): void
  release(account: AccountEntry, key: KeyEntry | null, amountNano: bigint, budgetIds: readonly string[]): void
  /** Takes a charge off current entries. The booking is queued in the same turn. */
  charge(
    account: AccountEntry,
    key: KeyEntry | null,
    chargedNano: bigint,
    starts: PeriodStarts,
    budgetIds: readonly string[],
  ): void
  /** To be read again before anything is decided on it. */
  mark(account: AccountEntry, key: KeyEntry | null): void
  heldOf(accountId: string): bigint
  heldOfKey(keyId: string): bigint
  /** By the id of the budget, as it is now. */
  heldOfBudgets(accountId: string): ReadonlyMap<string, bigint>
  readonly accounts: Iterable<AccountEntry>
  readonly keys: Iterable<KeyEntry>
}

const newEntry = (id: string): Entry => ({
  id,
  current: false,
  marks: 0,
  reading: undefined,
  users: 0,
  holdsNano: 0n,
})

const newAccount = (id: string): AccountEntry => ({
  ...newEntry(id),
  funds: { status: 'suspended', mode: 'prepaid', balanceNano: 0n, heldNano: 0n, creditLimitNano: null },
  budgets: NO_BUDGETS,
  budgetHolds: null,
})

const newKey = (id: string): KeyEntry => ({
  ...newEntry(id),
  accountId: '',
  hash: '',
  changedHashes: [],
  funds: { disabled: true, limitNano: null, limitReset: null, heldNano: 0n, sums: NO_SUMS },
})

/** The book over a store. It hears of every command of the store, so it must be made before the first one matters. */
export function createFundsBook(store: Store, warmMax: number = FUNDS_WARM_MAX): FundsBook {
  const accounts = new Map<string, AccountEntry>()
  const keys = new Map<string, KeyEntry>()

  store.onCommand((call) => {
    const touched = touchedBy(call)
    for (const id of touched.accounts) markEntry(accounts.get(id))
    if (Array.isArray(touched.keys)) for (const id of touched.keys) markEntry(keys.get(id))
    else markKeys(keys.values(), touched.keys as Exclude<Touched['keys'], readonly string[]>)
  })

  return {
    account(id) {
      const entry = accounts.get(id)
      return entry?.current ? entry : undefined
    },
    key(id) {
      const entry = keys.get(id)
      return entry?.current ? entry : undefined
    },
    async load(accountId, keyId) {
      const account = take(accounts, accountId, newAccount, warmMax)
      const key = keyId === null ? null : take(keys, keyId, newKey, warmMax)
      account.users++
      if (key) key.users++
      try {
        for (let reads = 0; reads < READS_PER_REQUEST_MAX; reads++) {
          if (account.current && key?.current !== false) return [account, key]
          const [hasAccount, hasKey] = await Promise.all([
            account.current || readOnce(store, account, readAccount),
            key === null || key.current || readOnce(store, key, readKey),
          ])
          if (!hasAccount) return [undefined, key]
          if (!hasKey && account.current) return [account, undefined]
        }
        throw storeUnavailable(`The funds of ${accountId} never settle.`)
      } finally {
        leave(accounts, account)
        if (key) leave(keys, key)
      }
    },
    hold(account, key, amountNano, budgetIds) {
      add(account, key, amountNano, 1)
      if (budgetIds.length > 0) holdBudgets(account, budgetIds, amountNano)
    },
    grow(account, key, amountNano, budgetIds) {
      add(account, key, amountNano, 0)
      if (budgetIds.length > 0) holdBudgets(account, budgetIds, amountNano)
    },
    release(account, key, amountNano, budgetIds) {
      add(account, key, -amountNano, -1)
      if (budgetIds.length > 0) holdBudgets(account, budgetIds, -amountNano)
    },
    charge(account, key, chargedNano, starts, budgetIds) {
      account.funds.balanceNano -= chargedNano
      if (key) key.funds.sums = addSpent(key.funds.sums, chargedNano, starts)
      if (budgetIds.length === 0) return
      for (const budget of account.budgets) if (budgetIds.includes(budget.id)) spendOn(budget, chargedNano, starts)
    },
    mark(account, key) {
      markEntry(account)
      if (key) markEntry(key)
    },
    heldOf: (id) => accounts.get(id)?.holdsNano ?? 0n,
    heldOfKey: (id) => keys.get(id)?.holdsNano ?? 0n,
    heldOfBudgets: (id) => new Map(accounts.get(id)?.budgetHolds),
    accounts: { [Symbol.iterator]: () => accounts.values() },
    keys: { [Symbol.iterator]: () => keys.values() },
  }
}

/** There is no index by hash: such changes are made by people. A key whose hash is not yet read may be the one. */
function markKeys(keys: Iterable<KeyEntry>, which: 'all' | { readonly hash: string }): void {
  for (const key of keys) {
    if (which === 'all' || key.hash === which.hash) markEntry(key)
    else if (key.hash === '') key.changedHashes.push(which.hash)
  }
}

function markEntry(entry: Entry | undefined): void {
  if (!entry) return
  entry.current = false
  entry.marks++
  // A read that is under way began before the mark; the next request starts one behind it.
  entry.reading = undefined
}

/** Gives false when there is no such account. Keeps nothing when it was marked meanwhile. */
async function readAccount(store: Store, entry: AccountEntry): Promise<boolean> {
  const { marks } = entry
  const found = await store.execute('readAccountFunds', { accountId: entry.id })
  if (!found || entry.marks !== marks) return found !== undefined
  const { budgets, ...funds } = found
  Object.assign(entry.funds, funds, { heldNano: found.heldNano + entry.holdsNano })
  for (const budget of budgets) budget.heldNano += entry.budgetHolds?.get(budget.id) ?? 0n
  entry.budgets = budgets.length === 0 ? NO_BUDGETS : budgets
  return (entry.current = true)
}

async function readKey(store: Store, entry: KeyEntry): Promise<boolean> {
  const { marks } = entry
  entry.changedHashes = []
  const found = await store.execute('readKeyFunds', { keyId: entry.id })
  if (!found || entry.marks !== marks) return found !== undefined
  const { accountId, hash, disabled, limitNano, limitReset, heldNano, sums } = found
  Object.assign(entry.funds, { disabled, limitNano, limitReset, sums, heldNano: heldNano + entry.holdsNano })
  entry.accountId = accountId
  entry.hash = hash
  entry.current = !entry.changedHashes.includes(hash)
  return true
}

/** One read for all that wait; false when there is no such thing. */
function readOnce<E extends Entry>(
  store: Store,
  entry: E,
  read: (store: Store, entry: E) => Promise<boolean>,
): Promise<boolean> {
  if (entry.reading) return entry.reading
  const reading = read(store, entry).finally(() => {
    if (entry.reading === reading) entry.reading = undefined
  })
  return (entry.reading = reading)
}

function add(account: AccountEntry, key: KeyEntry | null, amountNano: bigint, users: number): void {
  account.users += users
  account.holdsNano += amountNano
  account.funds.heldNano += amountNano
  if (!key) return
  key.users += users
  key.holdsNano += amountNano
  key.funds.heldNano += amountNano
}

function holdBudgets(account: AccountEntry, ids: readonly string[], amountNano: bigint): void {
  const holds = (account.budgetHolds ??= new Map())
  for (const id of ids) {
    const heldNano = (holds.get(id) ?? 0n) + amountNano
    if (heldNano === 0n) holds.delete(id)
    else holds.set(id, heldNano)
    const budget = account.budgets.find((one) => one.id === id)
    if (budget) budget.heldNano += amountNano
  }
}

function take<E extends Entry>(entries: Map<string, E>, id: string, make: (id: string) => E, warmMax: number): E {
  const known = entries.get(id)
  if (known) return known
  if (entries.size >= warmMax) evict(entries)
  const made = make(id)
  entries.set(id, made)
  return made
}

/** The one taken in longest ago that nobody uses goes; those in use move to the end. */
function evict<E extends Entry>(entries: Map<string, E>): void {
  let looks = 0
  for (const [id, entry] of entries) {
    entries.delete(id)
    if (entry.users === 0) return
    entries.set(id, entry)
    if (++looks >= EVICTION_LOOKS_MAX) return
  }
}

/** An entry that was never read belongs to nothing that exists, and is not kept. */
function leave<E extends Entry>(entries: Map<string, E>, entry: E): void {
  entry.users--
  if (entry.users === 0 && !entry.current && entries.get(entry.id) === entry) entries.delete(entry.id)
}
