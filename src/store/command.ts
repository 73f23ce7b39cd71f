import type { Work } from './statement.ts'

/**
 * A named write. Its body runs inside a transaction that it may share with others, and may run twice when the first try
 * is rolled back, so it depends on nothing but its arguments and what it reads. Arguments and results are plain data:
 * they cross a thread boundary.
 */
export interface Command<Args, Result> {
  work(args: Args): Work<Result>
  /**
   * The accounts whose rows, keys and holds the body touches. PostgreSQL locks them before the batch, sorted, so that
   * several gateway processes neither overdraw an account nor deadlock.
   */
  accounts(args: Args): readonly string[]
  /** Whether a second run after an outage of unknown outcome books nothing twice. */
  readonly repeatable: boolean
}

export type ArgsOf<C> = C extends Command<infer Args, infer _Result> ? Args : never
export type ResultOf<C> = C extends Command<infer _Args, infer Result> ? Result : never
