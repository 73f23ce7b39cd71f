import { GatewayError } from '#base/errors.ts'
import type { GlassTarget } from '#data-plane/5-plan/break-glass.ts'
import type { BreakGlassRule } from '#catalog/types.ts'
import { periodStarts } from '#ledger/periods.ts'
import type { GlassGrant } from '#limits/break-glass.ts'
import type { Asked } from './asked.ts'
import type { Failed } from './try-target.ts'

/** Why everything else failed. */
export type Reason = BreakGlassRule['on'][number]

/** Null where some failure is of another kind, a limit or a wrong request: then no emergency is on. */
export function reasonsOf(failures: readonly Failed[]): readonly Reason[] | null {
  const reasons: Reason[] = []
  for (const { failure, verdict } of failures) {
    const reason = failure.status === 402 ? '402' : verdict.trouble === 'failed' ? 'outage' : null
    if (reason === null) return null
    if (!reasons.includes(reason)) reasons.push(reason)
  }
  return reasons.length === 0 ? null : reasons
}

export const concerns = ({ rule }: GlassTarget, reasons: readonly Reason[]): boolean =>
  reasons.every((reason) => rule.on.includes(reason))

/** Null when what the rule allows is spent. The operator is told of the first request of a period. Rejects with store_unavailable. */
export async function breakGlass(
  { gateway, hold, exchange }: Asked,
  { rule, id, target }: GlassTarget,
  reasons: readonly Reason[],
): Promise<GlassGrant | null> {
  const { dayStartMs, weekStartMs, monthStartMs } = periodStarts(gateway.limits.nowMs())
  const sinceMs = { daily: dayStartMs, weekly: weekStartMs, monthly: monthStartMs }[rule.period]
  const grant = await gateway.breakGlass.take(id, rule.maxNano, sinceMs, hold.amountNano)
  if (grant?.isFirst && rule.notify) {
    const about = { model: target.route.model.id, backend: rule.use, reasons }
    gateway.log.warn({ requestId: exchange.id, ...about }, 'all other backends failed: a break-glass backend is in use')
    gateway.tellOperator('break_glass_in_use', `break_glass_in_use:${id}:${sinceMs}`, { ...about, period: rule.period })
  }
  return grant
}

export const spentError = ({ rule }: GlassTarget): GatewayError =>
  new GatewayError(
    'budget_exceeded',
    `The operator's accounts are out of credit, and so is the ${rule.period} budget for such a case.`,
  )
