import { type Factors, ONE_PPM } from '#base/factors.ts'
import { type Cost, type CostLine, costOf } from '#ledger/cost.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { listRequests } from '#store/reads.ts'
import type { Store } from '#store/store.ts'
import { findPrices } from './price-book.ts'

/** How far the stored counts and prices explain a cost. */
export type Explanation =
  /** The lines add up to the cost. */
  | 'exact'
  /** The lines add up to what it cost, and nothing of it is charged: the answer said nothing (zero-completion insurance, R91). */
  | 'insured'
  /** Nothing was delivered or nothing is counted: nothing is charged. */
  | 'released'
  /** The upstream told the cost (R27), or charges for other counts than it read and wrote. */
  | 'reported'
  /** Two answers went into it (hybrid models); the lines are those of the second. */
  | 'two_legs'
  /** The price is older than the book of prices. */
  | 'price_unknown'
  /** The stored counts do not give the stored cost: one of them was changed. */
  | 'differs'

/** How the cost of one request came about (B6). */
export interface Receipt {
  readonly explanation: Explanation
  /** Disjoint classes with their prices; null where no price is known. */
  readonly lines: readonly CostLine[] | null
  /** Sum of the lines before the one rounding. */
  readonly sumPico: bigint | null
  /** What the sum is multiplied by for the operator and for the account (R93); null: the price is not known. */
  readonly factors: Factors | null
  readonly ledgerEntry: { readonly id: string; readonly amountNano: bigint } | null
}

export interface ReceiptProblem {
  readonly requestId: string
  readonly problem: string
}

export interface ReceiptCheck {
  readonly checked: number
  /** Of those, recomputed from counts and prices. */
  readonly recomputed: number
  /** At most PROBLEMS_MAX, the newest first. */
  readonly problems: readonly ReceiptProblem[]
  readonly problemCount: number
}

export interface Receipts {
  of(row: RequestRow): Promise<Receipt>
  /** Recomputes every request of a range and compares it with the ledger. */
  check(range: { fromMs: number; toMs: number }): Promise<ReceiptCheck>
}

export const PROBLEMS_MAX = 100
const ROWS_AT_ONCE = 500

export function createReceipts(store: Store): Receipts {
  return {
    async of(row) {
      return (await receiptsOf(store, [row]))[0]!
    },
    async check({ fromMs, toMs }) {
      const problems: ReceiptProblem[] = []
      let [checked, recomputed, problemCount] = [0, 0, 0]
      let cursor: string | undefined
      do {
        const page = await listRequests(store, { filter: { fromMs, toMs }, limit: ROWS_AT_ONCE, cursor })
        const receipts = await receiptsOf(store, page.data)
        for (const [at, row] of page.data.entries()) {
          checked++
          const receipt = receipts[at]!
          if (RECOMPUTED.has(receipt.explanation)) recomputed++
          const problem = problemOf(row, receipt)
          if (problem === null) continue
          problemCount++
          if (problems.length < PROBLEMS_MAX) problems.push({ requestId: row.request_id, problem })
        }
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
      return { checked, recomputed, problems, problemCount }
    },
  }
}

const NO_FACTORS: Factors = { metered: ONE_PPM, charged: ONE_PPM }

/** Two queries for any number of rows. */
async function receiptsOf(store: Store, rows: readonly RequestRow[]): Promise<Receipt[]> {
  if (rows.length === 0) return []
  const versions = [...new Set(rows.flatMap((row) => row.price_version ?? []))]
  const [prices, entries] = await Promise.all([
    findPrices(store, versions),
    store.read
      .selectFrom('ledger_entries')
      .select(['seq', 'request_id', 'amount_nano'])
      .where('type', '=', 'usage')
      .where(
        'request_id',
        'in',
        rows.map((row) => row.request_id),
      )
      .execute(),
  ])
  const byRequest = new Map(entries.map((entry) => [entry.request_id, entry]))
  return rows.map((row) => {
    const entry = byRequest.get(row.request_id)
    const price = row.price_version === null ? undefined : prices.get(row.price_version)
    const cost = price && row.usage_source !== 'none' ? costOf(usageOf(row), price) : null
    return {
      explanation: explanationOf(row, cost),
      lines: cost?.lines ?? null,
      sumPico: cost?.pico ?? null,
      factors: cost && (price!.factors ?? NO_FACTORS),
      ledgerEntry: entry ? { id: `led_${entry.seq}`, amountNano: entry.amount_nano } : null,
    }
  })
}

const RECOMPUTED: ReadonlySet<Explanation> = new Set<Explanation>(['exact', 'insured', 'differs'])

/** An answer that cost something, said nothing, and is neither charged nor more than there was (R91). */
const isInsured = (row: RequestRow): boolean =>
  row.list_cost_nano! > 0n && row.charged_cost_nano === 0n && !row.absorbed_cost_nano && !row.tokens_output

function explanationOf(row: RequestRow, cost: Cost | null): Explanation {
  if (row.list_cost_nano === null || row.usage_source === 'none') return 'released'
  // Its factors follow the name; every other version is a digest.
  if (row.price_version?.startsWith('reported')) return 'reported'
  if (cost === null) return 'price_unknown'
  if (cost.listNano === row.list_cost_nano) {
    if (isInsured(row)) return 'insured'
    const paid = (row.charged_cost_nano ?? 0n) + (row.absorbed_cost_nano ?? 0n)
    if (paid === 0n || paid === cost.nano) return 'exact'
  }
  if (row.adapter?.includes('cohere')) return 'reported'
  if (row.resolved_model?.startsWith('hybrid:') || row.requested_model?.startsWith('hybrid:')) return 'two_legs'
  return 'differs'
}

function problemOf(row: RequestRow, { explanation, ledgerEntry }: Receipt): string | null {
  if (explanation === 'differs')
    return `its counts, price and factors do not give its costs of ${row.list_cost_nano} (list) and ${row.charged_cost_nano} nano-USD (charged)`
  const charged = row.charged_cost_nano ?? 0n
  const booked = -(ledgerEntry?.amountNano ?? 0n)
  return charged === booked ? null : `charged ${charged} nano-USD, the ledger has ${booked}`
}

const usageOf = (row: RequestRow) => ({
  input: row.tokens_input,
  cacheRead: row.tokens_cache_read,
  cacheWrite: row.tokens_cache_write,
  cacheWrite1h: row.tokens_cache_write_1h,
  output: row.tokens_output,
  reasoning: row.tokens_reasoning,
  source: row.usage_source,
})
