// Loaded into a gateway process by NODE_OPTIONS: its wall clock is off by as many milliseconds as the file CLOCK_FILE says, and
// jumps when the file has changed and SIGUSR2 comes. The monotonic clock stays as it is, as with a real jump.
import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const Real = globalThis.Date
const read = () => Number(readFileSync(process.env.CLOCK_FILE, 'utf8'))
let offsetMs = read()
if (isMainThread) process.on('SIGUSR2', () => void (offsetMs = read()))

globalThis.Date = class Date extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + offsetMs)
    else super(...given)
  }
  static now() {
    return Real.now() + offsetMs
  }
}
