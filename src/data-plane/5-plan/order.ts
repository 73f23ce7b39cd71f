import type { Model, Price, Strategy } from '#catalog/types.ts'
import type { Sort } from '#data-plane/4-resolve/selection.ts'
import type { Speed } from '#health/target-speed.ts'
import type { Target } from './plan.ts'

/** What an order depends on besides the targets. `random` gives numbers from 0 to below 1. */
export interface OrderTerms {
  readonly surface: string
  readonly strategy: Strategy
  /** What the client asks the routes to be sorted by; stronger than the strategy. */
  readonly sort: Sort | null
  /** Stable per account, model, group and protocol, for `hash_affinity`. */
  readonly affinity: string
  readonly random: () => number
  readonly speedOf: (target: Target) => Speed
  /** The next number of a turn that is taken under this name. */
  readonly turn: (name: string) => number
  /** When the target was picked last, on any clock; 0: never. */
  readonly lastUsed: (target: Target) => number
}

/**
 * Targets of one model, best first (R66): those that speak the client's protocol, then by priority (lower wins, C8), and among
 * equals by the strategy. A weight of 0 is a last resort.
 */
export function orderTargets(targets: readonly Target[], model: Model, terms: OrderTerms): readonly Target[] {
  if (targets.length < 2) return targets
  if (terms.sort) return sortTargets(targets, terms.sort, terms.speedOf)
  const ranked = Map.groupBy(targets, (target) => rankOf(target, terms.surface))
  return [...ranked.keys()]
    .toSorted((left, right) => left - right)
    .flatMap((rank) => orderEquals(ranked.get(rank)!, model, terms))
}

/** Targets by what the client asks for alone, of one model or of several. */
export const sortTargets = (targets: readonly Target[], sort: Sort, speedOf: SpeedOf): readonly Target[] =>
  sortBy(targets, (target) => costOfSort(target, sort, { speedOf }))

type SpeedOf = OrderTerms['speedOf']

const FOREIGN = 1e9
const LAST_RESORT = 1e12

/** Lower comes first, whatever the strategy. */
export function rankOf({ route, protocol }: Target, surface: string): number {
  return (route.weight === 0 ? LAST_RESORT : 0) + (protocol === surface ? 0 : FOREIGN) + route.priority
}

function orderEquals(targets: readonly Target[], model: Model, terms: OrderTerms): readonly Target[] {
  if (targets.length < 2) return targets
  const { strategy, random } = terms
  switch (strategy) {
    case 'weighted_random':
      return shuffled(targets, ({ route }) => route.weight || 1, random)
    case 'price_weighted':
      return shuffled(targets, ({ route }) => 1 / Math.max(blended(route.price), 1) ** 2, random)
    case 'round_robin':
      return rotated(targets, terms.turn(`${model.id} ${targets.map(({ route }) => route.backend.id).join(' ')}`))
    case 'least_recently_used':
      return sortBy(targets, terms.lastUsed)
    case 'hash_affinity':
      return sortBy(targets, ({ route }) => -hashOf(`${terms.affinity} ${route.backend.id} ${route.upstreamModel}`))
    case 'lowest_price':
      return sortBy(targets, (target) => costOfSort(target, 'price', terms))
    case 'lowest_latency':
      return sortBy(targets, (target) => costOfSort(target, 'latency', terms))
    case 'highest_throughput':
      return sortBy(targets, (target) => costOfSort(target, 'throughput', terms))
    default: {
      const missed: never = strategy
      throw new Error(`unknown strategy ${String(missed)}`)
    }
  }
}

/** Lower is better. A target that nobody has measured yet goes first, so that it is. */
function costOfSort(target: Target, sort: Sort, { speedOf }: Pick<OrderTerms, 'speedOf'>): number {
  if (sort === 'price') return blended(target.route.price)
  const speed = speedOf(target)
  return sort === 'latency' ? (speed.ttftMs ?? 0) : -(speed.tokensPerSecond ?? Infinity)
}

/** Input and output, three to one as most traffic is, in pico-USD as the operator pays (R93); only ever compared. Unpriced is dearest. */
export const blended = (price: Price | null): number =>
  price === null ? Infinity : (Number(price.input * 3n + price.output) / 4) * meteredFactor(price)

const meteredFactor = ({ factors }: Price): number => (factors ? Number(factors.metered) / 1e6 : 1)

/** Stable: equals stay in their order. */
const sortBy = (targets: readonly Target[], cost: (target: Target) => number): readonly Target[] =>
  targets
    .map((target) => ({ target, cost: cost(target) }))
    .toSorted((left, right) => (left.cost === right.cost ? 0 : left.cost - right.cost))
    .map(({ target }) => target)

const rotated = (targets: readonly Target[], by: number): readonly Target[] => {
  const at = by % targets.length
  return [...targets.slice(at), ...targets.slice(0, at)]
}

/** A random order in which each next one is drawn by weight. */
function shuffled(targets: readonly Target[], weightOf: (target: Target) => number, random: () => number): Target[] {
  const left = targets.map((target) => ({ target, weight: weightOf(target) }))
  const order: Target[] = []
  while (left.length > 0) {
    let at = random() * left.reduce((sum, { weight }) => sum + weight, 0)
    let index = left.findIndex(({ weight }) => (at -= weight) < 0)
    if (index < 0) index = left.length - 1
    order.push(...left.splice(index, 1).map(({ target }) => target))
  }
  return order
}

/** FNV-1a and a final mix; the highest wins (rendezvous), so that a backend that goes moves only its own accounts. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  return hash >>> 0
}
