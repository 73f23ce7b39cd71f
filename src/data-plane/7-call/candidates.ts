import type { Target } from '#data-plane/5-plan/plan.ts'
import type { TargetHealth } from '#health/target-health.ts'

/** What is left to be tried of one request, best first (R67, R71). */
export class Candidates {
  /** With every target paused, to try is better than to refuse: then all of them are left. */
  readonly isAllPaused: boolean
  private readonly health: Pick<TargetHealth, 'admits'>
  private rest: readonly Target[]

  constructor(targets: readonly Target[], health: Pick<TargetHealth, 'admits'>) {
    this.health = health
    const admitted = targets.filter(({ route }) => health.admits(route))
    this.isAllPaused = admitted.length === 0
    this.rest = this.isAllPaused ? targets : admitted
  }

  get isEmpty(): boolean {
    return this.rest.length === 0
  }

  /** Takes out the first one. After a failure some time has passed: one that was paused meanwhile waits for the others. */
  next(isRetry: boolean): Target {
    const working = isRetry ? this.rest.findIndex(({ route }) => this.health.admits(route)) : 0
    const index = Math.max(0, working)
    const target = this.rest[index]!
    this.rest = index === 0 ? this.rest.slice(1) : this.rest.filter((other) => other !== target)
    return target
  }

  /** Behind all others. */
  append(targets: readonly Target[]): void {
    this.rest = [...this.rest, ...targets]
  }

  /** Every other target of this model would say the same. */
  skipModel(modelId: string): void {
    this.rest = this.rest.filter(({ route }) => route.model.id !== modelId)
  }
}
