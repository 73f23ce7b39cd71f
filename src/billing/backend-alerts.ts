import { formatUsd, type NanoUsd } from '#base/money.ts'
import type { Alerts } from './alerts.ts'

/** What is known of a backend, as the gateway's health tells it. */
export interface BackendTrouble {
  readonly id: string
  readonly state: 'closed' | 'open' | 'half-open'
  /** What its probe found, where it has one. */
  readonly is_down?: boolean
  /** How often its circuit has opened. */
  readonly openings?: number
  readonly credentials: readonly { readonly index: number; readonly trouble: string | null }[]
}

/** What is left of the credit of a backend's credential. */
export interface UpstreamCredit {
  readonly backend: string
  readonly credential: number
  readonly boughtNano: NanoUsd
  readonly leftNano: NanoUsd
}

/** Requests of an account for free models that were refused on one day. */
export interface FreeRefusals {
  readonly accountId: string
  readonly dayStartMs: number
  readonly count: number
}

const DAY_MS = 86_400_000

type Teller = Pick<Alerts, 'raiseForOperator'>

/**
 * Tells the operator of backends that fail and of credentials that they refuse, each once a day (R98). `seen` remembers how often
 * a circuit had opened, so that one that has closed again between two looks is told of too. Gives how many are new.
 */
export async function raiseBackendAlerts(
  alerts: Teller,
  backends: readonly BackendTrouble[],
  nowMs: number,
  seen: Map<string, number> = new Map(),
): Promise<number> {
  const day = Math.floor(nowMs / DAY_MS)
  let raised = 0
  const raise = async (kind: string, mark: string, facts: Readonly<Record<string, unknown>>): Promise<void> => {
    if (await alerts.raiseForOperator(kind, `${kind}:${mark}:${day}`, facts)) raised++
  }
  for (const { id, state, credentials, is_down: isDown = false, openings = 0 } of backends) {
    const hasOpened = openings > (seen.get(id) ?? 0)
    if (state !== 'closed' || isDown || hasOpened) await raise('backend_open', id, { backend: id })
    seen.set(id, openings)
    for (const { index, trouble } of credentials) {
      if (trouble === 'refused')
        await raise('upstream_auth_failed', `${id}:${index}`, { backend: id, credential: index })
    }
  }
  return raised
}

/** Tells the operator of credentials whose credit at the upstream ends, once until more is bought. */
export async function raiseCreditAlerts(
  alerts: Teller,
  credits: readonly UpstreamCredit[],
  belowNano: NanoUsd,
): Promise<number> {
  let raised = 0
  for (const { backend, credential, boughtNano, leftNano } of credits) {
    if (leftNano >= belowNano) continue
    const mark = `upstream_credits_low:${backend}:${credential}:${belowNano}:${boughtNano}`
    const facts = { backend, credential, left: formatUsd(leftNano), below: formatUsd(belowNano) }
    if (await alerts.raiseForOperator('upstream_credits_low', mark, facts)) raised++
  }
  return raised
}

/** Tells the operator of accounts that keep asking for free models beyond their limits, once a day each. 0: never. */
export async function raiseFreeTierAlerts(
  alerts: Teller,
  refusals: readonly FreeRefusals[],
  atLeast: number,
): Promise<number> {
  if (atLeast === 0) return 0
  let raised = 0
  for (const { accountId, dayStartMs, count } of refusals) {
    if (count < atLeast) continue
    const mark = `free_tier_abuse:${accountId}:${dayStartMs}`
    const facts = { account: accountId, refused: count, threshold: atLeast, period: 'daily' }
    if (await alerts.raiseForOperator('free_tier_abuse', mark, facts)) raised++
  }
  return raised
}
