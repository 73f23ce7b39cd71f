import { GatewayError } from '#base/errors.ts'
import type { Analytics } from '#analytics/analytics.ts'
import type { StatsSnapshot } from '#analytics/target-stats.ts'
import type { Call, KeyActor, MasterActor } from './call.ts'

/** Who reads the record: a key its own account's, the master key everybody's (R101, R106). */
export type Reader = KeyActor | MasterActor

/** The account that bounds what this caller sees; undefined: none. */
export const ownAccount = (actor: Reader): string | undefined =>
  actor.kind === 'key' ? actor.caller.account.id : undefined

/** Whoever runs the gateway for himself alone is its operator too. */
export const seesBackends = ({ actor, deps }: Call): boolean => actor.kind === 'master' || deps.settings.disableAuth

/** Throws GatewayError permission_denied where only an operator may ask for backends or accounts. */
export function demandOperator(call: Call, what: string, param: string): void {
  if (seesBackends(call)) return
  throw new GatewayError('permission_denied', `Only the master key may ask by ${what}.`, { param })
}

/** Throws GatewayError not_found while nothing is recorded (R108). */
export function analyticsOf({ deps }: Call): Analytics {
  if (deps.analytics) return deps.analytics
  throw new GatewayError('not_found', 'Accounting is off (usage_tracking.enabled): requests are not recorded.')
}

/** Figures of targets beside a list of models: a list without them is better than none. */
export async function targetStatsOf({ deps }: Call): Promise<StatsSnapshot | null> {
  try {
    return (await deps.analytics?.targets()) ?? null
  } catch {
    return null
  }
}
