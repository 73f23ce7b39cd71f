import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely'
import type { Database } from './schema.ts'
import type { Bound, Engine } from './statement.ts'

export type RunQuery = (sql: string, values: readonly Bound[]) => Promise<readonly unknown[]>

/** A Kysely that only reads: whoever writes goes through a command, or group commit and locks would be bypassed. */
export function createReader(engine: Engine, runQuery: RunQuery): Kysely<Database> {
  return new Kysely<Database>({
    dialect: createDialect(engine, async (query) => {
      if (query.query.kind !== 'SelectQueryNode') {
        throw new Error('The read side of the store only runs SELECT; write with a command.')
      }
      return { rows: await runQuery(query.sql, query.parameters as Bound[]) }
    }),
  })
}

/** An engine's words over `execute`, which runs one query at a time: neither transactions nor streams. */
export function createDialect(
  engine: Engine,
  execute: (query: CompiledQuery) => Promise<{ rows: readonly unknown[]; numAffectedRows?: bigint }>,
): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery) => (await execute(query)) as unknown as QueryResult<Row>,
    streamQuery: () => {
      throw refusal()
    },
  }
  const driver: Driver = {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: () => Promise.reject(refusal()),
    commitTransaction: () => Promise.reject(refusal()),
    rollbackTransaction: () => Promise.reject(refusal()),
    releaseConnection: async () => {},
    destroy: async () => {},
  }
  return {
    createDriver: () => driver,
    createAdapter: () => (engine === 'sqlite' ? new SqliteAdapter() : new PostgresAdapter()),
    createIntrospector: (db) => (engine === 'sqlite' ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
    createQueryCompiler: () => (engine === 'sqlite' ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
  }
}

const refusal = (): Error => new Error('The store runs single queries here; what belongs together is a command.')
