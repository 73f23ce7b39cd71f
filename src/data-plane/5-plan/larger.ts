import type { Caller } from '#accounts/types.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Excluded, Target } from './plan.ts'

export const NO_TARGETS: readonly Target[] = []

/** Of the larger models those that can be billed and are not among the targets anyway. */
export function largerOf(
  gateway: Gateway,
  { billing }: Caller,
  { larger }: Selection,
  targets: readonly Target[],
  select: (each: Selection) => readonly Target[],
): readonly Target[] {
  if (larger.length === 0 || !gateway.settings.failureHandling.enabled) return NO_TARGETS
  const known = new Set(targets.map(({ route }) => route.model.id))
  return larger
    .filter(({ model }) => !known.has(model.id))
    .flatMap(select)
    .filter(({ route }) => route.price !== null || billing === 'off')
}

/** Whether the prompt is what keeps the model itself from answering. */
export const isOutgrown = ({ model }: Selection, targets: readonly Target[], excluded: readonly Excluded[]): boolean =>
  excluded.some((each) => isTooSmall(each) && each.route.model.id === model.id) &&
  !targets.some(({ route }) => route.model.id === model.id)

const isTooSmall = ({ reasons }: Excluded): boolean => reasons.includes('context')
