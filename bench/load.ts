/**
 * The load generator, a process of its own: one run of one load against one subject, every reply verified. It reads
 * the subject's CPU time itself, at the two edges of its measured window.
 *
 *   node bench/load.ts '<LoadSpec as JSON>'       prints one LoadResult as JSON
 */
import { setTimeout as wait } from 'node:timers/promises'
import { Connection, type Expectation, type Reply } from './load-connection.ts'
import { cpuMs, residentMb } from './process-cost.ts'
import { quantiles, type Quantiles } from '#test/quantiles.ts'
import { BODY_SENTINEL } from './upstream.ts'

export interface LoadSpec {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly model: string
  readonly stream: boolean
  /** Bytes of filler in the prompt. */
  readonly promptBytes: number
  /** Closed loop: so many connections, each with one request at a time. Open loop: where `ratePerSecond` is set. */
  readonly connections: number
  readonly ratePerSecond?: number
  /** The first requests of the connections are spread over this time, so that streams do not tick as one. */
  readonly rampMs: number
  readonly warmupMs: number
  readonly windowMs: number
  readonly expect: Expectation
  /** Process whose CPU time is read; 0 for none. */
  readonly subjectPid: number
}

export interface LoadResult {
  /** Whole and correct replies of the run, warm-up and drain included. */
  readonly successes: number
  readonly failures: Readonly<Record<string, number>>
  readonly seconds: number
  /** Completed within the window. */
  readonly requests: number
  readonly events: number
  readonly latencyMs: Quantiles
  readonly firstByteMs: Quantiles
  readonly gapMs: Quantiles
  readonly subjectCpuMs: number
  readonly subjectRssMb: number
  readonly loadCpuMs: number
  /** Open loop: the most that a request was sent later than it was due. */
  readonly lateMsMax: number
}

const DRAIN_MS_MAX = 30_000
/** So many wrong replies make the run void anyway; it stops, so that it does not drown what follows. */
const FAILURES_MAX = 500
const CONNECTIONS_MAX = 2000

