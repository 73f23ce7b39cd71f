/**
 * The parity predicate: after the drain, what the upstream sold, what clients received, what the ledger booked and
 * what the log holds are the same number, and the balance is the sum of the entries. A run that breaks it is void,
 * whatever its speed.
 */
import { formatUsd } from '#base/money.ts'
import type { Gateway } from '#test/faults/gateway.ts'
import type { Outcome } from './parts.ts'
import type { Payer } from './subjects.ts'

export interface ParityReport {
  readonly part: string
  readonly upstreamRequests: number
  readonly successes: number
  readonly ledgerEntries: number
  readonly rows: number
  readonly balanceIsSum: boolean
  readonly held: string
  readonly holds: boolean
}

const DRAIN_MS_MAX = 5000
/** Compares the books of one part. `outcomes` are all its points, `payer` the account that paid for them and for nothing else. */
export async function checkParity(
  gateway: Gateway,
  part: string,
  payer: Payer,
  outcomes: readonly Outcome[],
): Promise<ParityReport> {
  const successes = outcomes.reduce((sum, outcome) => sum + outcome.gatewaySuccesses, 0)
  const upstreamRequests = outcomes.reduce((sum, outcome) => sum + outcome.gatewayUpstreamRequests, 0)
  const books = await gateway.settledBooks(payer.accountId, DRAIN_MS_MAX).catch(() => gateway.books(payer.accountId))
  const booked = new Set(books.usage.map((entry) => entry.request_id)).size
  const rows = (await gateway.logs(undefined, payer.accountId)).filter((row) => row.status === 'ok').length
  const balanceIsSum = books.sum === books.balance
  const counts = [upstreamRequests, successes, books.usage.length, booked, rows]
  return {
    part,
    upstreamRequests,
    successes,
    ledgerEntries: books.usage.length,
    rows,
    balanceIsSum,
    held: formatUsd(books.held),
    holds: balanceIsSum && books.held === 0n && new Set(counts).size === 1,
  }
}
