import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { ensureDataFolder } from './data-folder.ts'
import { createAnnouncer } from './announcer.ts'
import { createReader } from './dialect.ts'
import { BATCH_LENGTH_MAX, createQueue, QUEUE_LENGTH_MAX } from './queue.ts'
import type { Queue, Reply } from './queue.ts'
import type { Call } from './sqlite-engine.ts'
import type { QueryCall, WorkerOptions } from './sqlite-worker.ts'
import type { Store } from './store.ts'

/** The embedded store: one file, one writing thread, one reading thread, owned by this process alone. */
export async function openSqlite(file: string): Promise<Store> {
  ensureDataFolder(path.dirname(file))
  const release = takeOwnership(file)
  const threads = await Promise.allSettled([startThread({ file, mode: 'write' }), startThread({ file, mode: 'read' })])
  const [writer, reader] = threads
  if (writer.status === 'fulfilled' && reader.status === 'fulfilled')
    return storeOver(writer.value, reader.value, release)
  for (const thread of threads) if (thread.status === 'fulfilled') await thread.value.stop()
  release()
  throw [writer, reader].find((thread) => thread.status === 'rejected')!.reason
}

function storeOver(writer: WorkerThread, reader: WorkerThread, release: () => void): Store {
  const bounds = { lengthMax: QUEUE_LENGTH_MAX, batchLengthMax: BATCH_LENGTH_MAX }
  const commands = createQueue<Call>({ ...bounds, gathers: true, commit: (calls) => writer.ask({ commands: calls }) })
  const queries = createQueue<QueryCall>({ ...bounds, commit: (calls) => reader.ask({ queries: calls }) })
  writer.onFailure = (cause) => commands.fail(cause)
  reader.onFailure = (cause) => queries.fail(cause)
  const { announce, onCommand } = createAnnouncer()
  const gates: (() => Promise<void> | null)[] = []
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await Promise.all([drain(queries, reader), drain(commands, writer)])
    release()
  }
  return {
    engine: 'sqlite',
    read: createReader('sqlite', async (sql, values) => {
      for (const gate of gates) {
        const wait = gate()
        if (wait) await wait
      }
      return (await queries.push({ sql, values })) as unknown[]
    }),
    execute(name, args) {
      announce({ name, args })
      return commands.push({ name, args }) as Promise<never>
    },
    book: (booking) => commands.push(booking) as Promise<boolean>,
    bookAll: (encoded) => commands.push(encoded) as Promise<true | readonly boolean[]>,
    onCommand,
    onRead: (gate) => void gates.push(gate),
    clock: null,
    get pending() {
      return commands.length
    },
    close: () => (closing ??= close()),
  }
}

async function drain(queue: Queue<never>, thread: WorkerThread): Promise<void> {
  await queue.close()
  await thread.stop()
}

/**
 * Claims the database for this process with a lock that the kernel drops when the process dies, however it dies: an open
 * exclusive transaction on a small file beside it. Gives the release; throws when another process has it.
 */
function takeOwnership(file: string): () => void {
  const owner = new DatabaseSync(`${file}.owner`)
  try {
    owner.exec('pragma journal_mode = off; begin exclusive')
  } catch (cause) {
    owner.close()
    throw new Error(
      `The data folder ${path.dirname(file)} is in use by another Trivium process. ` +
        'Stop that one, or give this one a data folder of its own.',
      { cause },
    )
  }
  return () => owner.close()
}

interface WorkerThread {
  /** Sends one message and waits for its one reply; the queue never has two under way. */
  ask(request: unknown): Promise<readonly Reply[]>
  stop(): Promise<void>
  onFailure: (cause: unknown) => void
}

// oxlint's rule means the postMessage of browser windows; a worker's has no target origin.
/* oxlint-disable unicorn/require-post-message-target-origin */
async function startThread(options: WorkerOptions): Promise<WorkerThread> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: options })
  const exited = Promise.withResolvers<void>()
  let answer: PromiseWithResolvers<unknown> | undefined
  let stopping = false
  const thread: WorkerThread = {
    ask(request) {
      answer = Promise.withResolvers<unknown>()
      worker.postMessage(request)
      return answer.promise as Promise<readonly Reply[]>
    },
    stop() {
      stopping = true
      worker.postMessage({ close: true })
      return exited.promise
    },
    onFailure: () => {},
  }
  const fail = (cause: unknown): void => {
    answer?.reject(cause)
    if (!stopping) thread.onFailure(cause)
  }
  worker.on('message', (message) => answer?.resolve(message))
  worker.on('error', fail)
  worker.on('exit', (code) => {
    exited.resolve()
    fail(new Error(`The store's ${options.mode} thread ended with code ${code}.`))
  })
  answer = Promise.withResolvers<unknown>()
  const first = (await answer.promise) as { ready: true } | { refused: string }
  if ('refused' in first) {
    await worker.terminate()
    throw new Error(`The database ${options.file} cannot be opened. ${first.refused}`)
  }
  return thread
}
