import type { Caller } from '#accounts/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Heading } from '#data-plane/4-resolve/resolve.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'
import { asChat } from '#data-plane/as-chat.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { REASONING_BYTES_MAX } from '#data-plane/reasoning-leg.ts'
import { type Excluded, type Plan, planTargets, type Target } from './plan.ts'

/** As `planTargets`, and with the plan of the leg that reasons first where the model has two (R40). */
export function planLegs(
  gateway: Gateway,
  caller: Caller,
  parsed: Parsed,
  selection: Selection,
  exchange: Heading,
  excluded: Excluded[] = [],
): Plan {
  const plan = planTargets(gateway, caller, parsed, selection, exchange, excluded)
  // Only the second one's prompt is counted.
  if (!selection.reasoning || parsed.operation !== 'generate') return plan
  const asked = asChat(parsed, gateway.settings.limits.jsonDepthMax)
  // The client's limit is about the answer; how long is thought about it is the model's own.
  const facts = { ...asked.facts, outputTokensMax: null, candidates: 1 }
  const leg = planTargets(gateway, caller, { ...asked, facts, stream: true }, selection.reasoning, exchange, excluded)
  const [first, ...others] = leg.targets
  const reasoning = { ...leg, asked, targets: [reasonsMost(first), ...others.map(reasonsMost)] as const }
  const { bound } = plan
  const timeoutMs = gateway.settings.hybrid.executionModelTimeoutMs
  const [main, ...rest] = plan.targets
  const targets = [{ ...main, timeoutMs }, ...rest.map((target) => ({ ...target, timeoutMs }))] as const
  // A token is at least one byte of the text that is added to the prompt.
  const widened = bound && { ...bound, inputTokensMax: bound.inputTokensMax + REASONING_BYTES_MAX }
  return { ...plan, targets, bound: widened, reasoning }
}

/** Unless the leg itself names an effort. */
function reasonsMost(target: Target): Target {
  const { selection } = target
  const parameters = { reasoning_effort: 'max', ...selection.parameters }
  return { ...target, selection: { ...selection, parameters } }
}
