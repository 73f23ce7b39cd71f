import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Everything that is stored in a data folder, its secrets file excepted, as text. */
export function dumpOf(dataDir: string): string {
  const db = new DatabaseSync(join(dataDir, 'trivium.db'), { readOnly: true })
  try {
    const tables = db.prepare("select name from sqlite_schema where type = 'table'").all() as { name: string }[]
    const rows = tables.map(({ name }) => JSON.stringify(db.prepare(`select * from "${name}"`).all(), asText))
    const files = readdirSync(dataDir).filter((name) => name.endsWith('.log') || name.endsWith('.jsonl'))
    return [...rows, ...files.map((name) => readFileSync(join(dataDir, name), 'latin1'))].join('\n')
  } finally {
    db.close()
  }
}

const asText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
