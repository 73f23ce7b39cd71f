/** One run of the failover load: a steady rate of requests while one of two upstreams is sound, ill and sound again. */
import { Agent } from 'node:http'
import { performance } from 'node:perf_hooks'
import { call, type Outcome } from './client.ts'
import { type Order, PIECES, type Report, SOUND_NAME, type Way, WAYS } from './sick-upstream.ts'
import { eventually, type Gateway, type LogRow } from './gateway.ts'

export interface Load {
  /** Requests per second at the model whose first backend falls ill. */
  readonly perSecond: number
  readonly soundMs: number
  readonly illMs: number
}

/** One answered or lost request. Times in milliseconds of this process's monotonic clock. */
export interface Sample {
  readonly at: number
  readonly latencyMs: number
  readonly stream: boolean
  /** The server that every piece of the answer came from; null: it is not a whole answer. */
  readonly by: string | null
  /** Pieces of more than one answer, or of another request. */
  readonly isMixed: boolean
  readonly status: number
}

export interface Ran {
  readonly samples: readonly Sample[]
  /** At a model that has the sound backend alone, in the same time: what the gateway costs anyway. */
  readonly control: readonly Sample[]
  readonly illAt: number
  readonly soundAt: number
  /** From the recovery to the first answer of the recovered server. */
  readonly recoveryMs: number
}

/** To the first content, of every attempt. */
export const FIRST_CONTENT_MS = 1000
/** What an acceptance test gives a backend to be used again. */
export const RECOVERY_MS_MAX = 30_000
/** One request in so many goes to the model of the control, beside the load. */
const CONTROL_EVERY = 4
const TICK_MS = 2

export const nameOf = (way: Way): string => `sick${WAYS.indexOf(way)}`

/** Two backends per way, the one that falls ill first; one model with the sound one alone. */
export function loadConfig(ports: Extract<Report, { kind: 'ports' }>): unknown {
  const at = (port: number): object => ({
    type: 'openai_compatible',
    api_url: `http://127.0.0.1:${port}/v1`,
    api_key: 'upstream-key',
    protocols: ['openai-chat'],
  })
  const backends = Object.fromEntries(WAYS.map((way) => [nameOf(way), at(ports.sick[way])]))
  const ids = ['control', ...WAYS.map(nameOf)].map((name) => `model-${name}`)
  return {
    logging: { level: 'silent' },
    timeouts: { ttft_timeout: FIRST_CONTENT_MS / 1000, request_timeout: FIRST_CONTENT_MS / 1000 },
    backends: { ...backends, [SOUND_NAME]: at(ports.sound) },
    models: ids.map((id) => ({ id, context_window: 100_000, max_output: 1000, price: { input: 1, output: 2 } })),
    routes: [
      ...WAYS.map((way) => ({ model: `model-${nameOf(way)}`, backend: nameOf(way), priority: 0 })),
      ...ids.map((model) => ({ model, backend: SOUND_NAME, priority: 1 })),
    ],
  }
}

/** Runs one way: sound, ill, sound again until its server answers. `order` tells the servers. */
export async function runWay(
  gateway: Gateway,
  key: string,
  way: Way,
  load: Load,
  order: (what: Order['what']) => Promise<unknown>,
): Promise<Ran> {
  const client = new LoadClient(gateway, key)
  const samples: Sample[] = []
  const control: Sample[] = []
  const parity = { target: 0, control: 0 }
  const isStream = (of: keyof typeof parity): boolean => parity[of]++ % 2 === 0
  // Each request has a moment of its own: one that follows another at once would pay for it.
  const phaseMs = (WAYS.indexOf(way) * 1000) / (WAYS.length * load.perSecond)
  const stop = pace((load.perSecond * CONTROL_EVERY) / (CONTROL_EVERY - 1), phaseMs, (index) => {
    if (isControl(index)) void client.ask('model-control', isStream('control')).then((sample) => control.push(sample))
    else void client.ask(`model-${nameOf(way)}`, isStream('target')).then((sample) => samples.push(sample))
  })
  await elapsed(load.soundMs)
  await order('fall ill')
  const illAt = performance.now()
  await elapsed(load.illMs)
  await order('recover')
  const soundAt = performance.now()
  const first = await eventually(`${way}: in use again`, RECOVERY_MS_MAX, async () =>
    samples.find(({ at, by }) => at >= soundAt && by === nameOf(way)),
  )
  stop()
  await client.idle()
  return { samples, control, illAt, soundAt, recoveryMs: first.at - soundAt }
}

/**
 * Each place in a group of them in turn: after a stall of the machine a whole group is sent at once, and who is always first would
 * always be faster.
 */
