import type { Caller, KeyBreakGlass } from '#accounts/types.ts'
import { parseUsd } from '#base/money.ts'
import type { BreakGlassRule, Route } from '#catalog/types.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Target } from './plan.ts'

/** A target that is asked when no other one answers, until its money is spent (B11). */
export interface GlassTarget {
  readonly target: Target
  readonly rule: BreakGlassRule
  /** Names the rule among all. */
  readonly id: string
}

export interface GlassDoor {
  readonly rule: BreakGlassRule
  readonly id: string
  readonly route: Route
}

export const NO_DOORS: readonly GlassDoor[] = []

/** The rules of the key, of the model, then of its group, with the route that each leads to. Who names a backend wants no other. */
export function doorsOf(gateway: Gateway, { key }: Caller, selection: Selection): readonly GlassDoor[] {
  const { model, group, routes, isPinned } = selection
  const ofKey = key?.policy?.breakGlass
  const { current } = gateway.catalog
  const ofGroup = current.groups.get(group)?.breakGlass
  if ((!ofKey && !model.breakGlass && !ofGroup) || isPinned) return NO_DOORS
  const named = [
    ...(ofKey ?? []).map((rule) => ({ rule: ruleOf(rule), id: `key ${key!.id} ${rule.use} ${rule.period}` })),
    ...(model.breakGlass ?? []).map((rule) => ({ rule, id: `model ${model.id} ${rule.use} ${rule.period}` })),
    ...(ofGroup ?? []).map((rule) => ({ rule, id: `group ${group} ${rule.use} ${rule.period}` })),
  ]
  return named.flatMap(({ rule, id }) => {
    const backend = current.backends.get(rule.use)
    if (!backend?.enabled) return []
    const own = current.routes.get(model.id)?.filter((route) => route.backend.id === rule.use) ?? []
    const listed = own.find((route) => route.group === group) ?? own[0]
    const plain = { upstreamModel: model.id, protocols: backend.protocols, price: model.price, defaultParams: {} }
    return [{ rule, id, route: listed ? { ...listed, group } : { ...routes[0]!, ...plain, backend } }]
  })
}

const ruleOf = ({ maxUsd, ...rule }: KeyBreakGlass): BreakGlassRule => ({ ...rule, maxNano: parseUsd(maxUsd) ?? 0n })

/** A backend that is kept for emergencies is none of the usual ones, unless there is no other. */
export function withoutDoors(selection: Selection, doors: readonly GlassDoor[]): Selection {
  if (doors.length === 0) return selection
  const usual = selection.routes.filter(({ backend }) => !doors.some(({ rule }) => rule.use === backend.id))
  return usual.length === 0 || usual.length === selection.routes.length ? selection : { ...selection, routes: usual }
}

/** Those that may serve the request, by the same rules as any other. */
export const behindDoors = (
  doors: readonly GlassDoor[],
  selection: Selection,
  select: (each: Selection) => readonly Target[],
): readonly GlassTarget[] =>
  doors.flatMap(({ route, ...door }) =>
    select({ ...selection, routes: [route] }).map((target) => ({ ...door, target })),
  )

/** All that may be asked: money is held for the dearest. */
export const withOthers = (
  targets: readonly Target[],
  larger: readonly Target[],
  glass: readonly GlassTarget[],
): readonly Target[] =>
  larger.length + glass.length === 0 ? targets : [...targets, ...larger, ...glass.map(({ target }) => target)]
