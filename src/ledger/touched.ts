import type { CommandCall, Commands } from '#store/commands.ts'
import type { ArgsOf } from '#store/command.ts'
import { keyIdOf } from '#store/request-columns.ts'

/** The funds that a command may change: what a book in memory has to read again behind it. */
export interface Touched {
  readonly accounts: readonly string[]
  readonly keys: readonly string[] | 'all' | { readonly hash: string }
}

const NOTHING: Touched = { accounts: [], keys: [] }
const oneOrNone = (id: string | null): readonly string[] => (id === null ? [] : [id])

const ofAccount = (id: string): Touched => ({ accounts: [id], keys: [] })
const ofAccountId = (args: { readonly accountId: string }): Touched => ofAccount(args.accountId)
const ofKeyHash = ({ hash }: { readonly hash: string }): Touched => ({ accounts: [], keys: { hash } })
const ofRequest = (args: { readonly accountId: string | null; readonly keyId: string | null }): Touched => ({
  accounts: oneOrNone(args.accountId),
  keys: oneOrNone(args.keyId),
})

/** The funds that each command touches; null: none. A new command does not compile before it is listed here. */
const TOUCHES: { readonly [N in keyof Commands]: ((args: ArgsOf<Commands[N]>) => Touched) | null } = {
  credit: ofAccountId,
  creditUntil: ofAccountId,
  expireCredits: ofAccountId,
  redeemVoucher: ofAccountId,
  grantOnce: ofAccountId,
  applyPayment: ofAccountId,
  adoptPaymentEvents: ofAccountId,
  createBudget: (args) => ofAccount(args.account_id),
  changeBudget: ofAccountId,
  removeBudget: ofAccountId,
  putAccountFileBudgets: ofAccountId,
  putFileBudgets: null,
  openAgentSession: null,
  countAgentRequest: ofAccountId,
  stopAgentSession: ofAccountId,
  setAccountStatus: (args) => ofAccount(args.id),
  updateKey: ofKeyHash,
  removeKey: ofKeyHash,
  reserve: ofRequest,
  extendHold: ofRequest,
  settle: ofRequest,
  void: ({ accountId, row }) => ofRequest({ accountId, keyId: keyIdOf(row) }),
  releaseExpired: ({ accountIds }) => ({ accounts: accountIds, keys: 'all' }),
  renewHolds: null,
  claimIdempotencyKey: null,
  releaseIdempotencyKey: null,
  createAccount: null,
  setAccountTier: null,
  setChargeFactor: null,
  setContentLog: null,
  createKey: null,
  rotateKey: null,
  saveKeyCode: null,
  takeKeyCode: null,
  readAccountFunds: null,
  readKeyFunds: null,
  appendRows: null,
  putSetting: null,
  swapSetting: null,
  saveResponse: null,
  removeResponse: null,
  sweepResponses: null,
  saveSeals: null,
  sweepSeals: null,
  swapCounts: null,
  sweepCounts: null,
  sessionQuery: null,
  createVouchers: null,
  revokeVoucher: null,
  createOrder: null,
  noteOrder: null,
  keepPaymentEvent: null,
  putAutoTopup: null,
  failCharge: null,
  putAlertSettings: null,
  raiseAlert: null,
  readAlerts: null,
  claimDelivery: null,
  finishDelivery: null,
  closeStatement: null,
  foldRequests: null,
  pruneRollups: null,
  savePrices: null,
  sweepRows: null,
  appendAudit: null,
  saveContent: null,
  removeContents: null,
  sweepContents: null,
}

/** Which funds a command touches. */
export function touchedBy({ name, args }: CommandCall): Touched {
  const touches = TOUCHES[name] as ((args: unknown) => Touched) | null
  return touches === null ? NOTHING : touches(args)
}
