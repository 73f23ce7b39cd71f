import {
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import type { Database } from './schema.ts'
import type { Bound, Engine } from './statement.ts'

export type RunQuery = (sql: string, values: readonly Bound[]) => Promise<readonly unknown[]>

/** A Kysely that only reads: whoever writes goes through a command, or group commit and locks would be bypassed. */
export function createReader(engine: Engine, runQuery: RunQuery): Kysely<Database> {
  const connection: DatabaseConnection = {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      if (query.query.kind !== 'SelectQueryNode') throw refusal()
      return { rows: (await runQuery(query.sql, query.parameters as Bound[])) as Row[] }
    },
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
  return new Kysely<Database>({
    dialect: {
      createDriver: () => driver,
      createAdapter: () => (engine === 'sqlite' ? new SqliteAdapter() : new PostgresAdapter()),
      createIntrospector: (db) => (engine === 'sqlite' ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
      createQueryCompiler: () => (engine === 'sqlite' ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
  })
}

const refusal = (): Error => new Error('The read side of the store only runs SELECT; write with a command.')
