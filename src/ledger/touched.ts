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

/** Which funds a command touches. A new command does not compile before it is listed here. */
export function touchedBy({ name, args }: CommandCall): Touched {
  switch (name) {
    case 'credit':
      return { accounts: [(args as ArgsOf<Commands['credit']>).accountId], keys: [] }
    case 'createBudget':
      return { accounts: [(args as ArgsOf<Commands['createBudget']>).account_id], keys: [] }
    case 'redeemVoucher':
    case 'grantOnce':
    case 'applyPayment':
    case 'adoptPaymentEvents':
    case 'changeBudget':
    case 'removeBudget':
      return { accounts: [(args as ArgsOf<Commands['applyPayment' | 'redeemVoucher']>).accountId], keys: [] }
    case 'setAccountStatus':
      return { accounts: [(args as ArgsOf<Commands['setAccountStatus']>).id], keys: [] }
    case 'updateKey':
    case 'removeKey':
      return { accounts: [], keys: { hash: (args as ArgsOf<Commands['updateKey' | 'removeKey']>).hash } }
    case 'reserve':
    case 'extendHold':
    case 'settle': {
      const { accountId, keyId } = args as ArgsOf<Commands['reserve' | 'settle']>
      return { accounts: oneOrNone(accountId), keys: oneOrNone(keyId) }
    }
    case 'void': {
      const { accountId, row } = args as ArgsOf<Commands['void']>
      return { accounts: oneOrNone(accountId), keys: oneOrNone(keyIdOf(row)) }
    }
    case 'releaseExpired':
      return { accounts: (args as ArgsOf<Commands['releaseExpired']>).accountIds, keys: 'all' }
    case 'claimIdempotencyKey':
    case 'createAccount':
    case 'setAccountTier':
    case 'createKey':
    case 'rotateKey':
    case 'saveKeyCode':
    case 'takeKeyCode':
    case 'readAccountFunds':
    case 'readKeyFunds':
    case 'appendRows':
    case 'putSetting':
    case 'swapSetting':
    case 'saveResponse':
    case 'removeResponse':
    case 'sweepResponses':
    case 'saveSeals':
    case 'sweepSeals':
    case 'swapCounts':
    case 'sweepCounts':
    case 'sessionQuery':
    case 'createVouchers':
    case 'revokeVoucher':
    case 'createOrder':
    case 'noteOrder':
    case 'keepPaymentEvent':
    case 'putAutoTopup':
    case 'failCharge':
    case 'putAlertSettings':
    case 'raiseAlert':
    case 'claimDelivery':
    case 'finishDelivery':
    case 'closeStatement':
    case 'foldRequests':
    case 'pruneRollups':
    case 'savePrices':
    case 'sweepRows':
    case 'appendAudit':
      return NOTHING
    default:
      return name satisfies never
  }
}
