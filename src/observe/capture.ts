import { closeSync, fstatSync, mkdirSync, openSync, renameSync, write } from 'node:fs'
import { dirname } from 'node:path'
import type { RequestRow } from './request-row.ts'

/** A file that has grown to this is put aside as `FILE.1`, in place of the one before: two files at most are kept. */
export const CAPTURE_BYTES_MAX = 64 * 1024 * 1024
/** Lines that wait for a slow disk; beyond it lines are left out, because memory must not follow an outage. */
export const CAPTURE_WAITING_BYTES_MAX = 4 * 1024 * 1024

export interface Capture {
  append(row: RequestRow): void
  /** Lines left out so far. */
  readonly dropped: number
  /** Writes what waits. */
  close(): Promise<void>
}

export interface CaptureOptions {
  readonly bytesMax?: number
  readonly waitingBytesMax?: number
  /** The disk refused; what was to be written is lost. */
  readonly onFault?: (fault: Error) => void
}

/**
 * One JSON line per request, of the same facts as its log row (R101, R109): who asked whom, status, times, tokens, cost.
 * A row has no secret, no prompt and no completion, and so has the file. Throws when it cannot be opened.
 */
export function createCapture(path: string, options: CaptureOptions = {}): Capture {
  const { bytesMax = CAPTURE_BYTES_MAX, waitingBytesMax = CAPTURE_WAITING_BYTES_MAX, onFault = () => {} } = options
  mkdirSync(dirname(path), { recursive: true })
  let file = openSync(path, 'a', 0o600)
  let written = fstatSync(file).size
  let waiting: string[] = []
  let waitingBytes = 0
  let dropped = 0
  let writing: Promise<void> | undefined

  const turn = (): void => {
    closeSync(file)
    renameSync(path, `${path}.1`)
    file = openSync(path, 'a', 0o600)
    written = 0
  }
  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const bytes = Buffer.from(waiting.join(''))
      waiting = []
      waitingBytes = 0
      try {
        if (written > 0 && written + bytes.length > bytesMax) turn()
        await writeFully(file, bytes)
        written += bytes.length
      } catch (fault) {
        onFault(fault as Error)
      }
    }
  }
  const start = (): Promise<void> =>
    (writing ??= Promise.resolve()
      .then(writeAll)
      .finally(() => (writing = undefined)))
  return {
    append(row) {
      const line = `${JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
      if (waitingBytes + line.length > waitingBytesMax) {
        dropped++
        return
      }
      waiting.push(line)
      waitingBytes += line.length
      void start()
    },
    get dropped() {
      return dropped
    },
    async close() {
      await start()
      closeSync(file)
    },
  }
}

async function writeFully(file: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await new Promise<number>((accept, refuse) =>
      write(file, bytes, at, bytes.length - at, null, (fault, count) => (fault ? refuse(fault) : accept(count))),
    )
  }
}
