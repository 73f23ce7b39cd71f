/**
 * The thread that owns an SQLite connection, so that the event loop never waits on a disk. One is the writer, another
 * reads, because a long listing must not delay a settlement.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { CommandCall } from './commands.ts'
import { failureOf } from './failure.ts'
import { MIGRATIONS } from './migrations.ts'
import { openSqliteEngine } from './sqlite-engine.ts'
import type { SqliteEngine } from './sqlite-engine.ts'
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
  | { readonly commands: readonly CommandCall[] }
  | { readonly queries: readonly QueryCall[] }
  | { readonly close: true }

const { file, mode } = workerData as WorkerOptions
const port = parentPort!

try {
  serve(openSqliteEngine(file, mode))
} catch (cause) {
  port.postMessage({ refused: cause instanceof Error ? cause.message : String(cause) })
}

function serve(engine: SqliteEngine): void {
  if (mode === 'write') engine.migrate(MIGRATIONS, Date.now())
  port.on('message', (request: WorkerRequest) => {
    if ('commands' in request) port.postMessage(engine.runBatch(request.commands))
    else if ('queries' in request) port.postMessage(request.queries.map((call) => answer(engine, call)))
    else {
      engine.close()
      port.close()
    }
  })
  port.postMessage({ ready: true })
}

function answer(engine: SqliteEngine, { sql, values }: QueryCall): unknown {
  try {
    return { value: engine.query(sql, values) }
  } catch (cause) {
    return { failure: failureOf(cause) }
  }
}
