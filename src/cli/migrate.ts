import { loadConfig } from '#config/load.ts'
import { checkWritable, ensureDataFolder } from '#store/data-folder.ts'
import { storeAt } from '#store/location.ts'
import { openStore } from '#store/store.ts'
import { CliError } from './failure.ts'
import { json } from './output.ts'
import type { Run } from './program.ts'

/** `trivium migrate`: brings the schema of the database up to date, as every start does, and says where it stands (R124). */
export async function migrateStore(run: Run): Promise<void> {
  const { settings } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  ensureDataFolder(settings.dataDir)
  checkWritable(settings.dataDir)
  const store = await openStore(storeAt(settings)).catch((thrown: unknown) => {
    throw new CliError((thrown as Error).message)
  })
  try {
    const applied = await store.read.selectFrom('schema_migrations').selectAll().orderBy('id').execute()
    const { id, name } = applied.at(-1)!
    if (run.json) run.out(json({ engine: store.engine, migrations: applied.map(({ id: each }) => each) }))
    else run.out(`${store.engine}: ${applied.length} migrations are applied, the last is ${id} (${name}).`)
  } finally {
    await store.close()
  }
}
