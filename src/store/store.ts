import type { Kysely } from 'kysely'
import type { CommandListener } from './announcer.ts'
import type { Booking } from './booking.ts'
import type { ArgsOf, ResultOf } from './command.ts'
import type { DatabaseClock } from './database-clock.ts'
import type { CommandName, Commands } from './commands.ts'
import type { Database } from './schema.ts'
import type { Engine } from './statement.ts'

/** Where the gateway keeps everything. One set of queries serves both engines. */
export interface Store {
  readonly engine: Engine
  /** Reads only; a write through it is refused. Sees every command whose promise has resolved. */
  readonly read: Kysely<Database>
  /**
   * Runs a named write and resolves after it is durable. Rejects with the GatewayError that the command threw, with
   * `state_conflict` for a broken constraint, or with `store_unavailable`.
   */
  execute<Name extends CommandName>(name: Name, args: ArgsOf<Commands[Name]>): Promise<ResultOf<Commands[Name]>>
  /**
   * Writes a settlement that was decided in memory, behind every command that was queued before. False when it was not
   * written (see Bookings). Null where several processes share the database, because memory decides nothing there.
   */
  readonly book: ((booking: Booking) => Promise<boolean>) | null
  /** The same for a JSON array of encoded bookings: `true` when all were written, else for each whether it was. */
  readonly bookAll: ((encoded: string) => Promise<true | readonly boolean[]>) | null
  /** Hears of every command (not of bookings) when it is queued, and therefore in the order in which they run. */
  onCommand(listener: CommandListener): void
  /** Asked before every read: what it waits for is seen by the read. Null: nothing to wait for. */
  onRead(gate: () => Promise<void> | null): void
  /** The time that all nodes agree on. Null where one process owns the database: its own clock will do. */
  readonly clock: DatabaseClock | null
  /** Commands that wait for the writer or are under way. */
  readonly pending: number
  /** Finishes what was accepted, then releases the database. */
  close(): Promise<void>
}

export type StoreOptions =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string }

/**
 * Opens a store and brings its schema up to date. Rejects with an Error that tells the operator what to do when the data
 * folder belongs to another process, the database cannot be reached, or a migration fails.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  switch (options.kind) {
    case 'sqlite':
      return (await import('./sqlite.ts')).openSqlite(options.file)
    case 'postgres':
      // Loaded only where it is used: the driver is a large part of the start.
      return (await import('./postgres.ts')).openPostgres(options.url)
    default:
      return options satisfies never
  }
}
