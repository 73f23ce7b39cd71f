/**
 * The tests that every engine must pass under the same names (R124). An engine's test file gives the harness; no part of
 * ours is replaced, and the clock is an argument.
 */
import { accountContract } from './contract-accounts.ts'
import { agentContract } from './contract-agents.ts'
import { alertKindContract } from './contract-alert-kinds.ts'
import { alertContract } from './contract-alerts.ts'
import type { Harness } from './contract-books.ts'
import { budgetContract } from './contract-budgets.ts'
import { fileBudgetContract } from './contract-file-budgets.ts'
import { expiryContract } from './contract-expiry.ts'
import { contentContract } from './contract-contents.ts'
import { growthContract } from './contract-growth.ts'
import { idempotencyContract } from './contract-idempotency.ts'
import { ledgerContract } from './contract-ledger.ts'
import { limitContract } from './contract-limits.ts'
import { postingContract } from './contract-postings.ts'
import { responseContract } from './contract-responses.ts'
import { rowContract } from './contract-rows.ts'
import { rollupContract } from './contract-rollups.ts'
import { sealContract } from './contract-seals.ts'
import { sessionContract } from './contract-sessions.ts'
import { settingContract } from './contract-settings.ts'
import { statementContract } from './contract-statements.ts'
import { tierContract } from './contract-tiers.ts'
import { topupContract } from './contract-topup.ts'

/** Registers the whole contract for one engine. */
export function storeContract(harness: Harness): void {
  moneyContract(harness)
  recordContract(harness)
}

/** What goes through a ledger: for each kind of them. */
export function moneyContract(harness: Harness): void {
  ledgerContract(harness)
  growthContract(harness)
  postingContract(harness)
  expiryContract(harness)
  idempotencyContract(harness)
  rowContract(harness)
  sessionContract(harness)
  topupContract(harness)
  budgetContract(harness)
  fileBudgetContract(harness)
  agentContract(harness)
  statementContract(harness)
  alertContract(harness)
  alertKindContract(harness)
}

/** What no ledger has a part in. */
function recordContract(harness: Harness): void {
  accountContract(harness)
  responseContract(harness)
  limitContract(harness)
  sealContract(harness)
  contentContract(harness)
  settingContract(harness)
  tierContract(harness)
  rollupContract(harness)
}
