import { GatewayError } from '#base/errors.ts'
import type { Backend } from '#catalog/types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Selection } from '#data-plane/4-resolve/resolve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Plan, Target } from './plan.ts'

/** A longer `X-Fault` is refused. */
export const FAULT_CHARACTERS_MAX = 256

/** Told to whoever may not play with a real model. */
export const FAULT_IGNORED = 'header=x-fault;action=ignored;reason=only_in_single_user_mode_or_on_test_models'

/**
 * The plan with the faults that the client asked for by `X-Fault` (B12). On the simulator's models they are passed on to it;
 * in single-user mode the simulator takes the place of a real upstream, at no cost. Anyone else's are ignored with a
 * warning. Which faults there are is the simulator's to know. Throws 400.
 */
export function planFaults(
  gateway: Gateway,
  exchange: Exchange,
  parsed: Parsed,
  selection: Selection,
  plan: Plan,
): Plan | Promise<Plan> {
  const { headers } = exchange.request
  const asked = headers['x-fault'] ?? headers['x-simulate-fault']
  if (asked === undefined) return selection.fault === undefined ? plan : { ...plan, fault: selection.fault }
  if (typeof asked !== 'string' || asked.length > FAULT_CHARACTERS_MAX || !/^[\x20-\x7e]*$/.test(asked)) {
    throw invalid('x-fault', `at most ${FAULT_CHARACTERS_MAX} printable characters`)
  }
  const attempt = attemptOf(headers['x-fault-attempt'])
  const change = (to: (target: Target) => Target): Plan => {
    const [first, ...rest] = plan.targets
    const one = (target: Target, index: number): Target =>
      attempt === null || attempt === index + 1 ? { ...to(target), fault: asked } : target
    return { ...plan, fault: asked, targets: [one(first, 0), ...rest.map((target, index) => one(target, index + 1))] }
  }
  if (plan.targets.every(({ route }) => route.backend.type === 'simulator')) return change((target) => target)
  if (gateway.localCaller === null) return { ...plan, warnings: [FAULT_IGNORED] }
  return gateway.simulated().then((backend) => change((target) => simulated(target, backend, parsed, asked)))
}

/** The same target, played by the simulator. */
function simulated(target: Target, backend: Backend, parsed: Parsed, fault: string): Target {
  // The one protocol that the simulator does not speak.
  const protocol = target.protocol === 'bedrock-converse' ? parsed.surface : target.protocol
  const upstreamModel = parsed.operation === 'embed' ? 'sim/embed' : modelFor(fault)
  const { price } = target.route
  const free = price && { ...price, input: 0n, output: 0n, cacheRead: 0n, cacheWrite: 0n, cacheWrite1h: 0n }
  const unpaid = free && { ...free, reasoning: 0n, image: 0n, request: 0n, tiers: [] }
  return { protocol, route: { ...target.route, backend, upstreamModel, price: unpaid } }
}

/** Who can show the fault: some need a tool call or reasoning. */
function modelFor(fault: string): string {
  if (/tool/.test(fault)) return 'test/tools'
  return fault.includes('signature') ? 'test/thinking' : 'test/echo'
}

function attemptOf(text: string | string[] | undefined): number | null {
  if (text === undefined) return null
  if (typeof text === 'string' && /^[1-9]\d?$/.test(text.trim())) return Number(text)
  throw invalid('x-fault-attempt', 'the number of an attempt, from 1')
}

const invalid = (param: string, wanted: string): GatewayError =>
  new GatewayError('invalid_parameter', `Invalid header '${param}': expected ${wanted}.`, { param })
