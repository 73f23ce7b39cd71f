/** Who says what a parameter is, the weaker first (R32). `request` is what the three before it made together. */
export type Source = 'default' | 'body' | 'model string' | 'request' | 'backend'

/** A parameter that two of them set; its values are nobody's business. */
export interface Override {
  /** As the upstream's body has it, with dots between its levels. */
  readonly parameter: string
  readonly by: Source
  readonly over: Source
}

/** What became of the parameters of one body, for the log. */
export class Overrides {
  readonly list: Override[] = []
  readonly #laid = new Set<string>()

  /** The route's default stands there, as the client said nothing. */
  lay(parameter: string): void {
    this.#laid.add(parameter)
  }

  /** What stood there came from the client or from the route. */
  note(parameter: string, by: Source, over: Source = this.#laid.has(parameter) ? 'default' : 'body'): void {
    this.list.push({ parameter, by, over })
  }
}
