/**
 * The tests that every engine must pass under the same names (R124). An engine's test file gives the harness; no part of
 * ours is replaced, and the clock is an argument.
 */
import { accountContract } from './contract-accounts.ts'
import type { Harness } from './contract-books.ts'
import { ledgerContract } from './contract-ledger.ts'
import { limitContract } from './contract-limits.ts'
import { responseContract } from './contract-responses.ts'
import { rowContract } from './contract-rows.ts'
import { rollupContract } from './contract-rollups.ts'
import { sealContract } from './contract-seals.ts'

/** Registers the whole contract for one engine. */
export function storeContract(harness: Harness): void {
  ledgerContract(harness)
  accountContract(harness)
  rowContract(harness)
  responseContract(harness)
  limitContract(harness)
  sealContract(harness)
  rollupContract(harness)
}
