import { errorOf, storeUnavailable } from './failure.ts'
import type { Failure } from './failure.ts'

/** Commands that may wait for the writer; one more is refused with `store_unavailable`. */
export const QUEUE_LENGTH_MAX = 10_000
/** Commands of one transaction: bounds how long a commit takes and what a rollback repeats. */
export const BATCH_LENGTH_MAX = 256

/**
 * From this length of the last batch on the next one waits for company: a commit costs about as much as ten settlements,
 * while below it, at low load, nobody waits for anybody.
 */
export const COMPANY_LENGTH_MIN = 4
export const COMPANY_WAIT_MS = 1

/** `true` stands for the value true: most replies are that one, and it crosses a thread boundary for nothing. */
export type Reply = true | { readonly value: unknown } | { readonly failure: Failure }

export interface Queue<Job> {
  /** Resolves once the job is committed. Rejects with `store_unavailable` when the queue is full, closed or broken. */
  push(job: Job): Promise<unknown>
  /** Refuses new jobs and resolves when the accepted ones are done. */
  close(): Promise<void>
  /** Rejects everything that waits and all that comes. */
  fail(cause: unknown): void
  readonly length: number
}

interface Waiting<Job> {
  readonly job: Job
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Group commit: what arrives while a batch is being committed forms the next batch, so one disk flush serves many
 * requests. A batch leaves once per turn of the event loop and never while another is under way. With `gathers`, under load
 * it waits up to COMPANY_WAIT_MS for company, so that a flush serves more of them.
 * `commit` gives one reply per job, in order; when it throws, the whole batch is refused.
 */
export function createQueue<Job>(options: {
  lengthMax: number
  batchLengthMax: number
  gathers?: boolean
  commit: Commit<Job>
}): Queue<Job> {
  const { lengthMax, batchLengthMax, gathers = false, commit } = options
  let waiting: Waiting<Job>[] = []
  let scheduled = false
  let gathering: NodeJS.Timeout | undefined
  let underWay = 0
  let lastLength = 0
  let broken: unknown
  let closed: { resolve: () => void; promise: Promise<void> } | undefined

  const mayGather = (): boolean => gathers && !closed && lastLength >= COMPANY_LENGTH_MIN

  const schedule = (): void => {
    if (scheduled || underWay > 0 || waiting.length === 0) return
    if (mayGather() && waiting.length < batchLengthMax) {
      gathering ??= setTimeout(flush, COMPANY_WAIT_MS)
      return
    }
    clearTimeout(gathering)
    scheduled = true
    setImmediate(flush)
  }

  const flush = async (): Promise<void> => {
    scheduled = false
    gathering = undefined
    if (waiting.length === 0) return
    const batch = waiting.length <= batchLengthMax ? waiting : waiting.slice(0, batchLengthMax)
    waiting = batch === waiting ? [] : waiting.slice(batchLengthMax)
    lastLength = underWay = batch.length
    await finish(batch, commit)
    underWay = 0
    if (waiting.length > 0) schedule()
    else closed?.resolve()
  }

  return {
    push(job) {
      if (broken !== undefined) return refused('The store has failed.', broken)
      if (closed) return refused('The store is closed.')
      if (waiting.length + underWay >= lengthMax)
        return refused(`More than ${lengthMax} operations wait for the store.`)
      return new Promise((resolve, reject) => {
        waiting.push({ job, resolve, reject })
        schedule()
      })
    },
    close() {
      if (!closed) {
        const { promise, resolve } = Promise.withResolvers<void>()
        closed = { promise, resolve }
        if (waiting.length === 0 && underWay === 0) resolve()
        // Nobody else will come.
        schedule()
      }
      return closed.promise
    },
    fail(cause) {
      broken ??= cause ?? new Error('unknown')
      const failure = storeUnavailable('The store has failed.', broken)
      for (const entry of waiting.splice(0)) entry.reject(failure)
      if (underWay === 0) closed?.resolve()
    },
    get length() {
      return waiting.length + underWay
    },
  }
}

const refused = (internal: string, cause?: unknown): Promise<never> => Promise.reject(storeUnavailable(internal, cause))

type Commit<Job> = (jobs: readonly Job[]) => Promise<readonly Reply[]>

async function finish<Job>(batch: readonly Waiting<Job>[], commit: Commit<Job>): Promise<void> {
  try {
    settle(batch, await commit(batch.map((entry) => entry.job)))
  } catch (cause) {
    const failure = storeUnavailable('The batch could not be committed.', cause)
    for (const entry of batch) entry.reject(failure)
  }
}

function settle(batch: readonly Waiting<unknown>[], replies: readonly Reply[]): void {
  for (const [at, entry] of batch.entries()) {
    const reply = replies[at]
    if (reply === true) entry.resolve(true)
    else if (reply === undefined) entry.reject(storeUnavailable('The store gave no reply.'))
    else if ('failure' in reply) entry.reject(errorOf(reply.failure))
    else entry.resolve(reply.value)
  }
}
