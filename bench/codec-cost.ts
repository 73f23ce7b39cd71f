/**
 * Part B-10: what each pair of client and upstream protocol costs, one pair at a time in this process, without sockets. The time
 * is the process's own CPU time, garbage collection included. Beside it stands what a JSON round trip of the same bytes costs in
 * the same round: absolute times mean little on a machine that others use too.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import { UPSTREAM_CODECS } from '#codecs/index.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { EventFramer } from '#wire/sse.ts'
import { carryRequest, type Pair, StreamRun } from './codec-pair.ts'
import { CLIENTS, requestBytes } from './codec-requests.ts'
import { ARGUMENT_NAME, STREAM_EVENTS, STREAM_TEXT, type StreamKind, streamInput, UPSTREAMS } from './codec-streams.ts'
import { median } from '#test/quantiles.ts'

export type Work = 'text' | 'arguments' | 'small' | 'agent'
export const WORKS: readonly Work[] = ['text', 'arguments', 'small', 'agent']

export interface Cost {
  /** Microseconds per event or request: the median of the rounds, and the smallest and largest of them. */
  readonly us: number
  readonly usMin: number
  readonly usMax: number
  /** The same in JSON round trips: bytes parsed, and written again. The median of the rounds' ratios. */
  readonly roundTrips: number
  /** Bytes of the JavaScript heap that were allocated per event or request. */
  readonly heapBytes: number
}

export interface PairCost extends Pair {
  readonly costs: Readonly<Record<Work, Cost>>
}

export interface CodecPace {
  readonly rounds: number
  readonly warmUpMs: number
  /** Of one piece of work in one round. */
  readonly sliceMs: number
}

export const CODEC_FULL: CodecPace = { rounds: 5, warmUpMs: 40, sliceMs: 16 }
export const CODEC_QUICK: CodecPace = { rounds: 1, warmUpMs: 40, sliceMs: 15 }

export const PAIRS: readonly Pair[] = CLIENTS.flatMap((client) => UPSTREAMS.map((upstream) => ({ client, upstream })))

/** Something that is done many times; `once` does it `units` times. */
interface Task {
  readonly units: number
  readonly once: () => void | Promise<unknown>
}

interface Sample {
  readonly us: number
  readonly heapBytes: number
}

/** Runs the task for about `ms`. */
async function measure({ units, once }: Task, ms: number): Promise<Sample> {
  const untilMs = performance.now() + ms
  const allocatedBefore = allocated()
  const before = process.cpuUsage()
  let count = 0
  do {
    const done = once()
    if (done) await done
    count += units
  } while (performance.now() < untilMs)
  const { user, system } = process.cpuUsage(before)
  return { us: (user + system) / count, heapBytes: (allocated() - allocatedBefore) / count }
}

/** Newer than the type declarations. */
const allocated = (): number =>
  (getHeapStatistics() as unknown as { readonly total_allocated_bytes: number }).total_allocated_bytes

const isStream = (work: Work): work is StreamKind => work === 'text' || work === 'arguments'

function taskOf(pair: Pair, work: Work): Task {
  if (isStream(work)) {
    const input = streamInput(pair.upstream, work)
    const run = new StreamRun(pair)
    return { units: STREAM_EVENTS, once: () => run.run(input) }
  }
  const body = requestBytes(pair.client, work)
  return { units: 1, once: () => void carryRequest(pair, body) }
}

/** Repeats of a round trip between two looks at the clock. */
const ROUND_TRIPS = 50

function roundTripOf(pair: Pair, work: Work): Task {
  const bytes = isStream(work) ? streamInput(pair.upstream, work).sampleJson : requestBytes(pair.client, work)
  const units = work === 'agent' ? 1 : ROUND_TRIPS
  return {
    units,
    once: () => {
      for (let count = 0; count < units; count++) Buffer.from(JSON.stringify(JSON.parse(bytes.toString('utf8'))))
    },
  }
}

/** What a work's round trip depends on: requests are the client's, streams the upstream's. */
const sourceOf = (pair: Pair, work: Work): string => `${work} ${isStream(work) ? pair.upstream : pair.client}`

/** Measures all pairs. Throws when a client does not get what the upstream said. */
export async function measureCodecs(pace: CodecPace, pairs: readonly Pair[] = PAIRS): Promise<PairCost[]> {
  for (const pair of pairs) for (const kind of ['text', 'arguments'] as const) await verifyStream(pair, kind)
  const tasks = pairs.flatMap((pair) => WORKS.map((work) => ({ pair, work, task: taskOf(pair, work) })))
  const roundTrips = new Map(tasks.map(({ pair, work }) => [sourceOf(pair, work), roundTripOf(pair, work)]))
  for (const { task } of tasks) await measure(task, pace.warmUpMs)
  for (const task of roundTrips.values()) await measure(task, pace.warmUpMs / 2)
  const samples = tasks.map((): Sample[] => [])
  const ratios = tasks.map((): number[] => [])
  for (let round = 0; round < pace.rounds; round++) {
    const roundTripUs = new Map<string, number>()
    for (const [source, task] of roundTrips) roundTripUs.set(source, (await measure(task, pace.sliceMs / 2)).us)
    for (const [at, { pair, work, task }] of tasks.entries()) {
      const sample = await measure(task, pace.sliceMs)
      samples[at]!.push(sample)
      ratios[at]!.push(sample.us / roundTripUs.get(sourceOf(pair, work))!)
    }
    await turn()
  }
  const costs = new Map(
    tasks.map(({ pair, work }, at) => [`${keyOf(pair)} ${work}`, costOf(samples[at]!, ratios[at]!)]),
  )
  return pairs.map((pair) => ({
    ...pair,
    costs: Object.fromEntries(WORKS.map((work) => [work, costs.get(`${keyOf(pair)} ${work}`)!])) as Record<Work, Cost>,
  }))
}

const keyOf = ({ client, upstream }: Pair): string => `${client} ${upstream}`

function costOf(samples: readonly Sample[], ratios: readonly number[]): Cost {
  const us = samples.map((sample) => sample.us)
  return {
    us: median(us),
    usMin: Math.min(...us),
    usMax: Math.max(...us),
    roundTrips: median(ratios),
    heapBytes: Math.round(median(samples.map((sample) => sample.heapBytes))),
  }
}

/** Throws when the client is not told what the upstream said: a cheap answer that is wrong costs nothing. */
export async function verifyStream(pair: Pair, kind: StreamKind): Promise<void> {
  const written = Buffer.concat(await new StreamRun(pair).run(streamInput(pair.upstream, kind)))
  const decoder = UPSTREAM_CODECS[pair.client]!.openDecoder({ candidates: 1 })
  const events: ChatEvent[] = []
  for (const frame of new EventFramer(written.length).push(written)) events.push(...decoder.push(frame))
  events.push(...decoder.end())
  const text = events.map((event) => (event.type === 'block-delta' ? event.text : '')).join('')
  const isRight =
    kind === 'text'
      ? text === STREAM_TEXT
      : (JSON.parse(text) as Record<string, unknown>)[ARGUMENT_NAME] === STREAM_TEXT
  if (!isRight || decoder.failure || !decoder.complete)
    throw new Error(`B-10: ${keyOf(pair)} wrote a wrong ${kind} stream`)
}
