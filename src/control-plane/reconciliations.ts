import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type InvoiceLine, readInvoice } from '#analytics/invoice.ts'
import { type Reconciled, type Reconciliation, reconcile } from '#analytics/reconcile.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import type { Answer, Call, MasterActor } from './call.ts'
import { analyticsOf } from './reader.ts'
import { validate } from './validate.ts'

/** Lines that an alert tells; the rest are counted. */
export const ALERT_LINES_MAX = 20

/** JSON with the CSV in it, as the command line sends it; anything else is the CSV itself. */
const BODY = z.object({ csv: z.string().min(1), backend: z.string().min(1).optional() })
const QUERY = z.object({ backend: z.string().min(1).optional() })

/**
 * `POST /api/admin/reconciliations?backend=` with a provider's invoice as CSV (day, model, cost, and optionally backend): compared with
 * the metered cost per backend, model and day (B6). A drift above `reconcile.alert_pct` raises one alert for the invoice,
 * however often it is uploaded.
 */
export async function reconcileInvoice(call: Call<MasterActor>): Promise<Answer> {
  const { csv, backend } = readUpload(call)
  const invoice = readInvoice(csv)
  const { backends } = call.deps.settings.catalog
  for (const { backend: named } of invoice) checkBackend(named ?? backend, Object.keys(backends))
  const { reconcileAlertPct: alertPct } = call.deps.settings
  const modelOf = modelsBy(call)
  const told = await reconcile(analyticsOf(call), invoice, { backend: backend ?? null, alertPct, modelOf })
  const off = told.lines.filter(({ isOff }) => isOff)
  const isRaised = off.length > 0 && (await raise(call, off, alertPct))
  return { body: reconciliationObject(told, invoice, alertPct, isRaised) }
}

function readUpload({ body, query }: Call): { csv: string; backend?: string | undefined } {
  const { backend } = validate(QUERY, query)
  if (typeof body !== 'string' || body.trim() === '') {
    throw new GatewayError('invalid_parameter', 'The body is the invoice as CSV: day, model, cost.', { param: 'csv' })
  }
  if (!body.trimStart().startsWith('{')) return { csv: body, backend }
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    throw new GatewayError('invalid_json', 'The body is neither CSV nor JSON.')
  }
  const given = validate(BODY, parsed)
  return { csv: given.csv, backend: given.backend ?? backend }
}

function checkBackend(backend: string | undefined, known: readonly string[]): void {
  if (backend !== undefined && known.includes(backend)) return
  const which = backend === undefined ? 'Name the backend' : `There is no backend '${backend.slice(0, 64)}'`
  throw new GatewayError('invalid_parameter', `${which}; configured: ${known.join(', ')}.`, { param: 'backend' })
}

/** The provider calls a model by the name that a route sends it, or as we do. */
function modelsBy({ deps }: Call): (backend: string, name: string) => string | undefined {
  const names = new Map<string, string>()
  const own = new Set<string>()
  const add = (backend: string, upstreamModel: string, model: string): void => {
    own.add(model)
    names.set(JSON.stringify([backend, upstreamModel]), model)
  }
  for (const { backend, upstreamModel, model } of deps.settings.catalog.routes) add(backend, upstreamModel, model)
  for (const { backend, upstreamModel, model } of [...deps.catalog.current.routes.values()].flat())
    add(backend.id, upstreamModel, model.id)
  return (backend, name) => names.get(JSON.stringify([backend, name])) ?? (own.has(name) ? name : undefined)
}

function raise({ deps }: Call, off: readonly Reconciled[], alertPct: number): Promise<boolean> {
  const lines = off.map(lineObject)
  const digest = createHash('sha256').update(JSON.stringify(lines)).digest('base64url')
  const drift = formatUsd(off.reduce((sum, { driftNano }) => sum + driftNano, 0n))
  const facts = { alert_pct: alertPct, drift, lines: lines.slice(0, ALERT_LINES_MAX), lines_more: more(lines) }
  return deps.billing.alerts.raiseForOperator('cost_drift', `cost_drift:${digest}`, facts)
}

const more = (lines: readonly unknown[]): number => Math.max(0, lines.length - ALERT_LINES_MAX)

function reconciliationObject(
  { lines, complete }: Reconciliation,
  invoice: readonly InvoiceLine[],
  alertPct: number,
  isRaised: boolean,
): Record<string, unknown> {
  const days = invoice.map(({ day }) => day).toSorted()
  const sum = (of: 'invoicedNano' | 'meteredNano' | 'driftNano'): string =>
    formatUsd(lines.reduce((all, line) => all + line[of], 0n))
  return {
    from: days[0],
    to: days.at(-1),
    alert_pct: alertPct,
    complete,
    data: lines.map(lineObject),
    total: { invoiced: sum('invoicedNano'), metered: sum('meteredNano'), drift: sum('driftNano') },
    drifting: lines.filter(({ isOff }) => isOff).length,
    alert_raised: isRaised,
  }
}

const lineObject = (line: Reconciled): Record<string, unknown> => ({
  backend: line.backend,
  day: line.day,
  model: line.model,
  known: line.isKnown,
  invoiced: formatUsd(line.invoicedNano),
  metered: formatUsd(line.meteredNano),
  drift: formatUsd(line.driftNano),
  drift_pct: line.driftPct,
  above_alert: line.isOff,
})
