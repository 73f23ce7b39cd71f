import { openAdministration } from './administration.ts'
import { CliError } from './failure.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

interface Verified {
  readonly checked: number
  readonly recomputed: number
  readonly differences: number
  readonly problems: readonly { readonly request_id: string; readonly problem: string }[]
}

/** Exit 1 names the requests whose receipt does not hold (B6). */
export async function verifyReceipts(run: Run, options: Record<string, unknown>): Promise<void> {
  await using administration = await openAdministration(run)
  const query = new URLSearchParams()
  for (const name of ['from', 'to']) if (typeof options[name] === 'string') query.set(name, options[name])
  const told = await administration.call<Verified>('GET', `/api/admin/receipts/verify?${query}`)
  if (run.json) run.out(json(told))
  else {
    run.out(`${told.checked} requests, ${told.recomputed} recomputed, ${told.differences} differences`)
    if (told.problems.length > 0)
      run.out(
        table(
          ['request', 'problem'],
          told.problems.map((one) => [one.request_id, one.problem]),
        ),
      )
  }
  if (told.differences > 0) throw new CliError(`${told.differences} receipts do not hold`)
}
