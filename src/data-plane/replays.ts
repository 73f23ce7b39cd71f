import type { ServerResponse } from 'node:http'

/** A larger answer is not kept; asking for it again is refused, not charged. */
export const REPLAY_BYTES_MAX = 8 * 1024 * 1024
/** Kept answers of all accounts together; the oldest give way. */
export const REPLAYS_BYTES_MAX = 64 * 1024 * 1024
export const REPLAYS_MAX = 10_000

type Headers = Record<string, string>

/** An answer as it was sent. */
export interface Kept {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export interface Replay {
  readonly bodyDigest: string
  readonly requestId: string
  /** What was answered, once it has ended; null: there is nothing to send again. */
  readonly answer: Promise<Kept | null>
}

/** Answers to requests with an idempotency key, in the memory of this process only (M5): no completion is ever stored. */
export class Replays {
  private readonly entries = new Map<string, Replay & { bytes: number }>()
  private bytes = 0

  get(id: string): Replay | undefined {
    return this.entries.get(id)
  }

  /** Announces a request that begins; whoever repeats it waits for the end. `onFailed` is called before they go on. */
  begin(id: string, bodyDigest: string, requestId: string, onFailed: () => void = () => {}): Leading {
    const { promise, resolve } = Promise.withResolvers<Kept | null>()
    const entry = { bodyDigest, requestId, answer: promise, bytes: 0 }
    this.entries.set(id, entry)
    const end = (kept: Kept | null): void => {
      // What failed may be tried again.
      const isFailed = kept === null || kept.status >= 400
      if (isFailed) onFailed()
      resolve(kept)
      if (isFailed) {
        if (this.entries.get(id) === entry) this.entries.delete(id)
        return
      }
      entry.bytes = kept.body.length
      this.bytes += entry.bytes
      this.evict()
    }
    return new Leading(end)
  }

  private evict(): void {
    for (const [id, { bytes }] of this.entries) {
      if (this.bytes <= REPLAYS_BYTES_MAX && this.entries.size <= REPLAYS_MAX) return
      this.entries.delete(id)
      this.bytes -= bytes
    }
  }
}

/** The request that is run for all that repeat it. */
export class Leading {
  private readonly end: (kept: Kept | null) => void
  private head: Pick<Kept, 'status' | 'headers'> | null = null
  private chunks: Buffer[] = []
  private bytes = 0
  private isWhole = false

  constructor(end: (kept: Kept | null) => void) {
    this.end = end
  }

  /** Listens to what is written; a client that leaves no longer stops it. Only for these few requests. */
  listen(response: ServerResponse): void {
    const { writeHead, write, end } = response
    const gone = (): boolean => response.destroyed || response.socket?.destroyed === true
    const plain = {
      writeHead: (writeHead as (status: number, headers: Headers) => ServerResponse).bind(response),
      write: (write as (chunk: Buffer | string) => boolean).bind(response),
      end: (end as (chunk?: Buffer | string) => ServerResponse).bind(response),
    }
    Object.assign(response, {
      writeHead: (status: number, headers: Headers) => {
        this.head = { status, headers: { ...headers } }
        return gone() ? response : plain.writeHead(status, headers)
      },
      write: (chunk: Buffer | string) => {
        this.take(chunk)
        return gone() || plain.write(chunk)
      },
      end: (chunk?: Buffer | string) => {
        if (chunk !== undefined) this.take(chunk)
        this.isWhole = true
        return gone() ? response : plain.end(chunk)
      },
    })
    // Whoever waits for a slow client waits no longer for one that has left.
    response.on('close', () => response.emit('drain'))
  }

  /** To be called when everything is over, whatever happened. */
  finish(): void {
    const { head } = this
    const isKept = head !== null && this.isWhole && this.bytes <= REPLAY_BYTES_MAX
    this.end(isKept ? { ...head, body: Buffer.concat(this.chunks) } : null)
  }

  private take(chunk: Buffer | string): void {
    const bytes = Buffer.from(chunk as string)
    this.bytes += bytes.length
    if (this.bytes <= REPLAY_BYTES_MAX) this.chunks.push(bytes)
    else this.chunks = []
  }
}
