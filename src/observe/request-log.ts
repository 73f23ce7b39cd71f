import { flatten, ROWS_PER_COMMAND_MAX } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import type { RequestLog, RequestRow } from './request-row.ts'

/** Rows that wait to be written; beyond it new ones are dropped and counted, because memory must not follow an outage. */
export const ROWS_WAITING_MAX = 20_000
/** How long a row may wait for company. */
const WRITE_DELAY_MS = 50
const RETRY_DELAY_MS = 1_000

export interface CountedRequestLog extends RequestLog {
  /** Rows lost so far. */
  readonly dropped: number
  /** Rows not yet written. */
  readonly waiting: number
}

/**
 * Writes the rows of requests without money behind the response (R101). `onDrop` hears how many rows were lost since it
 * was last called; what is in a row never reaches it.
 */
export function createRequestLog(
  store: Store,
  options: { onDrop?: (count: number) => void; rowsWaitingMax?: number } = {},
): CountedRequestLog {
  const { onDrop = () => {}, rowsWaitingMax = ROWS_WAITING_MAX } = options
  let waiting: FlatRow[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let dropped = 0
  let reported = 0

  const report = (): void => {
    if (dropped > reported) onDrop(dropped - reported)
    reported = dropped
  }

  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const rows = waiting.slice(0, ROWS_PER_COMMAND_MAX)
      await store.execute('appendRows', rows)
      waiting = waiting.slice(rows.length)
    }
  }

  /** One writer at a time; after a failure the rows stay, in order, for the next try. */
  const write = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing ??= writeAll().finally(() => {
      writing = undefined
      report()
    })
    return writing
  }

  const writeLater = (delayMs: number): void => {
    if (timer || writing) return
    timer = setTimeout(() => {
      write().then(
        () => waiting.length > 0 && writeLater(WRITE_DELAY_MS),
        () => writeLater(RETRY_DELAY_MS),
      )
    }, delayMs)
    timer.unref()
  }

  return {
    append(row: RequestRow) {
      if (waiting.length >= rowsWaitingMax) {
        dropped++
        return
      }
      waiting.push(flatten(row))
      writeLater(WRITE_DELAY_MS)
    },
    async flush() {
      // What is under way first, then what was appended meanwhile.
      do await write()
      while (waiting.length > 0)
    },
    get dropped() {
      return dropped
    },
    get waiting() {
      return waiting.length
    },
  }
}

/** Keeps nothing: accounting is off (R108). */
export const SILENT_REQUEST_LOG: RequestLog = { append: () => {}, flush: async () => {} }
