/** What a process costs, read from /proc: the whole tree, so that a launcher and its child count as one subject. */
import { readFileSync } from 'node:fs'

/** Linux reports process times in ticks of 10 ms on every architecture that Node supports. */
const TICK_MS = 10
const USER_TIME_FIELD = 11
const SYSTEM_TIME_FIELD = 12

function children(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}

function tree(pid: number): number[] {
  return [pid, ...children(pid).flatMap(tree)]
}

/** Milliseconds of user and system time of all threads of `pid` and its children; 0 where there is no /proc. */
export function cpuMs(pid: number): number {
  let ticks = 0
  for (const member of tree(pid)) {
    try {
      const text = readFileSync(`/proc/${member}/stat`, 'utf8')
      // The command name may hold blanks and brackets; the fields are counted from behind its last bracket.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      ticks += Number(fields[USER_TIME_FIELD]) + Number(fields[SYSTEM_TIME_FIELD])
    } catch {
      // A process that ended between the two reads costs nothing more.
    }
  }
  return ticks * TICK_MS
}

/** Resident memory of the tree in MB. */
export function residentMb(pid: number): number {
  let kilobytes = 0
  for (const member of tree(pid)) {
    try {
      kilobytes += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${member}/status`, 'utf8'))?.[1] ?? 0)
    } catch {
      // As above.
    }
  }
  return kilobytes / 1024
}
