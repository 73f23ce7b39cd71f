import type { NanoUsd } from '#base/money.ts'
import type { Analytics } from './analytics.ts'
import type { InvoiceLine } from './invoice.ts'
import { DAY_MS } from './rollup-tables.ts'

/** One model on one day at one backend: what the provider charges, and what was metered (B6). */
export interface Reconciled {
  readonly backend: string
  readonly day: string
  /** Ours; the provider's name where we know no model of it. */
  readonly model: string
  readonly isKnown: boolean
  readonly invoicedNano: NanoUsd
  readonly meteredNano: NanoUsd
  readonly driftNano: NanoUsd
  /** Percent of what was metered, to four places; null: nothing was metered. */
  readonly driftPct: number | null
  /** Whether it is more than rounding and more than what is tolerated. */
  readonly isOff: boolean
}

export interface Reconciliation {
  /** By backend, day and model. */
  readonly lines: readonly Reconciled[]
  /** False while rows wait to be counted. */
  readonly complete: boolean
}

export interface ReconcileOptions {
  /** Of lines that name none. */
  readonly backend: string | null
  /** Percent that is tolerated. */
  readonly alertPct: number
  /** What we call a model of the provider; undefined: none of ours. */
  modelOf(backend: string, providersName: string): string | undefined
}

interface Sums {
  invoicedNano: NanoUsd
  meteredNano: NanoUsd
  unitNano: NanoUsd
  isKnown: boolean
}

/** Compares an invoice with the metered cost of its days, from its first to its last. Every line names a backend, or `options` does. */
export async function reconcile(
  analytics: Pick<Analytics, 'usage'>,
  invoice: readonly InvoiceLine[],
  options: ReconcileOptions,
): Promise<Reconciliation> {
  const lines: Reconciled[] = []
  let complete = true
  for (const [backend, own] of Map.groupBy(invoice, (line) => line.backend ?? options.backend!)) {
    const days = own.map(({ day }) => Date.parse(day))
    const usage = await analytics.usage({
      fromMs: Math.min(...days),
      toMs: Math.max(...days) + DAY_MS,
      groupBy: ['model_id', 'day'],
      filter: { backend_id: backend },
    })
    complete &&= usage.complete && !usage.truncated
    const places = new Map<string, Sums>()
    const place = (day: string, model: string): Sums => {
      const name = JSON.stringify([day, model])
      const known = places.get(name)
      if (known) return known
      const fresh = { invoicedNano: 0n, meteredNano: 0n, unitNano: 0n, isKnown: true }
      places.set(name, fresh)
      return fresh
    }
    for (const { day, model, costNano, unitNano } of own) {
      const ours = options.modelOf(backend, model)
      const sums = place(day, ours ?? model)
      sums.invoicedNano += costNano
      sums.unitNano += unitNano
      sums.isKnown &&= ours !== undefined
    }
    for (const { dimensions, startMs, metered_nano: meteredNano } of usage.groups) {
      if (meteredNano === 0n || !dimensions.model_id) continue
      place(new Date(startMs!).toISOString().slice(0, 10), dimensions.model_id).meteredNano += meteredNano
    }
    for (const [name, sums] of places) {
      const [day, model] = JSON.parse(name) as [string, string]
      lines.push({ backend, day, model, ...judge(sums, options.alertPct) })
    }
  }
  const nameOf = ({ backend, day, model }: Reconciled): string => `${backend}\n${day}\n${model}`
  return { lines: lines.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)), complete }
}

/** Parts of a percent that are told apart. */
const PERCENT_PARTS = 10_000

function judge({ invoicedNano, meteredNano, unitNano, isKnown }: Sums, alertPct: number) {
  const driftNano = invoicedNano - meteredNano
  const size = driftNano < 0n ? -driftNano : driftNano
  const parts = BigInt(100 * PERCENT_PARTS)
  const tolerated = meteredNano * BigInt(Math.round(alertPct * PERCENT_PARTS))
  // Each line of the invoice may be half a unit of its last place off.
  const isOff = size * 2n > unitNano && size * parts > tolerated
  const driftPct = meteredNano === 0n ? null : Number((driftNano * parts) / meteredNano) / PERCENT_PARTS
  return { isKnown, invoicedNano, meteredNano, driftNano, driftPct, isOff }
}
