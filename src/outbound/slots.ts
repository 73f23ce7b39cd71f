/** So many at a time, the others in a line that is bounded as well. */
export class Slots {
  private free: number
  private readonly waitingMax: number
  private readonly waiting: (() => void)[] = []

  constructor(count: number, waitingMax: number) {
    this.free = count
    this.waitingMax = waitingMax
  }

  /** `taken` has to be given back with `release`. `full`: too many wait. `aborted`: the signal came first. */
  take(signal: AbortSignal): Promise<'taken' | 'full' | 'aborted'> {
    if (signal.aborted) return Promise.resolve('aborted')
    if (this.free > 0) {
      this.free--
      return Promise.resolve('taken')
    }
    if (this.waiting.length >= this.waitingMax) return Promise.resolve('full')
    return new Promise((accept) => {
      const onTurn = (): void => {
        signal.removeEventListener('abort', onAbort)
        accept('taken')
      }
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(onTurn), 1)
        accept('aborted')
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(onTurn)
    })
  }

  release(): void {
    const next = this.waiting.shift()
    if (next) next()
    else this.free++
  }
}
