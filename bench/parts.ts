/** The parts of the bench as data, and the loop that runs a point: rounds, alternating order, medians. */
import type { Expectation } from './load-connection.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { median } from '#test/quantiles.ts'
import { IDLE_EVENTS, IDLE_MODEL } from './upstream.ts'
import { MODEL_RENAMED, MODEL_SAME, type Payer, type SubjectName, type Subjects } from './subjects.ts'

export interface Pace {
  readonly rounds: number
  readonly warmupMs: number
  readonly windowMs: number
  readonly streamWindowMs: number
}

/** Points without a limit need no more than this: they are looked at beside their aims. */
const UNLIMITED_ROUNDS = 2
const UNLIMITED_WINDOW_MS = 1500

export const FULL: Pace = { rounds: 3, warmupMs: 500, windowMs: 2000, streamWindowMs: 3000 }
export const QUICK: Pace = { rounds: 1, warmupMs: 500, windowMs: 1000, streamWindowMs: 2000 }

type Run = Omit<LoadSpec, 'port' | 'subjectPid' | 'headers'>

export interface Point {
  readonly part: string
  readonly name: string
  readonly title: string
  readonly unit: 'request' | 'event'
  readonly subjects: readonly SubjectName[]
  readonly run: Run
  /** What the gateway is asked otherwise than the bare proxy. */
  readonly gatewayRun?: Partial<Run>
  /** Instead of the pace's rounds, for a point that takes long. */
  readonly rounds?: number
  /**
   * Bare proxy and gateway are under this load at the same time, on the same core. What else the machine does then
   * disturbs both alike; one after the other, a load that leaves the core half idle gives ratios that differ by a third.
   */
  readonly together?: boolean
}

