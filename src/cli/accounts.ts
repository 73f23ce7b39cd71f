import { type Administration, openAdministration } from './administration.ts'
import { CliError } from './failure.ts'
import { json, pairs, table } from './output.ts'
import type { Run } from './program.ts'

/** An account as the admin API shows it; amounts are decimal strings. */
export interface AccountView {
  readonly id: string
  readonly email: string
  readonly mode: string
  readonly status: string
  readonly tier: string
  readonly balance: string
  readonly held: string
  readonly available: string | null
  readonly credit_limit: string | null
  readonly created_at: string
}

interface AccountPage {
  readonly data: readonly AccountView[]
  readonly next_cursor: string | null
}

export async function listAccounts(run: Run): Promise<void> {
  await using administration = await openAdministration(run)
  const accounts: AccountView[] = []
  let cursor: string | null = null
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: AccountPage = await administration.call<AccountPage>('GET', `/api/admin/accounts?limit=500${query}`)
    accounts.push(...page.data)
    cursor = page.next_cursor
  } while (cursor !== null)
  if (run.json) return run.out(json({ data: accounts }))
  const rows = accounts.map((one) => [one.id, one.email, one.mode, one.status, one.balance, one.held, one.available])
  run.out(table(['id', 'email', 'mode', 'status', 'balance', 'held', 'available'], rows))
}

export async function createAccount(run: Run, email: string, options: Record<string, unknown>): Promise<void> {
  await using administration = await openAdministration(run)
  const account = await administration.call<AccountView>('POST', '/api/admin/accounts', {
    email,
    mode: options['mode'],
    credit: options['credit'],
    credit_limit: options['creditLimit'],
  })
  print(run, account)
}

export async function showAccount(run: Run, wanted: string): Promise<void> {
  await using administration = await openAdministration(run)
  print(run, await findAccount(administration, wanted))
}

export async function creditAccount(
  run: Run,
  wanted: string,
  amount: string,
  options: Record<string, unknown>,
): Promise<void> {
  await using administration = await openAdministration(run)
  const { id } = await findAccount(administration, wanted)
  const path = `/api/admin/accounts/${encodeURIComponent(id)}`
  const entry = await administration.call<Record<string, string | null>>('POST', `${path}/credits`, {
    amount,
    note: options['note'],
  })
  if (run.json) return run.out(json(entry))
  run.out(`${entry['amount']} booked as ${entry['type']}; the balance of ${id} is ${entry['balance_after']}.`)
}

export async function setAccountStatus(run: Run, wanted: string, status: 'active' | 'suspended'): Promise<void> {
  await using administration = await openAdministration(run)
  const { id } = await findAccount(administration, wanted)
  const path = `/api/admin/accounts/${encodeURIComponent(id)}`
  print(run, await administration.call<AccountView>('PATCH', path, { status }))
}

/** The account of an id or an e-mail address; throws CliError when there is none. */
export async function findAccount(administration: Administration, wanted: string): Promise<AccountView> {
  if (!wanted.includes('@')) {
    return administration.call<AccountView>('GET', `/api/admin/accounts/${encodeURIComponent(wanted)}`)
  }
  const query = encodeURIComponent(wanted)
  const page = await administration.call<AccountPage>('GET', `/api/admin/accounts?email=${query}`)
  const account = page.data[0]
  if (!account) throw new CliError(`there is no account of ${wanted}; 'trivium accounts list' shows all.`)
  return account
}

function print(run: Run, account: AccountView): void {
  run.out(run.json ? json(account) : pairs(Object.entries(account)))
}