/** The bytes of one request. The model stands first and the sentinel last, for the mock's cheap checks. */
export function requestBytes(spec: LoadSpec): Buffer {
  const filler = 'Please count the words of this sentence. '.repeat(Math.ceil(spec.promptBytes / 41))
  const content = filler.slice(0, spec.promptBytes) || 'Is Santa real?'
  const stream = spec.stream ? '"stream":true,' : ''
  const usage = spec.stream && spec.path.includes('chat') ? '"stream_options":{"include_usage":true},' : ''
  const body =
    `{"model":${JSON.stringify(spec.model)},${stream}${usage}"max_tokens":256,` +
    `"messages":[{"role":"user","content":${JSON.stringify(content)}}],${
      spec.path.includes('chat') ? BODY_SENTINEL : '"metadata":{"user_id":"bench"}'
    }}`
  const headers = Object.entries(spec.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(
    `POST ${spec.path} HTTP/1.1\r\nhost: 127.0.0.1:${spec.port}\r\ncontent-type: application/json\r\n` +
      `${headers.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/** The state of one run: connections, counts and samples. */
class Run {
  readonly #spec: LoadSpec
  readonly #request: Buffer
  readonly #idle: Connection[] = []
  #failed = 0
  #open = 0
  inFlight = 0
  successes = 0
  events = 0
  measuring = false
  stopped = false
  lateMsMax = 0
  readonly failures: Record<string, number> = {}
  readonly latencyMs: number[] = []
  readonly firstByteMs: number[] = []
  readonly gapMs: number[] = []

  constructor(spec: LoadSpec) {
    this.#spec = spec
    this.#request = requestBytes(spec)
  }

  fail(reason: string, count = 1): void {
    this.failures[reason] = (this.failures[reason] ?? 0) + count
    this.#failed += count
    if (this.#failed >= FAILURES_MAX) this.stopped = true
  }

  /** Sends one request on a new connection; in a closed loop the connection then goes on by itself. */
  start(): void {
    if (!this.stopped) this.#send(this.#connect())
  }

  /** Sends one request on whatever connection is free. */
  sendDue(lateMs: number): void {
    if (this.stopped) return
    if (this.measuring) this.lateMsMax = Math.max(this.lateMsMax, lateMs)
    if (this.#idle.length > 0 || this.#open < CONNECTIONS_MAX) this.#send(this.#idle.pop() ?? this.#connect())
    else this.fail('no connection left')
  }

  #send(connection: Connection): void {
    this.inFlight++
    connection.send(this.#request)
  }

  #connect(): Connection {
    this.#open++
    return new Connection(
      this.#spec.port,
      this.#spec.expect,
      (connection, reply) => this.#finish(connection, reply),
      (gapMs) => this.#event(gapMs),
    )
  }

  #finish(connection: Connection, reply: Reply): void {
    this.inFlight--
    if (reply.failure === undefined) this.successes++
    else this.fail(reply.failure)
    if (this.measuring && reply.failure === undefined) {
      this.latencyMs.push(reply.latencyMs)
      this.firstByteMs.push(reply.firstByteMs)
    }
    if (this.#spec.ratePerSecond === undefined && !this.stopped) this.#send(connection)
    else this.#idle.push(connection)
  }

  #event(gapMs: number): void {
    if (!this.measuring) return
    this.events++
    if (gapMs >= 0) this.gapMs.push(gapMs)
  }

  async drain(): Promise<void> {
    const deadlineMs = performance.now() + DRAIN_MS_MAX
    while (this.inFlight > 0 && performance.now() < deadlineMs) await wait(5)
    if (this.inFlight > 0) this.fail('not answered in time', this.inFlight)
  }
}

/** One run. Resolves after every request that was sent has ended, or fails it after half a minute. */
export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const run = new Run(spec)
  const pacing =
    spec.ratePerSecond === undefined
      ? spread(spec, () => run.start())
      : pace(spec.ratePerSecond, spec.warmupMs, spec.windowMs, (lateMs) => run.sendDue(lateMs))
  await wait(spec.warmupMs)
  const before = { atMs: performance.now(), subject: cpuMs(spec.subjectPid), own: cpuMs(process.pid) }
  run.measuring = true
  await wait(spec.windowMs)
  run.measuring = false
  const seconds = (performance.now() - before.atMs) / 1000
  const subjectCpuMs = cpuMs(spec.subjectPid) - before.subject
  const loadCpuMs = cpuMs(process.pid) - before.own
  const subjectRssMb = residentMb(spec.subjectPid)
  run.stopped = true
  await pacing
  await run.drain()
  return {
    successes: run.successes,
    failures: run.failures,
    seconds,
    requests: run.latencyMs.length,
    events: run.events,
    latencyMs: quantiles(run.latencyMs),
    firstByteMs: quantiles(run.firstByteMs),
    gapMs: quantiles(run.gapMs),
    subjectCpuMs,
    subjectRssMb,
    loadCpuMs,
    lateMsMax: run.lateMsMax,
  }
}

async function spread(spec: LoadSpec, start: () => void): Promise<void> {
  const begin = performance.now()
  for (let started = 0; started < spec.connections; started++) {
    const dueMs = (started * spec.rampMs) / spec.connections - (performance.now() - begin)
    if (dueMs > 1) await wait(dueMs)
    start()
  }
}

/**
 * Calls `send` at the stated rate, whatever becomes of the requests; a timer of one millisecond sends what is due. The
 * rate rises evenly over the warm-up: a cold process that meets the full rate at once answers with a crowd of connections.
 */
function pace(
  ratePerSecond: number,
  warmupMs: number,
  windowMs: number,
  send: (lateMs: number) => void,
): Promise<void> {
  const beginMs = performance.now()
  const perMs = ratePerSecond / 1000
  const warmupCount = (perMs * warmupMs) / 2
  const dueMs = (index: number): number =>
    index < warmupCount ? Math.sqrt((2 * index * warmupMs) / perMs) : warmupMs + (index - warmupCount) / perMs
  let sent = 0
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now() - beginMs
      for (let due = dueMs(sent); due <= Math.min(nowMs, warmupMs + windowMs); due = dueMs(sent)) {
        sent++
        send(nowMs - due)
      }
      if (nowMs < warmupMs + windowMs) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
}

if (import.meta.main) {
  const result = await runLoad(JSON.parse(process.argv[2] ?? '{}') as LoadSpec)
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}
