import { z } from 'zod'
import type { Account, LedgerEntry } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { formatPricePerMillion, formatUsd, type NanoUsd } from '#base/money.ts'
import type { Answer, Call, MasterActor } from './call.ts'
import { isoOrNull } from './key-object.ts'
import { factor, isoTime, queryInteger, usdAmount, usdLimit, validate } from './validate.ts'

/** How the ledger names who acted: the master key, or the administrator who is signed in. */
const actorOf = ({ session }: MasterActor): string => session?.email ?? 'master'

export const ADMIN_PAGE_DEFAULT = 50
export const ADMIN_PAGE_MAX = 500
export const NOTE_LENGTH_MAX = 500

const tier = z
  .string()
  .trim()
  .regex(/^\S{1,64}$/, 'expected a name of 1 to 64 characters without white space')

export const NEW_ACCOUNT = z.object({
  email: z.email('expected an e-mail address').max(254),
  mode: z.enum(['prepaid', 'postpaid']),
  credit: usdLimit.optional(),
  credit_limit: usdLimit.nullable().optional(),
  tier: tier.optional(),
})

export const CREDIT = z.object({
  amount: usdAmount.refine((amount) => amount !== 0n, 'must not be zero'),
  type: z.enum(['topup', 'grant', 'adjustment', 'refund']).optional(),
  note: z.string().max(NOTE_LENGTH_MAX).optional(),
  expires_at: isoTime.nullable().optional(),
})

export const ACCOUNT_CHANGE = z
  .object({
    status: z.enum(['active', 'suspended']).optional(),
    tier: tier.nullable().optional(),
    charge_factor: factor.optional(),
  })
  .refine(
    (change) => Object.values(change).some((one) => one !== undefined),
    "name 'status', 'tier' or 'charge_factor'",
  )

export const PAGE_QUERY = z.object({
  limit: queryInteger(1, ADMIN_PAGE_MAX).default(ADMIN_PAGE_DEFAULT),
  cursor: z.string().min(1).optional(),
  account_id: z.string().min(1).optional(),
  email: z.string().min(1).optional(),
})

export async function createAccount(call: Call<MasterActor>): Promise<Answer> {
  const input = validate(NEW_ACCOUNT, call.body ?? {})
  const account = await call.deps.accounts.create({
    email: input.email,
    mode: input.mode,
    actor: actorOf(call.actor),
    ...(input.credit ? { creditNano: input.credit } : {}),
    ...(input.credit_limit === undefined ? {} : { creditLimitNano: input.credit_limit }),
    ...(input.tier === undefined ? {} : { tier: input.tier }),
  })
  // Who is given a credit by the operator needs no bonus; whoever pays afterwards has no use for one.
  const hasBonus = input.credit === undefined && input.mode === 'prepaid'
  if (!hasBonus || !(await call.deps.billing.grantSignupBonus(account.id))) {
    return { status: 201, body: accountObject(account) }
  }
  return { status: 201, body: accountObject((await call.deps.accounts.get(account.id))!) }
}

/** `GET /api/admin/accounts`; with `?email=` the one account of that address, or none. */
export async function listAccounts(call: Call<MasterActor>): Promise<Answer> {
  const { limit, cursor, email } = validate(PAGE_QUERY, call.query)
  if (email !== undefined) {
    const account = await call.deps.accounts.findByEmail(email)
    return { body: { data: account ? [accountObject(account)] : [], next_cursor: null } }
  }
  const page = await call.deps.accounts.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
  return { body: { data: page.data.map(accountObject), next_cursor: page.nextCursor } }
}

export async function readAccount(call: Call<MasterActor>): Promise<Answer> {
  return { body: accountObject(await existing(call)) }
}

/** `POST /api/admin/accounts/{id}/credits` -> 201 with the ledger entry. */
export async function creditAccount(call: Call<MasterActor>): Promise<Answer> {
  const { amount, type, note, expires_at: expiresMs } = validate(CREDIT, call.body ?? {})
  if (amount < 0n && type !== 'adjustment') {
    throw new GatewayError('invalid_parameter', "Invalid value for 'amount': only an adjustment may take money away.", {
      param: 'amount',
    })
  }
  const { id } = await existing(call)
  const entry = await call.deps.accounts.credit(id, {
    amountNano: amount,
    actor: actorOf(call.actor),
    ...(type === undefined ? {} : { type }),
    ...(note === undefined ? {} : { note }),
    ...(expiresMs == null ? {} : { expiresMs }),
  })
  return {
    status: 201,
    body: { ...entryObject(entry), ...(expiresMs != null && { expires_at: isoOrNull(expiresMs) }) },
  }
}

/** Suspends, reactivates, moves to another tier or changes what is charged; in force on the next request of every key of the account (R19). */
export async function changeAccount(call: Call<MasterActor>): Promise<Answer> {
  const { status, tier: wanted, charge_factor: factorPpm } = validate(ACCOUNT_CHANGE, call.body ?? {})
  let account = await existing(call)
  if (wanted !== undefined) account = await call.deps.accounts.setTier(account.id, wanted)
  if (factorPpm !== undefined) account = await call.deps.accounts.setChargeFactor(account.id, factorPpm)
  if (status !== undefined) account = await call.deps.accounts.setStatus(account.id, status)
  call.deps.keyRing.forget()
  return { body: accountObject(account) }
}

export async function listLedger(call: Call<MasterActor>): Promise<Answer> {
  const { limit, cursor, account_id } = validate(PAGE_QUERY, call.query)
  const page = await call.deps.accounts.entries({
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(account_id === undefined ? {} : { accountId: account_id }),
  })
  return { body: { data: page.data.map(entryObject), next_cursor: page.nextCursor } }
}

async function existing(call: Call<MasterActor>): Promise<Account> {
  const account = await call.deps.accounts.get(call.params['id']!)
  if (!account) throw new GatewayError('not_found', 'There is no account with this id.')
  return account
}

/** Amounts as decimal strings; `available` is null when nothing bounds a postpaid account. */
export function accountObject(account: Account): Record<string, unknown> {
  return {
    id: account.id,
    email: account.email,
    mode: account.mode,
    status: account.status,
    tier: account.tier,
    tier_assigned: account.tierAssigned,
    lifetime_purchases: formatUsd(account.purchasedNano),
    balance: formatUsd(account.balanceNano),
    held: formatUsd(account.heldNano),
    available: textOrNull(availableOf(account)),
    credit_limit: textOrNull(account.creditLimitNano),
    charge_factor: formatPricePerMillion(account.chargeFactor),
    created_at: new Date(account.createdMs).toISOString(),
  }
}

export function entryObject(entry: LedgerEntry): Record<string, unknown> {
  return {
    id: entry.id,
    account_id: entry.accountId,
    type: entry.type,
    amount: formatUsd(entry.amountNano),
    balance_after: formatUsd(entry.balanceAfterNano),
    request_id: entry.requestId,
    payment_ref: entry.paymentRef,
    note: entry.note,
    actor: entry.actor,
    created_at: new Date(entry.createdMs).toISOString(),
  }
}

function availableOf(account: Account): NanoUsd | null {
  const free = account.balanceNano - account.heldNano
  if (account.mode === 'prepaid') return free
  return account.creditLimitNano === null ? null : free + account.creditLimitNano
}

const textOrNull = (amount: NanoUsd | null): string | null => (amount === null ? null : formatUsd(amount))
