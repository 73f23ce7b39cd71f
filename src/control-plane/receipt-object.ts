import type { Receipt } from '#analytics/receipts.ts'
import { ONE_PPM } from '#base/factors.ts'
import { formatPriceEach, formatPricePerMillion, formatUsd, type NanoUsd } from '#base/money.ts'
import type { RequestRow } from '#observe/request-row.ts'

/**
 * How the cost came about (B6): disjoint token classes, who reported them, what each costs at which price, the one rounding and
 * the entry of the ledger. Amounts and prices are decimal strings in USD; a price is for one token (image, request).
 */
export function receiptObject(row: RequestRow, receipt: Receipt): Record<string, unknown> {
  const { explanation, lines, sumPico, factors, ledgerEntry } = receipt
  return {
    usage_source: row.usage_source,
    tokens: {
      input: row.tokens_input,
      cache_read: row.tokens_cache_read,
      cache_write: row.tokens_cache_write,
      cache_write_1h: row.tokens_cache_write_1h,
      output: row.tokens_output,
      reasoning: row.tokens_reasoning,
    },
    lines:
      lines &&
      lines.map((line) => ({
        class: line.class,
        count: line.count,
        // Images and requests are counted by us.
        origin: line.class === 'image' || line.class === 'request' ? 'gateway' : row.usage_source,
        price: formatPriceEach(line.price),
        amount: formatPriceEach(line.pico),
      })),
    sum: sumPico === null ? null : formatPriceEach(sumPico),
    factors: factors && {
      metered: formatPricePerMillion(factors.metered),
      charged: formatPricePerMillion(factors.charged),
      account: formatPricePerMillion(factors.account ?? ONE_PPM),
    },
    explanation,
    // The name that the requirements give it.
    reason: explanation,
    list_cost: textOrNull(row.list_cost_nano),
    metered_cost: textOrNull(row.metered_cost_nano),
    charged_cost: textOrNull(row.charged_cost_nano),
    absorbed_cost: textOrNull(row.absorbed_cost_nano),
    price_version: row.price_version,
    ledger_entry: ledgerEntry && { id: ledgerEntry.id, amount: formatUsd(ledgerEntry.amountNano) },
  }
}

const textOrNull = (amount: NanoUsd | null): string | null => (amount === null ? null : formatUsd(amount))
