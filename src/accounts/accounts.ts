import { GatewayError } from '#base/errors.ts'
import { FACTOR_PPM_MAX } from '#base/factors.ts'
import { id as newId } from '#base/ids.ts'
import { creditsLeft } from '#ledger/expiry.ts'
import type { EntryType } from '#ledger/types.ts'
import { checkLimit, checkNumberCursor } from '#store/reads.ts'
import { AMOUNT_NANO_MAX } from '#store/request-columns.ts'
import type { AccountTable, LedgerEntryTable } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import { NO_TIERS, tierOf, type Tiers } from './account-tier.ts'
import { contentOf, contentText } from './key-record.ts'
import { LOCAL_ACCOUNT_ID, OPERATOR_ACCOUNT_ID } from './types.ts'
import type { Account, Accounts, KeyRing, LedgerEntry } from './types.ts'

const EMAIL_LENGTH_MAX = 254
const NOTE_LENGTH_MAX = 500
/** Of an account that was given none and has bought nothing. */
const DEFAULT_TIER = 'default'
const EMAIL = /^[^\s@]+@[^\s@]+$/

/**
 * Accounts over a store. With a key ring, a status change counts from the next request on (R19). `heldOf` gives what the
 * ledger holds of an account in memory (`RecoverableLedger.heldOf`).
 */
export function createAccounts(
  store: Store,
  options: { keyRing?: KeyRing; now?: () => number; heldOf?: (accountId: string) => bigint; tiers?: Tiers } = {},
): Accounts {
  const { keyRing, now = Date.now, heldOf = () => 0n, tiers = NO_TIERS } = options
  const accountOf = (row: AccountTable): Account => toAccount(row, heldOf(row.id), tierOf(row, tiers))
  const read = store.read

  const get = async (id: string): Promise<Account | undefined> => {
    const row = await read.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst()
    return row && accountOf(row)
  }

  const changed = async (id: string, change: Promise<boolean>): Promise<void> => {
    if (!(await change)) throw missing(id)
    keyRing?.forget()
  }

  return {
    async create({ email, mode, creditNano = 0n, creditLimitNano = null, tier, firstTier = DEFAULT_TIER, actor }) {
      const address = checkEmail(email)
      checkAmount(creditNano, 'credit')
      if (creditNano < 0n) throw invalid('credit', 'The initial credit must not be negative.')
      checkCreditLimit(mode, creditLimitNano)
      const id = newId('acc')
      const rank = { tier: tier ?? firstTier, tierAssigned: tier !== undefined }
      const account = { id, email: address, mode, ...rank, creditLimitNano, creditNano, actor, nowMs: now() }
      if (!(await store.execute('createAccount', account))) throw taken()
      return (await get(id))!
    },
    get,
    async findByEmail(email) {
      const address = email.trim().toLowerCase()
      const row = await read.selectFrom('accounts').selectAll().where('email', '=', address).executeTakeFirst()
      return row && accountOf(row)
    },
    list: (page) => readAccounts(store, page, accountOf),
    async credit(accountId, input) {
      const entry = await postCredit(store, accountId, input, now())
      // What it has bought may have moved it to another tier.
      keyRing?.forgetAccount(accountId)
      return entry
    },
    async setStatus(id, status) {
      await changed(id, store.execute('setAccountStatus', { id, status }))
      return (await get(id))!
    },
    async setTier(id, tier) {
      const assigned = tier !== null
      await changed(id, store.execute('setAccountTier', { id, tier: tier ?? DEFAULT_TIER, assigned }))
      return (await get(id))!
    },
    async setChargeFactor(id, factorPpm) {
      if (factorPpm < 0n || factorPpm > FACTOR_PPM_MAX) throw invalid('charge_factor', 'A factor is 0 to 999.999999.')
      await changed(id, store.execute('setChargeFactor', { id, factorPpm: Number(factorPpm) }))
      return (await get(id))!
    },
    contentLog: (id) => readContentLog(store, id),
    async setContentLog(id, wish) {
      await changed(id, store.execute('setContentLog', { id, wish: contentText(wish) }))
    },
    entries: (query) => readEntries(store, query),
    creditsLeft: (id) => creditsLeft(store, id, now()),
    totals: (id) => readTotals(store, id),
  }
}

async function readAccounts(
  { read }: Store,
  { limit, cursor }: Parameters<Accounts['list']>[0],
  accountOf: (row: AccountTable) => Account,
): ReturnType<Accounts['list']> {
  let rows = read.selectFrom('accounts').selectAll()
  if (cursor !== undefined) rows = rows.where('id', '>', cursor)
  const found = await rows
    .orderBy('id')
    .limit(checkLimit(limit) + 1)
    .execute()
  const data = found.slice(0, limit).map(accountOf)
  return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
}

