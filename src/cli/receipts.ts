import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
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

interface Reconciliation {
  readonly data: readonly {
    readonly backend: string
    readonly day: string
    readonly model: string
    readonly invoiced: string
    readonly metered: string
    readonly drift: string
    readonly drift_pct: number | null
    readonly above_alert: boolean
  }[]
  readonly total: { readonly invoiced: string; readonly metered: string; readonly drift: string }
  readonly alert_pct: number
  readonly drifting: number
}

/** Exit 1 when a provider charges more or less than was metered, beyond `reconcile.alert_pct` (B6). */
export async function reconcileInvoice(run: Run, options: Record<string, unknown>): Promise<void> {
  // The flag of the default backend is what comes to mind first; here it is no setting.
  const { backend: meant, ...flags } = run.flags
  await using administration = await openAdministration({ ...run, flags })
  const csv = readFileSync(resolve(run.cwd, String(options['file'])), 'utf8')
  const backend = options['of'] ?? meant
  const body = { csv, ...(typeof backend === 'string' ? { backend } : {}) }
  const told = await administration.call<Reconciliation>('POST', '/api/admin/reconciliations', body)
  if (run.json) run.out(json(told))
  else {
    const { invoiced, metered, drift } = told.total
    run.out(
      table(
        ['backend', 'day', 'model', 'invoiced', 'metered', 'drift', '%', 'alert'],
        told.data.map(({ backend, day, model, ...of }) => {
          const { invoiced: asked, metered: counted, drift: differs, drift_pct: percent, above_alert: isOff } = of
          return [backend, day, model, asked, counted, differs, percent, isOff]
        }),
      ),
    )
    run.out(`invoiced ${invoiced} USD, metered ${metered} USD, drift ${drift} USD`)
  }
  if (told.drifting > 0) throw new CliError(`${told.drifting} lines differ by more than ${told.alert_pct} %`)
}
