/** The bytes of an unfinished frame. They grow by doubling, so that a slow drip costs linear time. */
export class HeldBytes {
  private buffer: Buffer = NOTHING
  private held = 0

  get length(): number {
    return this.held
  }

  /** What is held with the chunk behind it; the chunk itself, uncopied, when nothing is held. */
  joined(chunk: Buffer): Buffer {
    if (this.held === 0) return chunk
    this.append(chunk)
    return this.buffer.subarray(0, this.held)
  }

  /** Holds what of `data`, which `joined` gave, stands behind `taken`. */
  keepFrom(data: Buffer, taken: number): void {
    if (taken === 0 && this.held > 0) return
    // The frames that were taken are views into the old buffer, which is therefore never written again.
    this.clear()
    if (taken < data.length) this.append(data.subarray(taken))
  }

  /** What is held, once; null when nothing is. */
  take(): Buffer | null {
    const rest = this.held > 0 ? this.buffer.subarray(0, this.held) : null
    this.clear()
    return rest
  }

  private clear(): void {
    this.buffer = NOTHING
    this.held = 0
  }

  private append(bytes: Buffer): void {
    const needed = this.held + bytes.length
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, this.held)
      this.buffer = larger
    }
    bytes.copy(this.buffer, this.held)
    this.held = needed
  }
}

const NOTHING = Buffer.alloc(0)
