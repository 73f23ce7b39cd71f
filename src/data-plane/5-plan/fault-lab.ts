import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Backend, Price } from '#catalog/types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Loss } from '#ir/extensions.ts'
import { withOthers } from './break-glass.ts'
import { repriced } from './bound.ts'
import { type Plan, type Target, type TargetFault } from './plan.ts'

/** A longer `X-Fault` is refused. */
export const FAULT_CHARACTERS_MAX = 256

/** Told to whoever may not play with a real model. */
export const FAULT_IGNORED: Loss = {
  path: '/x-fault',
  action: 'dropped',
  reason: 'only with a test key or in single-user mode or on test models',
  isSevere: false,
}

/**
 * The plan with the faults that the client asked for by `X-Fault` (B12), or by a model's name. On the simulator's models they
 * are passed on to it; in single-user mode the simulator takes the place of a real upstream where a fault is asked for, and for a key of
 * the environment `test` at every attempt, so that such a key never reaches a provider. What it plays costs nothing. Anyone else's faults
 * are ignored with a warning. Which faults there are is the simulator's to know. Throws 400.
 */
export function planFaults(
  gateway: Gateway,
  { key }: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
): Plan | Promise<Plan> {
  const { headers } = exchange.request
  const asked = headers['x-fault'] ?? headers['x-simulate-fault']
  const isTest = key !== null && key.environment === 'test'
  if (asked === undefined) {
    const { fault } = plan.targets[0].selection
    const named = fault === null ? plan : { ...plan, fault }
    return isTest ? withoutProviders(gateway, parsed, named, '') : named
  }
  if (typeof asked !== 'string' || asked.length > FAULT_CHARACTERS_MAX || !/^[\x20-\x7e]*$/.test(asked)) {
    throw invalid('x-fault', `at most ${FAULT_CHARACTERS_MAX} printable characters`)
  }
  const wanted = { asked, attempt: attemptOf(headers['x-fault-attempt']) }
  const play = (target: Target): Target => played(target, wanted)
  if (everyTarget(plan).every(isSimulated)) return faulted(plan, play)
  if (isTest) return withoutProviders(gateway, parsed, plan, asked).then((moved) => faulted(moved, play))
  if (key !== null) {
    const ignored = { ...plan, losses: [FAULT_IGNORED] }
    if (!everyTarget(plan).some(isSimulated)) return ignored
    return faulted(ignored, (target) => (isSimulated(target) ? play(target) : target))
  }
  return gateway
    .simulated()
    .then((backend) =>
      faulted(plan, (target) => (isSimulated(target) ? play(target) : replaced(target, backend, parsed, wanted))),
    )
}

/** The plan of a key that is for tests: the simulator takes every provider's place. */
async function withoutProviders(gateway: Gateway, parsed: Parsed, plan: Plan, asked: string): Promise<Plan> {
  const backend = await gateway.simulated()
  const { caching: _, ...rest } = faulted(plan, (target) =>
    isSimulated(target) ? target : { ...target, ...simulated(target, backend, parsed, asked) },
  )
  return rest
}

type Wanted = Pick<TargetFault, 'asked' | 'attempt'>

const isSimulated = ({ route }: Target): boolean => route.backend.type === 'simulator'

const everyTarget = ({ targets, larger = [], glass = [], reasoning }: Plan): readonly Target[] => [
  ...withOthers(targets, larger, glass),
  ...(reasoning?.targets ?? []),
]

/** Money is held for what may still cost some. Both legs of a model of two are concerned. */
function faulted(plan: Plan, change: (target: Target) => Target): Plan {
  const [first, ...rest] = plan.targets
  const targets = [change(first), ...rest.map(change)] as const
  const larger = plan.larger?.map(change)
  const glass = plan.glass?.map((door) => ({ ...door, target: change(door.target) }))
  const routes = withOthers(targets, larger ?? [], glass ?? []).flatMap(({ route, fault }) => {
    if (!fault) return [{ route }]
    return fault.attempt === null ? [fault] : [{ route }, fault]
  })
  const fault = targets.find((target) => target.fault)?.fault?.asked
  return {
    ...plan,
    targets,
    bound: plan.bound && repriced(plan.bound, routes),
    ...(fault !== undefined && { fault }),
    ...(larger && { larger }),
    ...(glass && { glass }),
    ...(plan.reasoning && { reasoning: { ...faulted(plan.reasoning, change), asked: plan.reasoning.asked } }),
  }
}

/** A target that is the simulator's already. */
function played(target: Target, wanted: Wanted): Target {
  const route = { ...target.route, price: unpaid(target.route.price) }
  return { ...target, route, fault: { ...wanted, route, protocol: target.protocol } }
}

/** A real target whose place the simulator takes where a fault is asked for. */
function replaced(target: Target, backend: Backend, parsed: Parsed, wanted: Wanted): Target {
  return { ...target, fault: { ...wanted, ...simulated(target, backend, parsed, wanted.asked) } }
}

function simulated(
  target: Target,
  backend: Backend,
  parsed: Parsed,
  asked: string,
): Pick<Target, 'route' | 'protocol'> {
  // The protocols that the simulator does not speak.
  const isForeign = target.protocol === 'bedrock-converse' || target.protocol === 'cohere-chat'
  const protocol = isForeign ? parsed.surface : target.protocol
  const upstreamModel = parsed.operation === 'embed' ? 'sim/embed' : modelFor(asked)
  return { route: { ...target.route, backend, upstreamModel, price: unpaid(target.route.price) }, protocol }
}

function unpaid(price: Price | null): Price | null {
  if (price === null) return null
  const prompt = { input: 0n, cacheRead: 0n, cacheWrite: 0n, cacheWrite1h: 0n }
  return { ...price, ...prompt, output: 0n, reasoning: 0n, image: 0n, request: 0n, tiers: [] }
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
