/** A store whose writer works and answers only when told, over the real engine of SQLite (M10). */
import { createAnnouncer } from '#store/announcer.ts'
import { createReader } from '#store/dialect.ts'
import { errorOf } from '#store/failure.ts'
import type { Reply } from '#store/queue.ts'
import type { Call, SqliteEngine } from '#store/sqlite-engine.ts'
import type { Store } from '#store/store.ts'

interface Job {
  readonly call: Call
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A store whose writer works and answers only when told. What it has executed is on the disk; the rest dies with it. */
export class VirtualStore {
  readonly store: Store
  private readonly disk: SqliteEngine
  private readonly random: (below: number) => number
  private readonly isShared: boolean
  private jobs: Job[] = []
  private replies: (() => void)[] = []
  private isDead = false

  constructor(disk: SqliteEngine, isShared: boolean, random: (below: number) => number) {
    this.disk = disk
    this.random = random
    this.isShared = isShared
    const { announce, onCommand } = createAnnouncer()
    const push = (call: Call): Promise<never> =>
      new Promise((resolve, reject) => {
        if (!this.isDead) this.jobs.push({ call, resolve: resolve as (value: unknown) => void, reject })
      })
    this.store = {
      // The rules of recovery are those of the engine that nodes share.
      engine: isShared ? 'postgres' : 'sqlite',
      read: createReader('sqlite', async (sql, values) => disk.query(sql, values)),
      execute(name, args) {
        announce({ name, args })
        return push({ name, args })
      },
      book: (booking) => push(booking),
      bookAll: (encoded) => push(encoded),
      onCommand,
      onRead: () => {},
      clock: null,
      pending: 0,
      close: async () => {},
    }
  }

  get isIdle(): boolean {
    return this.jobs.length === 0 && this.replies.length === 0
  }

  /** Executes the first `count` jobs as one transaction; their replies are on their way. */
  run(count: number): void {
    const batch = this.jobs.splice(0, count)
    if (batch.length === 0) return
    const replies = this.disk.runBatch(batch.map(({ call }) => call))
    for (const [at, job] of batch.entries()) this.replies.push(() => answer(job, replies[at]!))
  }

  deliver(count: number): void {
    const some = this.replies.splice(0, count)
    // Nodes that share a database promise nothing about the order of answers; the one writer of a node does.
    while (some.length > 0) some.splice(this.isShared ? this.random(some.length) : 0, 1)[0]!()
  }

  crash(): void {
    this.isDead = true
    this.jobs = []
    this.replies = []
  }
}

function answer({ resolve, reject }: Job, reply: Reply): void {
  if (reply === true) resolve(true)
  else if ('failure' in reply) reject(errorOf(reply.failure))
  else resolve(reply.value)
}
