/**
 * Paced load on all surfaces, and what its clients know in the end: which replies they saw to their end, and which they asked
 * for again under an idempotency key until they had one (M4, M5). Ids that clients make up are the same again and again.
 */
import { Agent } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { chat, type Outcome } from './client.ts'
import type { Gateway, LedgerLine, LogRow } from './gateway.ts'
import { type ChatSurface, SURFACES } from './wire.ts'

const TICK_MS = 10
/** More are not sent: a client of a dead gateway waits too. */
const IN_FLIGHT_MAX = 300
const CONNECTIONS_MAX = 100
const AGAIN_MS = 50
/** One in so many requests has an idempotency key. */
const KEYED_EVERY = 10
/** Clients that insist at a time. */
const KEYED_MAX = 50
/** A client that insists gives up this long after the load has ended. */
const PATIENCE_MS = 30_000

const FORGED = {
  'x-request-id': 'req_forged',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
}

/** What a client decided on before it sent the first byte. */
interface Wish {
  readonly gateway: Gateway
  readonly surface: ChatSurface
  readonly stream: boolean
}

export interface LoadOptions {
  readonly gateways: readonly Gateway[]
  readonly key: string
  /** Requests per second, whether or not they are answered. */
  readonly rate: number
  readonly random: () => number
}

export class Load {
  /** Request ids of replies that were read to their end. */
  readonly completed: string[] = []
  /** Marks of the keyed requests that have their answer; the mark is the key, and the `x-request-id` of every attempt. */
  readonly answered = new Set<string>()
  /** How often a keyed request was sent again. */
  retries = 0
  unaryCount = 0
  streamCount = 0
  readonly oddities: string[] = []
  private readonly options: LoadOptions
  private readonly agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX })
  private readonly timer: NodeJS.Timeout
  private readonly startedMs = performance.now()
  private readonly open = new Set<Promise<void>>()
  private sent = 0
  private keyed = 0
  private stoppedMs = Number.POSITIVE_INFINITY

  constructor(options: LoadOptions) {
    this.options = options
    this.timer = setInterval(() => this.send(), TICK_MS)
  }

  /** Sends nothing new, and waits until every client has what it wanted. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    this.stoppedMs = performance.now()
    await Promise.all(this.open)
    this.agent.destroy()
  }

  private send(): void {
    const due = Math.floor(((performance.now() - this.startedMs) / 1000) * this.options.rate)
    for (; this.sent < due; this.sent++) {
      if (this.open.size >= IN_FLIGHT_MAX) continue
      const insists = this.sent % KEYED_EVERY === 0 && this.keyed < KEYED_MAX
      const work = insists ? this.insist(`key-${this.sent}`) : this.askOnce()
      this.open.add(work)
      void work.finally(() => this.open.delete(work))
    }
  }

  private wish(): Wish {
    const { random, gateways } = this.options
    const gateway = gateways[Math.floor(random() * gateways.length)]!
    return { gateway, surface: SURFACES[Math.floor(random() * SURFACES.length)]!, stream: random() < 0.5 }
  }

  private async ask({ gateway, surface, stream }: Wish, headers: Readonly<Record<string, string>>): Promise<Outcome> {
    const outcome = await chat(gateway, this.options.key, surface, { stream, agent: this.agent, headers })
    if (outcome.status !== 200 || !outcome.complete) return outcome
    // A reply that is sent again has a request id of its own, which nothing is booked for.
    if (outcome.headers['idempotent-replayed'] === 'true') return outcome
    this.completed.push(String(outcome.headers['x-request-id']))
    if (stream) this.streamCount++
    else this.unaryCount++
    return outcome
  }

  private async askOnce(): Promise<void> {
    const { status, text } = await this.ask(this.wish(), FORGED)
    if (status >= 400 && status < 500) this.oddities.push(`${status} ${text}`)
  }

  /** One request under one key, until it is answered or told to be. */
  private async insist(mark: string): Promise<void> {
    const wish = this.wish()
    const headers = { ...FORGED, 'x-request-id': mark, 'idempotency-key': mark }
    this.keyed++
    for (;;) {
      const { status, complete, text } = await this.ask(wish, headers)
      if ((status === 200 && complete) || text.includes('idempotency_answered')) break
      if (status >= 400 && status < 500 && status !== 409) this.oddities.push(`${status} ${text}`)
      if (performance.now() - this.stoppedMs > PATIENCE_MS) {
        this.oddities.push(`${mark} has no answer: ${status} ${text}`)
        break
      }
      this.retries++
      await wait(AGAIN_MS)
    }
    this.keyed--
    this.answered.add(mark)
  }
}

export interface Verdict {
  /** Seen to their end and not charged. */
  readonly lost: readonly string[]
  /** Charged more than once. */
  readonly double: readonly string[]
  /** Keyed requests that were not charged exactly once. */
  readonly keyed: readonly string[]
}

/** Holds what clients saw against what was booked. Rows are those of the whole account. */
export function judge(load: Load, usage: readonly LedgerLine[], rows: readonly LogRow[]): Verdict {
  const times = new Map<string, number>()
  for (const { request_id: id } of usage) times.set(id ?? '', (times.get(id ?? '') ?? 0) + 1)
  const charges = new Map<string, number>()
  for (const row of rows) {
    const mark = row['client_request_id']
    if (typeof mark === 'string' && times.has(row.request_id)) charges.set(mark, (charges.get(mark) ?? 0) + 1)
  }
  return {
    lost: load.completed.filter((id) => !times.has(id)),
    double: [...times].filter(([, count]) => count > 1).map(([id]) => id),
    keyed: [...load.answered].filter((mark) => charges.get(mark) !== 1).map((mark) => `${mark} ${charges.get(mark)}`),
  }
}
