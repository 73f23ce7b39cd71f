/**
 * Token counts of one request in disjoint classes: the prompt is `input + cacheRead + cacheWrite + cacheWrite1h`, and
 * `output` includes `reasoning`. Null is "not reported", which is not 0 (R87).
 */
export interface Usage {
  readonly input: number | null
  readonly cacheRead: number | null
  /** Written to a five-minute cache. */
  readonly cacheWrite: number | null
  readonly cacheWrite1h: number | null
  readonly output: number | null
  readonly reasoning: number | null
  readonly source: 'upstream' | 'estimated' | 'none'
  /** What the upstream says that it charged, decimal text, where it says so (R27); it counts only where there is no price. */
  readonly costUsd?: string
  /** What the upstream charges for where that is not what it read and wrote (Cohere): the cost follows it. */
  readonly billed?: { readonly input: number; readonly output: number }
}

/** Nothing was reported. */
export const NO_USAGE: Usage = {
  input: null,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  output: null,
  reasoning: null,
  source: 'none',
}
