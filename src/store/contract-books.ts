/** What the contract tests of every engine share: real parts over a real store, a movable clock, sample rows. */
import { createAccounts } from '#accounts/accounts.ts'
import { createKeys } from '#accounts/keys.ts'
import type { Account, Accounts, ApiKey, Keys, NewKey } from '#accounts/types.ts'
import { createLedger } from '#ledger/ledger.ts'
import type { RecoverableLedger } from '#ledger/ledger.ts'
import { createPeriodClock, type PeriodClock } from '#ledger/periods.ts'
import type { HoldAsk, HoldResult } from '#ledger/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { Store } from './store.ts'

export type MakeLedger = (store: Store, options: { now: () => number; periods?: PeriodClock }) => RecoverableLedger

export interface Harness {
  readonly engine: Store['engine']
  readonly makeLedger: MakeLedger
  /** Whether an open hold is a row that outlives its process, or is known to the process alone (record 9). */
  readonly storesHolds: boolean
  /** A store on an empty database. `again` opens the same database once more after `close`. */
  open(): Promise<{ store: Store; again(): Promise<Store> }>
  /** Everything that is stored, as text, for the search of secrets. */
  dump(store: Store): Promise<string>
  /** Runs a text as an administrator would, past the gateway. Throws what the database throws. */
  tamper(store: Store, sql: string): Promise<void>
}

export const CONTRACT_PEPPER = 'pepper-of-the-tests'
export const ONE_CENT = 10_000_000n
/** A Friday noon. */
export const NOON_MS = Date.UTC(2026, 10, 20, 12)

/** The parts over one store, with a clock that a test may move. */
export interface Books {
  readonly store: Store
  readonly ledger: RecoverableLedger
  readonly accounts: Accounts
  readonly keys: Keys
  readonly clock: { nowMs: number }
  again(): Promise<Store>
}

/** Opens books on an empty database, and closes them when the block ends. */
export async function openBooks(harness: Harness, zone?: string): Promise<Books & AsyncDisposable> {
  const { store, again } = await harness.open()
  return { ...booksOver(store, NOON_MS, harness.makeLedger, zone), again, [Symbol.asyncDispose]: () => store.close() }
}

export function booksOver(
  store: Store,
  nowMs = NOON_MS,
  makeLedger: MakeLedger = createLedger,
  zone?: string,
): Omit<Books, 'again'> {
  const clock = { nowMs }
  const now = (): number => clock.nowMs
  const periods = createPeriodClock(zone)
  const ledger = makeLedger(store, { now, periods })
  const { heldOf, heldOfKey } = ledger
  return {
    store,
    clock,
    ledger,
    accounts: createAccounts(store, { now, heldOf }),
    keys: createKeys(store, CONTRACT_PEPPER, null, now, heldOfKey, periods),
  }
}

let people = 0

export function newAccount(books: Pick<Books, 'accounts'>, creditNano: bigint): Promise<Account> {
  return books.accounts.create({ email: `person${++people}@example.org`, mode: 'prepaid', creditNano, actor: 'test' })
}

export async function newKey(
  books: Pick<Books, 'keys'>,
  account: Account,
  change: Partial<NewKey> = {},
): Promise<ApiKey> {
  const { key } = await books.keys.create({ name: 'test', accountId: account.id, ...change })
  return key
}

/** Asks for a hold of exactly this amount unless a lower floor is named. */
export async function ask(
  books: Pick<Books, 'ledger'>,
  requestId: string,
  owner: { account: Account; key?: ApiKey },
  wantNano: bigint,
  floorNano: bigint = wantNano,
): Promise<HoldResult> {
  const { account, key } = owner
  return books.ledger.reserve({ requestId, accountId: account.id, keyId: key?.id ?? null, wantNano, floorNano })
}

/** Asks for a hold of exactly this amount, on more scopes than its account where they are named. */
export const hold = async (
  { ledger }: Pick<Books, 'ledger'>,
  requestId: string,
  account: Account,
  wantNano: bigint,
  scopes: Partial<HoldAsk> = {},
): Promise<HoldResult> =>
  ledger.reserve({ requestId, accountId: account.id, keyId: null, wantNano, floorNano: wantNano, ...scopes })

/** A complete row; every test names only what matters to it. */
export function sampleRow(change: Partial<RequestRow> & Pick<RequestRow, 'request_id'>): RequestRow {
  return {
    client_request_id: null,
    upstream_request_id: null,
    response_id: null,
    ts_start_ms: NOON_MS,
    ts_end_ms: NOON_MS + 12,
    account_id: null,
    key_id: null,
    key_name: null,
    system: null,
    app_title: null,
    app_referer: null,
    app_categories: null,
    user_agent: null,
    ip: null,
    protocol: 'openai-chat',
    method: 'POST',
    path: '/v1/chat/completions',
    stream: false,
    requested_model: null,
    alias_rule: null,
    rule: null,
    resolved_model: null,
    model_id: null,
    upstream_model: null,
    vendor: null,
    backend_id: null,
    group_id: null,
    adapter: null,
    thinking: false,
    status: 'ok',
    status_code: 200,
    error_code: null,
    error_message: null,
    finish_reason: null,
    latency_ms: 12,
    ttft_ms: null,
    gen_ms: null,
    tokens_input: null,
    tokens_cache_read: null,
    tokens_cache_write: null,
    tokens_cache_write_1h: null,
    tokens_output: null,
    tokens_reasoning: null,
    usage_source: 'none',
    list_cost_nano: null,
    metered_cost_nano: null,
    charged_cost_nano: null,
    absorbed_cost_nano: null,
    price_version: null,
    attempts: [],
    warnings: [],
    warnings_more: 0,
    tool_calls_count: 0,
    cache_decision: null,
    environment: null,
    fault: null,
    session_id: null,
    ...change,
  }
}
