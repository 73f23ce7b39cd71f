/**
 * The thread that owns an SQLite connection, so that the event loop never waits on a disk. One is the writer, another
 * reads, because a long listing must not delay a settlement.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { failureOf } from './failure.ts'
import { MIGRATIONS } from './migrations.ts'
import type { Reply } from './queue.ts'
import { openSqliteEngine } from './sqlite-engine.ts'
import type { Call, SqliteEngine } from './sqlite-engine.ts'
import type { Bound } from './statement.ts'

export interface WorkerOptions {
  readonly file: string
  readonly mode: 'write' | 'read'
}

export interface QueryCall {
  readonly sql: string
  readonly values: readonly Bound[]
}

export type WorkerRequest =
  | { readonly commands: readonly Call[] }
  | { readonly queries: readonly QueryCall[] }
  | { readonly close: true }

const { file, mode } = workerData as WorkerOptions
const port = parentPort!

try {
  if (mode === 'write') await serveCommands()
  else serveQueries()
  port.postMessage({ ready: true })
} catch (cause) {
  port.postMessage({ refused: cause instanceof Error ? cause.message : String(cause) })
}

async function serveCommands(): Promise<void> {
  // Only the writer needs the commands and with them Kysely, which is most of what a thread loads.
  const { WRITER_PARTS } = await import('./commands.ts')
  const engine = openSqliteEngine(file, WRITER_PARTS)
  engine.migrate(MIGRATIONS, Date.now())
  port.on('message', (request: WorkerRequest) => {
    if ('commands' in request) port.postMessage(engine.runBatch(request.commands))
    else if ('close' in request) stop(engine)
  })
}

function serveQueries(): void {
  // Opened by the first query, because this thread starts while the writer still makes the tables.
  let engine: SqliteEngine | undefined
  port.on('message', (request: WorkerRequest) => {
    if ('queries' in request) {
      const opened = (engine ??= openSqliteEngine(file))
      port.postMessage(request.queries.map((call) => answer(opened, call)))
    } else if ('close' in request) stop(engine)
  })
}

function stop(engine: SqliteEngine | undefined): void {
  engine?.close()
  port.close()
}

function answer(engine: SqliteEngine, { sql, values }: QueryCall): Reply {
  try {
    return { value: engine.query(sql, values) }
  } catch (cause) {
    return { failure: failureOf(cause) }
  }
}
