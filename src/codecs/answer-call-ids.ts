/**
 * Ids of the calls of one answer as its client gets them: what its protocol takes, unique, and made where the upstream gave
 * none. Who else has to know them asks a second one in the same order.
 */
export class AnswerCallIds {
  private readonly used = new Set<string>()
  private readonly answerId: string
  private readonly fit: (id: string) => string

  /** `fit` makes an id what the protocol takes, the same one whenever the same id comes. */
  constructor(answerId: string, fit: (id: string) => string) {
    this.answerId = answerId
    this.fit = fit
  }

  /** `id` is the upstream's, null or empty when it gave none; `index` is that of the block in the answer. */
  idOf(id: string | null, index: number): string {
    const fitting = id === null || id === '' ? `call_${this.answerId}_${index}` : this.fit(id)
    const unique = this.used.has(fitting) ? this.fit(`${fitting}_${index}`) : fitting
    this.used.add(unique)
    return unique
  }
}
