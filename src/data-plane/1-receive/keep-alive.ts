import type { ServerResponse } from 'node:http'
import { deadlines, type Watched } from '#base/deadlines.ts'

/** A comment that every client of server-sent events skips. */
const COMMENT = ': keepalive\n\n'
/** White space before a JSON array, for a stream that is one: it means nothing there. */
const WHITE_SPACE = '\n'

/**
 * Keeps a stream alive whose first content is long in coming, so that no proxy and no client gives it up (R69, R70). With
 * the first comment the head has gone out: from then on an error can only be told inside the stream.
 */
export class KeepAlive implements Watched {
  place = -1
  /** Whether the head was sent for the sake of a comment. */
  hasOpened = false
  /** Whether the stream is one JSON array (R6), which has no comments. */
  isJsonArray = false
  deadlineAt = Infinity
  private readonly response: ServerResponse
  private intervalMs = 0
  private headers: Readonly<Record<string, string>> = {}

  constructor(response: ServerResponse) {
    this.response = response
  }

  /** Begins to wait; an interval of 0 is off. */
  start(intervalMs: number, headers: Readonly<Record<string, string>>, isJsonArray = false): void {
    if (intervalMs <= 0) return
    this.isJsonArray = isJsonArray
    this.intervalMs = intervalMs
    this.headers = headers
    this.deadlineAt = performance.now() + intervalMs
    deadlines.watch(this)
  }

  /** The answer, or its error, comes. */
  stop(): void {
    deadlines.unwatch(this)
  }

  onExpiry(): void {
    if (this.response.writableEnded || this.response.destroyed) return
    if (!this.hasOpened) this.response.writeHead(200, { ...this.headers })
    this.hasOpened = true
    this.response.write(this.isJsonArray ? WHITE_SPACE : COMMENT)
    this.deadlineAt = performance.now() + this.intervalMs
    deadlines.watch(this)
  }
}
