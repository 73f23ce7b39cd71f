/** R123 (5): memory is flat. Resident memory after a forced collection at 1,000,000 requests against that at 100,000. */
import { setTimeout as wait } from 'node:timers/promises'
import { FULL, PARTS } from './parts.ts'
import { residentMb } from './process-cost.ts'
import type { Subjects } from './subjects.ts'

export const MEMORY_PART = 'memory'
/** Any free port; the process prints which. */
export const INSPECT_OPTION = '--inspect=127.0.0.1:0'

const REQUESTS_FIRST = 100_000
const REQUESTS_LAST = 1_000_000
const GROWTH_MAX = 0.05
const SLICE_MS = 10_000
const SETTLE_MS = 3000
const COLLECT_MS_MAX = 30_000

export interface MemoryReport {
  readonly firstRequests: number
  readonly firstMb: number
  readonly lastRequests: number
  readonly lastMb: number
  readonly flat: boolean
}

/** Makes the process with this inspector address collect its garbage, and waits until it has. */
async function collectGarbage(address: string): Promise<void> {
  const socket = new WebSocket(address)
  const done = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the collection did not end')), COLLECT_MS_MAX)
    socket.addEventListener('message', () => {
      clearTimeout(late)
      resolve()
    })
    socket.addEventListener('error', () => reject(new Error(`no inspector at ${address}`)))
  })
  socket.addEventListener('open', () => socket.send('{"id":1,"method":"HeapProfiler.collectGarbage"}'))
  await done
  socket.close()
}

/** Runs a million requests at 32 connections. Takes minutes. Throws when a reply was wrong or there is no gateway. */
export async function measureMemory(subjects: Subjects, say: (text: string) => void): Promise<MemoryReport> {
  const { gateway } = subjects
  const address = /Debugger listening on (ws:\S+)/.exec(gateway?.log ?? '')?.[1]
  const payer = await subjects.pay(MEMORY_PART)
  if (!gateway || !payer || !address) throw new Error('the memory part needs the gateway with its inspector')
  const [, point] = await PARTS['b1']!({ ...FULL, windowMs: SLICE_MS }, async () => 0)
  const spec = { ...point!.run, headers: { authorization: `Bearer ${payer.key}` } }
  let requests = 0
  const runTo = async (count: number): Promise<number> => {
    while (requests < count) {
      const result = await subjects.load('gateway', spec)
      if (Object.keys(result.failures).length > 0) throw new Error(`wrong replies: ${JSON.stringify(result.failures)}`)
      requests += result.successes
      say(`memory: ${requests} requests, ${Math.round(residentMb(gateway.pid))} MB`)
    }
    // What is written behind is given the time to be written, or it would count as growth.
    await wait(SETTLE_MS)
    await collectGarbage(address)
    return residentMb(gateway.pid)
  }
  const firstMb = await runTo(REQUESTS_FIRST)
  const firstRequests = requests
  const lastMb = await runTo(REQUESTS_LAST)
  return { firstRequests, firstMb, lastRequests: requests, lastMb, flat: lastMb <= firstMb * (1 + GROWTH_MAX) }
}

export function memoryText(report: MemoryReport): string {
  const change = (report.lastMb / report.firstMb - 1) * 100
  return (
    `memory: ${Math.round(report.firstMb)} MB at ${report.firstRequests} requests, ` +
    `${Math.round(report.lastMb)} MB at ${report.lastRequests} (${change.toFixed(1)} %): ${report.flat ? 'flat' : 'NOT FLAT'}`
  )
}
