import type { CommandCall, Commands } from '#store/commands.ts'
import type { ArgsOf } from '#store/command.ts'

/** The funds that a command may change: what a book in memory has to read again behind it. */
export interface Touched {
  readonly accounts: readonly string[]
  readonly keys: readonly string[] | 'all'
}

const NOTHING: Touched = { accounts: [], keys: [] }

/** Which funds a command touches. A new command does not compile before it is listed here. */
export function touchedBy({ name, args }: CommandCall): Touched {
  switch (name) {
    case 'credit':
      return { accounts: [(args as ArgsOf<Commands['credit']>).accountId], keys: [] }
    case 'setAccountStatus':
      return { accounts: [(args as ArgsOf<Commands['setAccountStatus']>).id], keys: [] }
    case 'updateKey':
    case 'removeKey':
      // They name a key by its hash. They are rare, and reading all keys in use again is cheap.
      return { accounts: [], keys: 'all' }
    case 'reserve':
    case 'settle': {
      const { accountId, keyId } = args as ArgsOf<Commands['reserve' | 'settle']>
      return { accounts: accountId === null ? [] : [accountId], keys: keyId === null ? [] : [keyId] }
    }
    case 'void': {
      const { accountId } = args as ArgsOf<Commands['void']>
      return { accounts: accountId === null ? [] : [accountId], keys: 'all' }
    }
    case 'releaseExpired':
      return { accounts: (args as ArgsOf<Commands['releaseExpired']>).accountIds, keys: 'all' }
    case 'createAccount':
    case 'createKey':
    case 'readAccountFunds':
    case 'readKeyFunds':
    case 'appendRows':
    case 'putSetting':
      return NOTHING
    default:
      return name satisfies never
  }
}
