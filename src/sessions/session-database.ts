import {
  CamelCasePlugin,
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Bound } from '#store/statement.ts'
import type { Store } from '#store/store.ts'

/** better-auth's tables in our spelling; rows of all of them are records. */
export type SessionDatabase = Record<string, Record<string, unknown>>

/**
 * The store as a Kysely that may also write, for better-auth: reads go to the store's reader, writes through its queue as a
 * command, so that group commit and ownership of the database hold. Names are camelCase outside and snake_case inside.
 */
export function createSessionDatabase(store: Store): Kysely<SessionDatabase> {
  const connection: DatabaseConnection = {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      if (query.query.kind === 'SelectQueryNode') {
        return (await store.read.executeQuery(query)) as unknown as QueryResult<Row>
      }
      const returnsRows = 'returning' in query.query && query.query.returning !== undefined
      const values = query.parameters as readonly Bound[]
      const { rows, changes } = await store.execute('sessionQuery', { sql: query.sql, values, returnsRows })
      return { rows: rows as Row[], numAffectedRows: BigInt(changes) }
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
  const isSqlite = store.engine === 'sqlite'
  return new Kysely<SessionDatabase>({
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    dialect: {
      createDriver: () => driver,
      createAdapter: () => (isSqlite ? new SqliteAdapter() : new PostgresAdapter()),
      createIntrospector: (db) => (isSqlite ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
      createQueryCompiler: () => (isSqlite ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
  })
}

const refusal = (): Error => new Error('A session query is one statement.')