const isControl = (index: number): boolean =>
  index % CONTROL_EVERY === Math.floor(index / CONTROL_EVERY) % CONTROL_EVERY

/** Resolves when so much time has passed: the load is a matter of time. */
const elapsed = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Calls `send` so many times per second, whatever becomes of it. Returns how to stop. */
function pace(perSecond: number, phaseMs: number, send: (index: number) => void): () => void {
  const beganAt = performance.now() + phaseMs
  let sent = 0
  const timer = setInterval(() => {
    const due = ((performance.now() - beganAt) * perSecond) / 1000
    while (sent < due) send(sent++)
  }, TICK_MS)
  return () => clearInterval(timer)
}

class LoadClient {
  private readonly gateway: Gateway
  private readonly key: string
  private readonly agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  private readonly open = new Set<Promise<Sample>>()
  private count = 0

  constructor(gateway: Gateway, key: string) {
    this.gateway = gateway
    this.key = key
  }

  ask(model: string, stream: boolean): Promise<Sample> {
    const asking = this.send(model, stream)
    this.open.add(asking)
    void asking.finally(() => this.open.delete(asking))
    return asking
  }

  /** Resolves when every request has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.open)
    this.agent.destroy()
  }

  private async send(model: string, stream: boolean): Promise<Sample> {
    const word = `word-${++this.count}`
    const at = performance.now()
    const outcome = await call(this.gateway.port, {
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${this.key}` },
      body: JSON.stringify({ model, stream, max_tokens: 50, messages: [{ role: 'user', content: word }] }),
      ...(stream ? { endMark: 'data: [DONE]' } : {}),
      agent: this.agent,
    })
    const latencyMs = performance.now() - at
    return { at, latencyMs, stream, status: outcome.status, ...read(outcome, word) }
  }
}

/** Every piece has to be of this request and of one server, and there have to be all of them. */
function read({ status, complete, text }: Outcome, word: string): Pick<Sample, 'by' | 'isMixed'> {
  const pieces = [...text.matchAll(/(word-\d+) (\w+)/g)]
  const names = new Set(pieces.map(([, , name]) => name))
  const isMixed = names.size > 1 || pieces.length > PIECES || pieces.some(([, own]) => own !== word)
  const isWhole = status === 200 && complete && pieces.length === PIECES && !text.includes('"error"')
  return { isMixed, by: isWhole && !isMixed ? [...names][0]! : null }
}

/** What a row tells of the attempt at the server that was ill. Times of the gateway's own clock, in milliseconds. */
interface Failing {
  readonly startedAt: number
  /** When it began to answer all the same; null: it never did. */
  readonly answeredAt: number | null
  readonly failedAt: number
}

/** A new attempt so long after the circuit opened is a probe. */
const PROBE_MS_MIN = 1500

/**
 * How many failures were known, at most, when another attempt was begun before the circuit was open, and that one: an attempt that
 * is under way cannot know what becomes of the others, and while one of them answers the failures before it are forgotten.
 */
export function failuresBeforeOpen(rows: readonly LogRow[], name: string, failuresMax: number): number {
  const failing = rows.flatMap((row) => failingOf(row, name)).toSorted((one, two) => one.failedAt - two.failedAt)
  const openedAt = failing[Math.min(failuresMax, failing.length) - 1]?.failedAt
  if (openedAt === undefined) return 0
  const begun = failing.filter(({ startedAt }) => startedAt <= openedAt + PROBE_MS_MIN)
  return Math.max(...begun.map(({ startedAt }) => 1 + knownAt(startedAt, failing)))
}

function knownAt(now: number, failing: readonly Failing[]): number {
  const answering = failing.filter(
    ({ answeredAt, failedAt }) => answeredAt !== null && answeredAt <= now && failedAt >= now,
  )
  const forgottenUntil = Math.max(...answering.map(({ answeredAt }) => answeredAt!))
  return failing.filter(({ failedAt }) => failedAt < now && failedAt > forgottenUntil).length
}

function failingOf(row: LogRow, name: string): Failing[] {
  const attempts = row['attempts'] as readonly { backend: string; latency_ms: number; error_code: string | null }[]
  const first = attempts[0]
  const isBroken = row.status === 'upstream_disconnect'
  if (first?.backend !== name || (first.error_code === null && !isBroken)) return []
  const startedAt = Date.parse(String(row['ts_start']))
  if (!isBroken) return [{ startedAt, answeredAt: null, failedAt: startedAt + first.latency_ms }]
  const answeredAt = startedAt + Number(row['ttft_ms'])
  return [{ startedAt, answeredAt, failedAt: Date.parse(String(row['ts_end'])) }]
}
