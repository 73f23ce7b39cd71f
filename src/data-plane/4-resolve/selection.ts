import type { Model, Route } from '#catalog/types.ts'
import type { Loss } from '#ir/extensions.ts'
import type { Fault, UriParameters } from './uri-parameters.ts'

/** The model a request means, and every route that may serve it. */
export interface Selection {
  readonly model: Model
  readonly routes: readonly Route[]
  readonly group: string
  /** The model string as the client wrote it. */
  readonly requested: string
  /** What was looked up: after aliases, without parameters. */
  readonly resolved: string
  /** Index of the alias that rewrote the string (R39). */
  readonly aliasRule: number | null
  /** The operator's rule that sent the request here (R75); absent: none did. */
  readonly rule?: string
  /** Of the string's `?query` (R30). */
  readonly parameters: UriParameters
  /** Whether reasoning was asked for by the `-thinking` suffix (R33). */
  readonly thinking: boolean
  /** What the id asks its routes to be sorted by (`:floor`, `:nitro`); null: the usual way. */
  readonly sort: Sort | null
  /** Whether the client named the backend itself: then only its keys and instances are tried (R29). */
  readonly isPinned: boolean
  /** Whether its key may use some models only (R18): no upstream is left to choose another one. */
  readonly isRestricted?: boolean
  /** What is tried when no backend of this model answers, in this order (R68). */
  readonly fallbacks: readonly Selection[]
  /** What is looked at when the prompt does not fit into this model's window (R73). */
  readonly larger: readonly Selection[]
  /** Set when selection and fallbacks take turns in being first: the name of the turn. */
  readonly rotation: string | null
  /** The model that reasons before this one answers (R40). */
  readonly reasoning?: Selection
  /** What the model's name asks to go wrong (B12). */
  readonly fault: string | null
  /** Parameters of the string that were left out (R31). */
  readonly faults: readonly Fault[]
  /** What of the string had no effect, or another one than it says. */
  readonly warnings: readonly Loss[]
  readonly trace: readonly TraceStep[]
}

export type Sort = 'price' | 'throughput' | 'latency'

/** What one step of the order of R43 made of the string. */
export interface TraceStep {
  readonly step: string
  readonly input: string
  readonly output: string
}

/** What a lookup found out about an id. */
export interface Found {
  readonly model: Model
  readonly routes: readonly Route[]
  readonly group: string
  readonly thinking?: boolean
  readonly sort?: Sort
  readonly isPinned?: boolean
  readonly fault?: string
  readonly warnings?: readonly Loss[]
}
