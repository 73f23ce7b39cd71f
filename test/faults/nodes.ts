/** Gateway processes that share one PostgreSQL server of their own, for fault tests. */
import { Client } from 'pg'
import { startPostgres, type TestPostgres } from '#test/postgres.ts'
import { Gateway, type GatewayOptions } from './gateway.ts'

export interface Nodes {
  /** Of the database that they share. */
  readonly url: string
  readonly server: TestPostgres
  readonly gateways: readonly Gateway[]
  close(): Promise<void>
}

/** Starts the server and so many gateways; `envOf` gives what only one of them has in its environment, `prepare` sees the empty database. */
export async function startNodes(
  count: number,
  options: GatewayOptions,
  envOf: (node: number) => Readonly<Record<string, string>> = () => ({}),
  prepare: (url: string) => Promise<void> = async () => {},
): Promise<Nodes> {
  const server = await startPostgres()
  const gateways: Gateway[] = []
  let url = ''
  const close = async (): Promise<void> => {
    await Promise.all(gateways.map((gateway) => gateway.stop()))
    await server.stop()
  }
  try {
    url = await server.createDatabase('shared')
    await prepare(url)
    for (let node = 0; node < count; node++) {
      const [first] = gateways
      const shared = first ? { folder: first.folder, masterKey: first.masterKey } : {}
      const env = { DATABASE_URL: url, ...options.env, ...envOf(node) }
      gateways.push(await Gateway.start({ ...options, ...shared, env }))
    }
  } catch (cause) {
    await close()
    throw cause
  }
  return { url, server, gateways, close }
}

/** Puts a clock before that of the system, as new sessions of the database see it; later calls move it for all. */
export async function setDatabaseClock(url: string, offsetMs: number): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('create schema if not exists shifted')
    await client.query(`create or replace function shifted.clock_timestamp() returns timestamptz language sql volatile as
      $$ select pg_catalog.clock_timestamp() + interval '${offsetMs} milliseconds' $$`)
    const name = new URL(url).pathname.slice(1)
    await client.query(`alter database ${name} set search_path = public, shifted, pg_catalog`)
  } finally {
    await client.end()
  }
}
