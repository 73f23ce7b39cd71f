import { join } from 'node:path'
import type { StoreOptions } from './store.ts'

/** The embedded database inside the data folder. */
export const DATABASE_FILE = 'trivium.db'

/** Where a configuration keeps its data: PostgreSQL when it names one, else SQLite in the data folder. */
export function storeAt({ databaseUrl, dataDir }: { databaseUrl: string | null; dataDir: string }): StoreOptions {
  return databaseUrl === null
    ? { kind: 'sqlite', file: join(dataDir, DATABASE_FILE) }
    : { kind: 'postgres', url: databaseUrl }
}
