import { decimalText, type NanoUsd, parseUsd } from '#base/money.ts'
import type { Backend } from '#catalog/types.ts'
import { headersFor, readBytes } from './fetch-model-list.ts'

/** What is left at a provider; null: it sets no bound. */
export interface Credit {
  readonly leftNano: NanoUsd | null
  readonly currency: string
}

type Answered = Readonly<Record<string, unknown>>
type Read = (answer: Answered) => Credit

interface CreditAddress {
  /** Behind the backend's `api_url`. */
  readonly path: string
  readonly read: Read
}

/** Tries one after the other: not every key may ask for the account's credit. */
const ADDRESSES: Readonly<Record<string, readonly CreditAddress[]>> = {
  openrouter: [
    {
      path: '/credits',
      read: ({ data }) => {
        const { total_credits: bought, total_usage: used } = data as { total_credits: number; total_usage: number }
        return { leftNano: amountOf(bought) - amountOf(used), currency: 'USD' }
      },
    },
    {
      path: '/key',
      read: ({ data }) => {
        const { limit_remaining: left } = data as { limit_remaining: number | null }
        return { leftNano: left === null ? null : amountOf(left), currency: 'USD' }
      },
    },
  ],
  deepseek: [
    {
      path: '/user/balance',
      read: ({ balance_infos: infos }) => {
        const [first] = infos as { currency: string; total_balance: string }[]
        return { leftNano: amountOf(first!.total_balance), currency: first!.currency }
      },
    },
  ],
}

/** Whether a backend's provider tells what is left. */
export const tellsCredit = ({ type }: Backend): boolean => type in ADDRESSES

/** What is left at the backend's provider (R109). Throws an Error whose message holds no secret. */
export async function fetchCredit(backend: Backend, waitMs: number): Promise<Credit> {
  const root = backend.apiUrl.replace(/\/+$/, '').replace(backend.type === 'deepseek' ? /\/v1$/ : /$^/, '')
  let failure = new Error('it has no address')
  for (const { path, read } of ADDRESSES[backend.type] ?? []) {
    const url = `${root}${path}`
    try {
      const bytes = await readBytes(url, await headersFor(backend, url, 'openai'), AbortSignal.timeout(waitMs))
      return read(JSON.parse(bytes.toString()) as Answered)
    } catch (thrown) {
      failure = thrown as Error
    }
  }
  throw new Error(`${backend.id}: its credit cannot be read: ${failure.message}`, { cause: failure })
}

/** Providers tell amounts as floats; what is beyond our places is cut off. */
function amountOf(value: number | string): NanoUsd {
  const amount = parseUsd((decimalText(value) ?? '').replace(/(\.\d{9})\d+$/, '$1'))
  if (amount === undefined) throw new Error('its answer is no amount')
  return amount
}
