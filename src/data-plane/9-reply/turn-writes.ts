import type { Writable } from 'node:stream'

/** So many sockets wait at most, so that the first events of a busy turn do not wait for its last. */
export const HELD_SOCKETS_MAX = 64

/** Of all streams. */
let held: Corked[] = []

type Corked = Pick<Writable, 'cork' | 'uncork' | 'writableCorked'>

/**
 * Keeps back what is written to this socket until the events that have arrived by now are read, at the end of this turn of
 * the event loop. Many streams tick at once: their writes one behind the other cost less than between the readings, and
 * what came for one stream in several pieces goes out as one (R123).
 */
export function holdWrites(socket: Corked | null): void {
  if (socket === null || socket.writableCorked > 0) return
  if (held.length === HELD_SOCKETS_MAX) releaseWrites()
  if (held.length === 0) setImmediate(releaseWrites)
  socket.cork()
  held.push(socket)
}

function releaseWrites(): void {
  const sockets = held
  held = []
  for (const socket of sockets) socket.uncork()
}