async function readTotals({ read }: Store, id: string): ReturnType<Accounts['totals']> {
  const row = await read
    .selectFrom('accounts')
    .select(['credited_nano', 'used_nano'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) throw missing(id)
  return { creditedNano: row.credited_nano, usedNano: row.used_nano }
}

async function readContentLog({ read }: Store, id: string): ReturnType<Accounts['contentLog']> {
  const row = await read.selectFrom('accounts').select('content_log').where('id', '=', id).executeTakeFirst()
  if (!row) throw missing(id)
  return contentOf(row.content_log)
}

async function readEntries(
  { read }: Store,
  { accountId, limit, cursor }: Parameters<Accounts['entries']>[0],
): ReturnType<Accounts['entries']> {
  let rows = read.selectFrom('ledger_entries').selectAll()
  if (accountId !== undefined) rows = rows.where('account_id', '=', accountId)
  if (cursor !== undefined) rows = rows.where('seq', '<', checkNumberCursor(cursor))
  const found = await rows
    .orderBy('seq', 'desc')
    .limit(checkLimit(limit) + 1)
    .execute()
  const nextCursor = found.length > limit ? String(found[limit - 1]!.seq) : null
  return { data: found.slice(0, limit).map(entryOf), nextCursor }
}

async function postCredit(
  store: Store,
  accountId: string,
  input: Parameters<Accounts['credit']>[1],
  nowMs: number,
): Promise<LedgerEntry> {
  const { amountNano, type = 'topup', note = null, actor, expiresMs } = input
  if (type === 'expiry') throw invalid('type', 'Credits expire by themselves.')
  if (type === 'usage') throw invalid('type', 'Usage is booked by requests only.')
  checkAmount(amountNano, 'amount')
  if (amountNano === 0n) throw invalid('amount', 'The amount must not be zero.')
  if (amountNano < 0n && (type === 'topup' || type === 'grant')) {
    throw invalid('amount', `A ${type} must be positive; use an adjustment to take money off.`)
  }
  if (note !== null && note.length > NOTE_LENGTH_MAX) {
    throw invalid('note', `A note has at most ${NOTE_LENGTH_MAX} characters.`)
  }
  const entry = { accountId, type, amountNano, note, actor }
  if (expiresMs !== undefined) checkExpiry(type, expiresMs, nowMs)
  const { seq, balanceNano } =
    expiresMs === undefined
      ? await store.execute('credit', { ...entry, nowMs })
      : await store.execute('creditUntil', { ...entry, id: newId('crd'), expiresMs, nowMs })
  return {
    ...entry,
    id: entryId(seq),
    balanceAfterNano: balanceNano,
    requestId: null,
    createdMs: nowMs,
    paymentRef: null,
  }
}

function checkExpiry(type: EntryType, expiresMs: number, nowMs: number): void {
  if (type !== 'topup' && type !== 'grant') throw invalid('expires_at', 'Only a topup or a grant expires.')
  if (expiresMs <= nowMs) throw invalid('expires_at', 'A credit must expire in the future.')
}

/** The operator's own account and the one of single-user mode: postpaid without a limit. Idempotent. */
export async function ensureBuiltInAccounts(store: Store, nowMs: number = Date.now()): Promise<void> {
  const rank = { tier: DEFAULT_TIER, tierAssigned: false }
  const common = { mode: 'postpaid', ...rank, creditLimitNano: null, creditNano: 0n, actor: 'gateway' } as const
  await store.execute('createAccount', { id: OPERATOR_ACCOUNT_ID, email: 'operator@localhost', ...common, nowMs })
  await store.execute('createAccount', { id: LOCAL_ACCOUNT_ID, email: 'local@localhost', ...common, nowMs })
}

function toAccount(row: AccountTable, heldNano: bigint, tier: string): Account {
  return {
    id: row.id,
    email: row.email,
    mode: row.mode,
    status: row.status,
    tier,
    tierAssigned: row.tier_assigned !== 0,
    purchasedNano: row.purchased_nano,
    balanceNano: row.balance_nano,
    heldNano: row.held_nano + heldNano,
    creditLimitNano: row.credit_limit_nano,
    chargeFactor: BigInt(row.charge_ppm),
    createdMs: row.created_ms,
  }
}

function entryOf(row: Omit<LedgerEntryTable, 'seq'> & { seq: number }): LedgerEntry {
  return {
    id: entryId(row.seq),
    accountId: row.account_id,
    type: row.type,
    amountNano: row.amount_nano,
    balanceAfterNano: row.balance_after_nano,
    requestId: row.request_id,
    note: row.note,
    actor: row.actor,
    createdMs: row.created_ms,
    paymentRef: row.payment_ref,
  }
}

const entryId = (seq: number): string => `led_${seq}`

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })

const taken = (): GatewayError =>
  new GatewayError('state_conflict', 'An account with this e-mail address exists.', { param: 'email' })

const missing = (id: string): GatewayError => new GatewayError('not_found', `There is no account ${id}.`)

function checkEmail(email: string): string {
  const address = email.trim().toLowerCase()
  if (address.length <= EMAIL_LENGTH_MAX && EMAIL.test(address)) return address
  throw invalid('email', 'This is no e-mail address.')
}

function checkAmount(amountNano: bigint, param: string): void {
  if (amountNano > AMOUNT_NANO_MAX || amountNano < -AMOUNT_NANO_MAX) {
    throw invalid(param, 'An amount is at most a billion USD.')
  }
}

function checkCreditLimit(mode: Account['mode'], limit: bigint | null): void {
  if (limit === null) return
  if (mode === 'prepaid') throw invalid('credit_limit', 'A prepaid account has no credit limit.')
  if (limit < 0n || limit > AMOUNT_NANO_MAX) throw invalid('credit_limit', 'The credit limit is out of range.')
}
