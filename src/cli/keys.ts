import { findAccount } from './accounts.ts'
import { type Administration, openAdministration } from './administration.ts'
import { CliError } from './failure.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

/** A key as `/api/v1/keys` shows it. */
interface KeyView {
  readonly hash: string
  readonly name: string
  readonly label: string
  readonly kind: string
  readonly system: string | null
  readonly groups: readonly string[]
  readonly account_id: string
  readonly disabled: boolean
  readonly limit: number | null
  readonly limit_reset: string | null
  readonly usage: number
  readonly expires_at: string | null
}

/** Enough of a hash to be told from the others in a table. */
const HASH_SHOWN = 12
const HASH_PREFIX_MIN = 6
const PAGE_SIZE = 100

export async function listKeys(run: Run, options: Record<string, unknown>): Promise<void> {
  await using administration = await openAdministration(run)
  const keys = await readKeys(administration, options['account'] as string | undefined)
  if (run.json) return run.out(json({ data: keys }))
  const headings = ['hash', 'name', 'key', 'kind', 'account', 'groups', 'state', 'limit', 'reset', 'usage', 'expires']
  const rows = keys.map((key) => [
    key.hash.slice(0, HASH_SHOWN),
    key.name,
    key.label,
    key.kind,
    key.account_id,
    key.groups.join(' '),
    key.disabled ? 'disabled' : 'active',
    key.limit,
    key.limit_reset,
    key.usage,
    key.expires_at,
  ])
  run.out(table(headings, rows))
}

export async function createKey(run: Run, name: string, options: Record<string, unknown>): Promise<void> {
  await using administration = await openAdministration(run)
  const account = options['account'] as string | undefined
  const created = await administration.call<{ data: KeyView; key: string }>('POST', '/api/v1/keys', {
    name,
    account_id: account === undefined ? undefined : (await findAccount(administration, account)).id,
    kind: options['management'] ? 'management' : undefined,
    limit: options['limit'],
    limit_reset: options['limitReset'],
    expires_at: options['expiresAt'],
    system: options['system'],
    groups: options['group'],
  })
  if (run.json) return run.out(json(created))
  run.out(created.key)
  run.error('This key is shown once and stored nowhere: keep it now.')
}

export async function setKeyDisabled(run: Run, wanted: string, disabled: boolean): Promise<void> {
  await using administration = await openAdministration(run)
  const { hash } = await findKey(administration, wanted)
  const { data } = await administration.call<{ data: KeyView }>('PATCH', `/api/v1/keys/${hash}`, { disabled })
  run.out(run.json ? json(data) : `${data.name} (${data.label}) is ${disabled ? 'disabled' : 'active'}.`)
}

export async function deleteKey(run: Run, wanted: string): Promise<void> {
  await using administration = await openAdministration(run)
  const { hash, name, label } = await findKey(administration, wanted)
  await administration.call('DELETE', `/api/v1/keys/${hash}`)
  run.out(run.json ? json({ deleted: true, hash }) : `${name} (${label}) is deleted.`)
}

/** The one key whose hash starts with the given text. */
async function findKey(administration: Administration, wanted: string): Promise<KeyView> {
  if (wanted.length < HASH_PREFIX_MIN) {
    throw new CliError(`give at least ${HASH_PREFIX_MIN} characters of the key's hash; 'trivium keys list' shows them.`)
  }
  const found = (await readKeys(administration)).filter((key) => key.hash.startsWith(wanted))
  if (found.length === 1) return found[0]!
  throw new CliError(
    found.length === 0
      ? `there is no key with the hash ${wanted}.`
      : `${wanted} fits ${found.length} keys; give more of the hash.`,
  )
}

async function readKeys(administration: Administration, account?: string): Promise<KeyView[]> {
  const owner =
    account === undefined ? '' : `&account_id=${encodeURIComponent((await findAccount(administration, account)).id)}`
  const keys: KeyView[] = []
  for (;;) {
    const path = `/api/v1/keys?include_disabled=true&offset=${keys.length}${owner}`
    const { data } = await administration.call<{ data: KeyView[] }>('GET', path)
    keys.push(...data)
    if (data.length < PAGE_SIZE) return keys
  }
}
