import type { NanoUsd } from '#base/money.ts'
import type { Cost } from '#ledger/cost.ts'
import type { HoldResult, Ledger } from '#ledger/types.ts'
import type { Holder } from './hold-guard.ts'

/**
 * What an answer tells as its cost: what its account will be charged (R100). Where it costs more than was held, what is left of the
 * money is held as well before anything is told; the rest is absorbed (R94).
 */
export class Charge {
  /** Null where nothing is charged. */
  heldNano: NanoUsd | null
  private readonly ledger: Ledger
  private readonly holder: Holder
  /** The largest cost that money was asked for. */
  private askedNano = 0n

  constructor(ledger: Ledger, holder: Holder, heldNano: NanoUsd | null) {
    this.ledger = ledger
    this.holder = holder
    this.heldNano = heldNano
  }

  /** Whether `ask` has to come before `told`. */
  exceeds(cost: Cost | null): cost is Cost {
    return cost !== null && this.heldNano !== null && cost.nano > this.heldNano && cost.nano > this.askedNano
  }

  /** Holds as much of a cost as there is; a promise where the store is asked. Never fails: what cannot be held is not told. */
  ask({ nano }: Cost): Promise<void> | null {
    this.askedNano = nano
    const wantNano = nano - this.heldNano!
    const result = this.ledger.extend({ ...this.holder, wantNano, floorNano: 0n })
    if (!(result instanceof Promise)) return this.add(result)
    return result.then(
      (told) => void this.add(told),
      () => undefined,
    )
  }

  /** The cost with what is charged of it. */
  told(cost: Cost | null): Cost | null {
    const { heldNano } = this
    return cost === null || heldNano === null || cost.nano <= heldNano ? cost : { ...cost, nano: heldNano }
  }

  private add(result: HoldResult): null {
    if (result.granted) this.heldNano! += result.amountNano
    return null
  }
}
