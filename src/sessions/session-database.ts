import { CamelCasePlugin, Kysely } from 'kysely'
import { createDialect } from '#store/dialect.ts'
import type { Bound } from '#store/statement.ts'
import type { Store } from '#store/store.ts'

/** better-auth's tables in our spelling; rows of all of them are records. */
export type SessionDatabase = Record<string, Record<string, unknown>>

/**
 * The store as a Kysely that may also write, for better-auth: reads go to the store's reader, writes through its queue as a
 * command, so that group commit and ownership of the database hold. Names are camelCase outside and snake_case inside.
 */
export function createSessionDatabase(store: Store): Kysely<SessionDatabase> {
  return new Kysely<SessionDatabase>({
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
    dialect: createDialect(store.engine, async (query) => {
      if (query.query.kind === 'SelectQueryNode') return store.read.executeQuery(query)
      const returnsRows = 'returning' in query.query && query.query.returning !== undefined
      const values = query.parameters as readonly Bound[]
      const { rows, changes } = await store.execute('sessionQuery', { sql: query.sql, values, returnsRows })
      return { rows, numAffectedRows: BigInt(changes) }
    }),
  })
}