/** Medians over the rounds of one subject at one point. */
export interface Side {
  readonly perSecond: number
  readonly cpuUs: number
  /** The same of each round: they are compared round by round. */
  readonly cpuUsRounds: readonly number[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly firstByteP50Ms: number
  readonly firstByteP99Ms: number
  readonly gapP99Ms: number
  readonly rssMb: number
  /** Share of the other core that upstream and load generator used; near 1 the throughput is theirs, not the subject's. */
  readonly otherCore: number
  readonly lateMsMax: number
}

export interface Outcome {
  readonly point: Point
  readonly sides: Partial<Record<SubjectName, Side>>
  readonly failures: Readonly<Record<string, number>>
  /** Of the gateway's runs, for the parity predicate. */
  readonly gatewaySuccesses: number
  readonly gatewayUpstreamRequests: number
  /** Bodies that did not reach the upstream whole. */
  readonly brokenBodies: number
}

const STREAM_EVENTS = 100
/** R123 (4). The gateway needs two descriptors for each. */
const IDLE_STREAMS = 9500
const IDLE_RAMP_MS = 10_000
const STREAM_RAMP_MS = 2000

const UNARY: Expectation = {
  contentType: 'application/json',
  events: 0,
  contains: ['"total_tokens":164', '"chat.completion"'],
  end: '}',
  bytesMin: 900,
}
const CHAT_STREAM: Expectation = {
  contentType: 'text/event-stream',
  events: STREAM_EVENTS,
  contains: [`"total_tokens":${STREAM_EVENTS + 24}`],
  end: '[DONE]',
  bytesMin: STREAM_EVENTS * 180,
}
const MESSAGES_STREAM: Expectation = {
  ...CHAT_STREAM,
  contains: [`"output_tokens":${STREAM_EVENTS}`],
  end: 'message_stop',
  bytesMin: STREAM_EVENTS * 100,
}
const IDLE_STREAM: Expectation = {
  ...CHAT_STREAM,
  events: IDLE_EVENTS,
  contains: [`"total_tokens":${IDLE_EVENTS + 24}`],
  bytesMin: IDLE_EVENTS * 180,
}

const CHAT = { path: '/v1/chat/completions', model: MODEL_SAME, promptBytes: 0, rampMs: 0 }

function unary(pace: Pace, change: Partial<Run>): Run {
  return {
    ...CHAT,
    stream: false,
    connections: 32,
    warmupMs: pace.warmupMs,
    windowMs: pace.windowMs,
    expect: UNARY,
    ...change,
  }
}

function stream(pace: Pace, connections: number, change: Partial<Run> = {}): Run {
  return {
    ...CHAT,
    stream: true,
    connections,
    rampMs: STREAM_RAMP_MS,
    warmupMs: STREAM_RAMP_MS + 200,
    windowMs: pace.streamWindowMs,
    expect: CHAT_STREAM,
    ...change,
  }
}

const roundsUnlimited = ({ rounds }: Pace): number => Math.min(rounds, UNLIMITED_ROUNDS)
const windowUnlimited = ({ windowMs }: Pace): number => Math.min(windowMs, UNLIMITED_WINDOW_MS)

/** What `npm run bench` runs; the other parts take too long and are asked for with `--only`. */
export const DEFAULT_PARTS: readonly string[] = ['b10', 'b1', 'b3', 'b5', 'b9']

/** The points of all parts. `halfOfSaturation` is asked only when part B-3 is reached. */
export const PARTS: Readonly<
  Record<string, (pace: Pace, halfOfSaturation: () => Promise<number>) => Promise<Point[]>>
> = {
  b1: async (pace) => [
    ...[1, 32, 128].map((connections) => ({
      part: 'B-1',
      name: `c=${connections}`,
      title: `small chat, ${connections} connection${connections > 1 ? 's' : ''}`,
      unit: 'request' as const,
      subjects: ['bare', 'gateway'] as const,
      ...(connections === 32 ? {} : { rounds: roundsUnlimited(pace) }),
      run: unary(pace, { connections }),
    })),
    {
      part: 'B-1',
      name: 'both',
      title: 'small chat, 32 connections to each at the same time',
      unit: 'request',
      subjects: ['bare', 'gateway'],
      together: true,
      run: unary(pace, { connections: 32, windowMs: 2 * pace.windowMs }),
    },
  ],
  b3: async (pace, halfOfSaturation) => {
    const half = await halfOfSaturation()
    return [
      { name: '500/s', rate: 500 },
      { name: 'half', rate: half },
    ].map(({ name, rate }) => ({
      part: 'B-3',
      name,
      title: `added latency at ${rate} requests/s`,
      unit: 'request',
      subjects: ['direct', 'bare', 'gateway'],
      run: unary(pace, { ratePerSecond: rate, windowMs: windowUnlimited(pace) }),
    }))
  },
  b5: async (pace) => {
    const base = { part: 'B-5', unit: 'event', together: true } as const
    return [
      {
        ...base,
        name: 'same',
        title: '200 streams, 20 ms ticks',
        subjects: ['direct', 'bare', 'gateway'],
        run: stream(pace, 200),
      },
      {
        ...base,
        name: 'renamed',
        title: 'the same, upstream has another model name',
        subjects: ['bare', 'gateway'],
        run: stream(pace, 200, { model: MODEL_RENAMED }),
      },
      {
        ...base,
        name: 'translated',
        title: 'the same, the client speaks Messages to a chat upstream',
        subjects: ['bare', 'gateway'],
        run: stream(pace, 200),
        gatewayRun: { path: '/v1/messages', expect: MESSAGES_STREAM },
      },
    ]
  },
  b9: async (pace) =>
    [64, 400, 2048].map((kilobytes) => ({
      part: 'B-9',
      name: kilobytes === 2048 ? '2 MB' : `${kilobytes} KB`,
      title: `bodies of ${kilobytes} KB, 16 connections`,
      unit: 'request',
      subjects: ['bare', 'gateway'],
      rounds: roundsUnlimited(pace),
      run: unary(pace, { connections: 16, promptBytes: kilobytes * 1024, windowMs: windowUnlimited(pace) }),
    })),
  b8: async (pace) =>
    [IDLE_STREAMS].map((streams) => ({
      part: 'B-8',
      name: 'idle',
      title: `${streams} open streams, one event every ten seconds`,
      unit: 'event',
      subjects: ['bare', 'gateway'],
      rounds: 1,
      run: stream(pace, streams, {
        model: IDLE_MODEL,
        rampMs: IDLE_RAMP_MS,
        warmupMs: IDLE_RAMP_MS + 2000,
        windowMs: 6000,
        expect: IDLE_STREAM,
      }),
    })),
}

function sideOf(point: Point, results: readonly LoadResult[], upstreamCpuMs: readonly number[]): Side {
  const of = (read: (result: LoadResult) => number): number => median(results.map(read))
  const count = (result: LoadResult): number => (point.unit === 'event' ? result.events : result.requests)
  const cpuUsRounds = results.map((result) => (result.subjectCpuMs * 1000) / count(result))
  return {
    perSecond: of((result) => count(result) / result.seconds),
    cpuUs: median(cpuUsRounds),
    cpuUsRounds,
    p50Ms: of((result) => result.latencyMs.p50 ?? Number.NaN),
    p99Ms: of((result) => result.latencyMs.p99 ?? Number.NaN),
    firstByteP50Ms: of((result) => result.firstByteMs.p50 ?? Number.NaN),
    firstByteP99Ms: of((result) => result.firstByteMs.p99 ?? Number.NaN),
    gapP99Ms: of((result) => result.gapMs.p99 ?? Number.NaN),
    rssMb: of((result) => result.subjectRssMb),
    otherCore: median(
      results.map((result, round) => result.loadCpuMs / 1000 / result.seconds + (upstreamCpuMs[round] ?? 0)),
    ),
    lateMsMax: of((result) => result.lateMsMax),
  }
}

/** Who is under load at the same time; the groups take turns. */
function groupsOf(point: Point, withGateway: boolean): SubjectName[][] {
  const names = point.subjects.filter((name) => withGateway || name !== 'gateway')
  if (!point.together) return names.map((name) => [name])
  return [names.filter((name) => name === 'direct'), names.filter((name) => name !== 'direct')]
}

/** Runs one point: every subject in every round, the order turned round each time. */
export async function runPoint(
  subjects: Subjects,
  point: Point,
  pace: Pace,
  payer: Payer | undefined,
): Promise<Outcome> {
  const groups = groupsOf(point, payer !== undefined)
  const results = new Map<SubjectName, LoadResult[]>(groups.flat().map((name) => [name, []]))
  const upstreamShare = new Map<SubjectName, number[]>(groups.flat().map((name) => [name, []]))
  const failures: Record<string, number> = {}
  let gatewaySuccesses = 0
  let gatewayUpstreamRequests = 0
  let brokenBodies = 0
  for (let round = 0; round < (point.rounds ?? pace.rounds); round++) {
    for (const group of round % 2 === 0 ? groups : groups.toReversed()) {
      const before = await subjects.upstreamStats()
      const startedMs = performance.now()
      const runs = await Promise.all(
        group.map((name) => subjects.load(name, { ...runOf(point, name), headers: keyOf(name, payer) })),
      )
      const after = await subjects.upstreamStats()
      let othersRequests = 0
      for (const [index, name] of group.entries()) {
        const result = runs[index]!
        results.get(name)!.push(result)
        upstreamShare.get(name)!.push((after.cpuMs - before.cpuMs) / (performance.now() - startedMs))
        for (const [reason, count] of Object.entries(result.failures)) {
          failures[`${name}: ${reason}`] = (failures[`${name}: ${reason}`] ?? 0) + count
        }
        if (name === 'gateway') gatewaySuccesses += result.successes
        else othersRequests += result.successes
      }
      if (!group.includes('gateway')) continue
      gatewayUpstreamRequests += after.requests - before.requests - othersRequests
      if (runOf(point, 'gateway').path === CHAT.path) {
        brokenBodies += after.requests - before.requests - (after.wholeBodies - before.wholeBodies)
      }
    }
  }
  const sides = Object.fromEntries(
    groups.flat().map((name) => [name, sideOf(point, results.get(name)!, upstreamShare.get(name)!)]),
  )
  return { point, sides, failures, gatewaySuccesses, gatewayUpstreamRequests, brokenBodies }
}

const runOf = (point: Point, name: SubjectName): Run =>
  name === 'gateway' ? { ...point.run, ...point.gatewayRun } : point.run

function keyOf(name: SubjectName, payer: Payer | undefined): Record<string, string> {
  return { authorization: `Bearer ${name === 'gateway' ? payer!.key : 'bench'}` }
}
