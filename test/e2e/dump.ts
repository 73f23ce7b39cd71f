import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'

/** Everything that is stored in a data folder, its secrets file excepted, as text: the rows, and every file byte for byte. */
export function dumpOf(dataDir: string): string {
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'secrets.json')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  const file = join(dataDir, 'trivium.db')
  return [...(hasDatabase(dataDir) ? rowsOf(file) : []), ...files].join('\n')
}

const hasDatabase = (dataDir: string): boolean => readdirSync(dataDir).includes('trivium.db')

function rowsOf(file: string): string[] {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = db.prepare("select name from sqlite_schema where type = 'table'").all() as { name: string }[]
    return tables.map(({ name }) => JSON.stringify(db.prepare(`select * from "${name}"`).all(), asText))
  } finally {
    db.close()
  }
}

/** Every row of a PostgreSQL database as text. */
export async function dumpOfPostgres(url: string): Promise<string> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } =
      await client.query(`select query_to_xml('select * from ' || quote_ident(table_name), true, false, '')
      from information_schema.tables where table_schema = 'public'`)
    return JSON.stringify(rows)
  } finally {
    await client.end()
  }
}

const asText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
