import {
  closeSync,
  fdatasync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/**
 * Settlements, written before the last byte of their answer is released, one line each. A line is in the kernel's hands when
 * `append` returns, so that no kill of this process loses it; the database takes them over in large transactions, and what it
 * had not taken when the process died is read back at the next start (ADR 0009).
 */
export interface Journal {
  /** Writes one record. Throws node's error when the disk refuses it: then nothing was promised. */
  append(record: string): Segment
  /** A record of this segment is in the database now: a segment that holds no others is removed. */
  applied(segment: Segment): void
  /** Records that the database does not have yet. */
  readonly waiting: number
  close(): void
}

/** A segment is closed at this size, so that what was applied can be removed soon. */
export const SEGMENT_BYTES_MAX = 8 * 1024 * 1024

/** What was written is brought to the disk after this long: a power cut costs no more, and a commit of the database is not waited for. */
export const SYNC_WAIT_MS = 50

const NAME = /^journal-(\d{8})\.log$/
const OWNER_ONLY = 0o600

/** A file of the journal; callers only hand it back. */
export interface Segment {
  readonly path: string
  readonly handle: number
  bytes: number
  waiting: number
  /** Whether it holds what the disk may not have yet. */
  isDirty: boolean
  isSyncing: boolean
}

/**
 * Opens the journal of a folder and gives the records that an earlier process left, oldest first. They belong to the caller:
 * `clear` removes them once they are applied. A torn last line (power cut) is no record; a damaged line before others is
 * reported, because money may be missing. `onSyncFailed` hears when the disk does not take what the kernel has.
 */
export function openJournal(
  folder: string,
  segmentBytesMax: number = SEGMENT_BYTES_MAX,
  onSyncFailed: (cause: unknown) => void = () => {},
): { journal: Journal; records: readonly string[]; damaged: number; clear(): void } {
  const left = readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort()
  const found = left.map((name) => readSegment(join(folder, name)))
  const next = left.length === 0 ? 1 : Number.parseInt(NAME.exec(left.at(-1)!)![1]!, 10) + 1
  return {
    journal: new FileJournal(folder, next, segmentBytesMax, onSyncFailed),
    records: found.flatMap(({ records }) => records),
    damaged: found.reduce((sum, { damaged }) => sum + damaged, 0),
    clear() {
      for (const name of left.splice(0)) unlinkSync(join(folder, name))
    },
  }
}

class FileJournal implements Journal {
  private readonly folder: string
  private readonly segmentBytesMax: number
  private readonly segments: Segment[] = []
  private readonly onSyncFailed: (cause: unknown) => void
  private syncTimer: NodeJS.Timeout | null = null
  private number: number

  constructor(folder: string, number: number, segmentBytesMax: number, onSyncFailed: (cause: unknown) => void) {
    this.folder = folder
    this.number = number
    this.onSyncFailed = onSyncFailed
    this.segmentBytesMax = segmentBytesMax
    this.openSegment()
  }

  get waiting(): number {
    return this.segments.reduce((sum, segment) => sum + segment.waiting, 0)
  }

  append(record: string): Segment {
    let segment = this.segments.at(-1)!
    if (segment.bytes >= this.segmentBytesMax) segment = this.openSegment()
    const line = lineOf(record)
    const written = writeSync(segment.handle, line)
    if (written < line.length) {
      // Half a line would spoil the next one: what does not fit as a whole is taken back.
      ftruncateSync(segment.handle, segment.bytes)
      throw Object.assign(new Error('the journal could not be written'), { code: 'ENOSPC', path: segment.path })
    }
    segment.bytes += written
    segment.waiting++
    segment.isDirty = true
    this.syncTimer ??= setTimeout(() => this.sync(), SYNC_WAIT_MS).unref()
    return segment
  }

  applied(segment: Segment): void {
    if (segment.waiting === 0) throw new RangeError('more records applied than were written')
    if (--segment.waiting > 0) return
    if (segment !== this.segments.at(-1)) this.remove(segment)
    else if (segment.bytes >= this.segmentBytesMax / 2) this.restart(segment)
  }

  close(): void {
    clearTimeout(this.syncTimer ?? undefined)
    for (const segment of this.segments.splice(0)) {
      this.shut(segment)
      if (segment.waiting === 0) unlinkSync(segment.path)
    }
  }

  /** Off the event loop. What the database has taken over meanwhile is on the disk already. */
  private sync(): void {
    this.syncTimer = null
    for (const segment of this.segments) {
      if (!segment.isDirty || segment.isSyncing || segment.waiting === 0) continue
      segment.isDirty = false
      segment.isSyncing = true
      fdatasync(segment.handle, (error) => {
        segment.isSyncing = false
        if (error) this.onSyncFailed(error)
        if (!this.segments.includes(segment)) closeSync(segment.handle)
      })
    }
  }

  /** A handle that is being synced is closed behind that, or its number might mean another file by then. */
  private shut(segment: Segment): void {
    if (!segment.isSyncing) closeSync(segment.handle)
  }

  /** A segment whose records are all applied is begun anew instead of being read at the next start. */
  private restart(segment: Segment): void {
    ftruncateSync(segment.handle, 0)
    segment.bytes = 0
  }

  private openSegment(): Segment {
    const path = join(this.folder, `journal-${String(this.number++).padStart(8, '0')}.log`)
    // `a`: every write goes to the end, also after a truncation.
    const segment: Segment = {
      path,
      handle: openSync(path, 'ax', OWNER_ONLY),
      bytes: 0,
      waiting: 0,
      isDirty: false,
      isSyncing: false,
    }
    this.segments.push(segment)
    return segment
  }

  private remove(segment: Segment): void {
    this.segments.splice(this.segments.indexOf(segment), 1)
    this.shut(segment)
    unlinkSync(segment.path)
  }
}

/** The record behind its checksum. It is encoded once: a turn's bookings are some kilobytes. */
function lineOf(record: string): Buffer {
  const line = Buffer.from(`${NO_CHECKSUM} ${record}\n`)
  const checksum = crc32(line.subarray(NO_CHECKSUM.length + 1, -1)).toString(16)
  line.write(checksum.padStart(NO_CHECKSUM.length, '0'), 'latin1')
  return line
}

const NO_CHECKSUM = '00000000'

function readSegment(path: string): { records: string[]; damaged: number } {
  const lines = readFileSync(path, 'utf8').split('\n')
  // What follows the last line end is empty, or torn by a power cut.
  lines.pop()
  const records: string[] = []
  let damaged = 0
  for (const line of lines) {
    const record = line.slice(9)
    if (line[8] === ' ' && Number.parseInt(line.slice(0, 8), 16) === crc32(record)) records.push(record)
    else damaged++
  }
  return { records, damaged }
}
