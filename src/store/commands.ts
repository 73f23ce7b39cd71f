/**
 * Every write of the gateway by its name. The SQLite worker is a thread of its own and finds the bodies here; this file
 * is therefore its composition root, and the one place of the store that knows the folders above it.
 */
import {
  createAccount,
  createKey,
  removeKey,
  rotateKey,
  setAccountStatus,
  setAccountTier,
  setChargeFactor,
  setContentLog,
  updateKey,
} from '#accounts/commands.ts'
import { saveKeyCode, takeKeyCode } from '#accounts/key-codes.ts'
import {
  adoptPaymentEvents,
  applyPayment,
  createOrder,
  createVouchers,
  failCharge,
  grantOnce,
  keepPaymentEvent,
  noteOrder,
  putAutoTopup,
  redeemVoucher,
  revokeVoucher,
} from '#billing/commands.ts'
import { claimDelivery, finishDelivery, putAlertSettings, raiseAlert, readAlerts } from '#billing/alert-commands.ts'
import { changeBudget, createBudget, removeBudget } from '#billing/budget-commands.ts'
import { putAccountFileBudgets, putFileBudgets } from '#billing/file-budget-commands.ts'
import { closeStatement } from '#billing/statement-commands.ts'
import {
  credit,
  extendHold,
  readAccountFunds,
  readKeyFunds,
  releaseExpired,
  renewHolds,
  reserve,
  settle,
  voidHold,
} from '#ledger/commands.ts'
import { creditUntil, expireCredits } from '#ledger/expiring-credits.ts'
import { claimIdempotencyKey, releaseIdempotencyKey } from '#ledger/idempotency.ts'
import { countAgentRequest, openAgentSession, stopAgentSession } from '#ledger/session-commands.ts'
import { openBookings } from '#ledger/bookings.ts'
import { savePrices } from '#analytics/price-book.ts'
import { pruneRollups } from '#analytics/prune.ts'
import { appendAudit } from '#observe/audit-commands.ts'
import { removeContents, saveContent, sweepContents } from '#observe/content-commands.ts'
import { removeResponse, saveResponse, sweepResponses } from '#response-state/commands.ts'
import { saveSeals, sweepSeals } from '#seal-state/commands.ts'
import type { Command } from './command.ts'
import { foldRequests } from './fold-requests.ts'
import { swapCounts, sweepCounts } from './limit-counts.ts'
import { appendRows } from './request-columns.ts'
import { sessionQuery } from './session-query.ts'
import { putSetting, swapSetting } from './settings.ts'
import { sweepRows } from './sweep-rows.ts'

export const COMMANDS = {
  reserve,
  extendHold,
  settle,
  void: voidHold,
  releaseExpired,
  renewHolds,
  credit,
  creditUntil,
  expireCredits,
  claimIdempotencyKey,
  releaseIdempotencyKey,
  readAccountFunds,
  readKeyFunds,
  appendRows,
  createAccount,
  setAccountStatus,
  setAccountTier,
  setChargeFactor,
  setContentLog,
  createKey,
  updateKey,
  removeKey,
  rotateKey,
  saveKeyCode,
  takeKeyCode,
  putSetting,
  swapSetting,
  saveResponse,
  removeResponse,
  sweepResponses,
  saveSeals,
  sweepSeals,
  swapCounts,
  sweepCounts,
  sessionQuery,
  createVouchers,
  revokeVoucher,
  redeemVoucher,
  grantOnce,
  createOrder,
  noteOrder,
  applyPayment,
  keepPaymentEvent,
  adoptPaymentEvents,
  putAutoTopup,
  failCharge,
  createBudget,
  changeBudget,
  removeBudget,
  openAgentSession,
  countAgentRequest,
  stopAgentSession,
  putFileBudgets,
  putAccountFileBudgets,
  putAlertSettings,
  raiseAlert,
  readAlerts,
  claimDelivery,
  finishDelivery,
  closeStatement,
  foldRequests,
  pruneRollups,
  savePrices,
  sweepRows,
  appendAudit,
  saveContent,
  removeContents,
  sweepContents,
}

export type Commands = typeof COMMANDS
export type CommandName = keyof Commands

export interface CommandCall {
  readonly name: CommandName
  readonly args: unknown
}

/** The command of a call, without the types of its arguments: those were checked where `execute` was called. */
export function commandOf(call: CommandCall): Command<unknown, unknown> {
  return COMMANDS[call.name] as Command<unknown, unknown>
}

/** What the SQLite writer runs. */
export const WRITER_PARTS = { commandOf, openBookings }
