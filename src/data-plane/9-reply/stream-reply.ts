import type { ServerResponse } from 'node:http'
import type { EventOffsets, EventRole, Failure } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Charge } from '#data-plane/6-reserve/charge.ts'
import type { HoldGuard } from '#data-plane/6-reserve/hold-guard.ts'
import type { EventSink, StreamAnswer, StreamEnding } from '#data-plane/7-call/answer.ts'
import type { Drain, Drains } from '#data-plane/drains.ts'
import { StreamBrokenError, withoutHost } from '#data-plane/failures.ts'
import type { Cost } from '#ledger/cost.ts'
import type { Tally } from '#data-plane/8-meter/tally.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'
import { addFacts } from './facts.ts'
import { streamHeaders } from '#data-plane/head.ts'
import { JsonArrayFrames } from './json-array-frames.ts'
import type { Outcome, Settle } from './reply.ts'
import { openRouterFailureEvents, responseEventEdits, withoutNullMembers } from './openrouter-shape.ts'
import { reasoningChunk } from './reasoning-chunk.ts'
import { closingWithReport, hasReportMember, reportEdits, responseReportEdits, tellsFinish } from './report-member.ts'
import { costEdits, modelEdit, publicNameOf } from './rewrite.ts'
import { holdWrites } from './turn-writes.ts'

/** How long an upstream may keep its connection open behind its last event before the answer is ended without it. */
export const LINGER_MS = 100

/**
 * Writes one streamed answer as it arrives: what came in one turn of the event loop in one write, the model's name and the
 * cost put in place, and the terminal event kept back until the settlement is durable. A stream that breaks ends with its protocol's
 * own error.
 */
export class StreamReply implements EventSink {
  private readonly response: ServerResponse
  private readonly exchange: Exchange
  private readonly parsed: Parsed
  private readonly answer: StreamAnswer
  private readonly tally: Tally
  private readonly settle: Settle
  private readonly drains: Drains
  private readonly drainMs: number
  private readonly guard: HoldGuard | null
  private readonly charge: Charge
  private readonly publicName: Buffer
  private readonly arrayFrames: JsonArrayFrames | null
  /** Whether this client sees the usage frame of a chat stream (R9). */
  private readonly showsUsage: boolean
  /** Whether the losses are told in the stream itself (B2). */
  private readonly reports: boolean
  private hasReported = false
  private output: Buffer[] = []
  /** The terminal event and whatever follows it: not released before the settlement. */
  private tail: Buffer[] | null = null
  private lingering: NodeJS.Timeout | undefined
  private isFinishing = false
  /** Whether it is being found out what a translated answer is charged. */
  private isPricing = false
  /** What came while it is found out if there is money for more; null while it is not. */
  private waiting: Waiting[] | null = null
  /** How the upstream ended meanwhile. */
  private ended: { readonly error: Error | null } | null = null
  /** Set while the upstream is read on for a client that has left. */
  private draining: Drain | null = null
  private accept!: () => void
  private reject!: (error: unknown) => void

  constructor(
    exchange: Exchange,
    parsed: Parsed,
    plan: Plan,
    answer: StreamAnswer,
    tally: Tally,
    settle: Settle,
    drains: Drains,
    drainMs: number,
    guard: HoldGuard | null,
    charge: Charge,
  ) {
    this.charge = charge
    this.drains = drains
    this.drainMs = drainMs
    this.guard = guard
    this.exchange = exchange
    this.response = exchange.response
    this.parsed = parsed
    this.answer = answer
    this.tally = tally
    this.settle = settle
    this.publicName = publicNameOf(answer.target.route.model)
    this.arrayFrames = parsed.asJsonArray ? new JsonArrayFrames() : null
    this.showsUsage = exchange.openRouter ? parsed.facts.showsUsage !== false : parsed.facts.showsUsage === true
    this.reports = parsed.reportsLosses && hasReportMember(parsed.surface)
    const thought = reasoningChunk(exchange, parsed.surface, answer)
    if (thought) this.output.push(this.frame(thought))
    // A keep-alive has sent the head already, without what was not known then.
    if (exchange.keepAlive.hasOpened) return
    const headers = streamHeaders(exchange, parsed.asJsonArray)
    addFacts(headers, parsed, plan, answer)
    this.response.writeHead(200, headers)
  }

  run(): Promise<void> {
    return new Promise((accept, reject) => {
      this.accept = accept
      this.reject = reject
      this.exchange.departure.onGone(() => this.leave())
      this.answer.events.attach(this)
    })
  }

  /** Reads on for the final usage where the operator wants it, but not for ever (R77). */
  private leave(): void {
    const giveUp = (): void => {
      this.answer.events.abort()
      this.finish('client_cancelled', [])
    }
    if (this.isFinishing) return giveUp()
    const { goneAt } = this.exchange.departure
    this.draining = this.drains.begin(this.drainMs - (performance.now() - goneAt), giveUp)
    if (!this.draining) return giveUp()
    // Nobody reads any more: what waited for a slow client would wait for ever.
    this.answer.events.resume()
  }

  onEvent(event: Buffer, role: EventRole, offsets: EventOffsets): void {
    if (this.isFinishing && this.tail === null) return
    if (this.waiting !== null) {
      const { modelStart, modelEnd, usageOpen, contentBytes } = offsets
      this.waiting.push({ event, role, offsets: { modelStart, modelEnd, usageOpen, contentBytes } })
      return
    }
    if (role === 'failure') {
      this.breakOff(this.answer.reader.failure!)
      return
    }
    if (role === 'usage' && !this.showsUsage) return
    if (offsets.usageOpen >= 0 && this.mustWait(event, role, offsets)) return
    const bytes = this.frame(this.rewrite(event, role, offsets))
    if (role === 'terminal') this.holdTail()
    else if (this.tail && !this.isFinishing && role !== 'noise') this.releaseTail()
    const queue = this.tail ?? this.output
    queue.push(bytes)
    if (this.guard !== null && offsets.contentBytes > this.guard.markBytes)
      this.checkFunds(this.guard, offsets.contentBytes)
  }

  onPause(): void {
    if (this.output.length > 0) this.flush()
  }

  /** More was delivered than was set aside (M2): the hold grows, or the answer ends here. */
  private checkFunds(guard: HoldGuard, bytes: number): void {
    // Whoever has the end already gets it.
    if (this.isFinishing || this.tail) return
    const told = guard.passed(bytes, () => this.tally.delivered(bytes))
    if (told === null) return
    if (this.output.length > 0) this.flush()
    // What comes in the same chunk waits: nobody has paid for it yet.
    this.waiting = []
    this.answer.events.pause()
    told.then(
      (failure) => this.checked(failure, 'out_of_funds'),
      () => this.checked(UNKNOWN_FUNDS, 'upstream_disconnect'),
    )
  }

  private checked(failure: Failure | null, outcome: Outcome): void {
    const waiting = this.waiting ?? []
    this.waiting = null
    if (this.isFinishing) return
    if (failure !== null) return this.breakOff(failure, outcome)
    for (const { event, role, offsets } of waiting) this.onEvent(event, role, offsets)
    if (this.waiting !== null || this.isFinishing) return
    this.onPause()
    const { ended } = this
    this.ended = null
    if (ended) this.onEnd(ended.error)
    else this.answer.events.resume()
  }

  onEnd(error: Error | null): void {
    if (this.isFinishing) return
    if (this.waiting !== null) {
      this.ended = { error }
      return
    }
    if (this.tail) {
      this.finishTail()
      return
    }
    const { reader } = this.answer
    if (!reader.complete) {
      this.breakOff(error instanceof StreamBrokenError ? error.failure : CUT)
      return
    }
    if (this.answer.translated) {
      this.finishTail()
      return
    }
    // A host that leaves the terminator out would keep clients waiting for it.
    const terminator = PASSTHROUGH[this.parsed.surface].terminator
    this.finish('complete', terminator === '' ? [] : [Buffer.from(terminator)])
  }

  /** The end is certain when the upstream ends; one that says the last word and lingers is not waited for. */
  private holdTail(): void {
    this.tail ??= []
    this.lingering ??= setTimeout(() => this.finishTail(), LINGER_MS)
  }

  /** Something follows what looked like the end: some hosts send several answers in one stream. */
  private releaseTail(): void {
    this.output.push(...this.tail!)
    this.tail = null
    clearTimeout(this.lingering)
    this.lingering = undefined
  }

  /** What costs more than was held is told when it is known how much of it is charged (R100). */
  private mustWait(event: Buffer, role: EventRole, offsets: EventOffsets): boolean {
    const usage = this.tally.reported()
    const asking = usage && this.askFor(this.tally.costOf(usage))
    if (!asking) return false
    const { modelStart, modelEnd, usageOpen, contentBytes } = offsets
    this.waiting = [{ event, role, offsets: { modelStart, modelEnd, usageOpen, contentBytes } }]
    this.answer.events.pause()
    void asking.then(() => this.checked(null, 'complete'))
    return true
  }

  private askFor(cost: Cost | null): Promise<void> | null {
    return this.charge.exceeds(cost) ? this.charge.ask(cost) : null
  }

  private finishTail(): void {
    if (this.isFinishing || this.isPricing) return
    const usage = this.answer.translated ? this.tally.final() : null
    const asking = usage && this.askFor(this.tally.costOf(usage))
    if (asking) {
      this.isPricing = true
      void asking.then(() => {
        this.isPricing = false
        return this.finishTail()
      })
      return
    }
    const tail = this.tail ?? []
    if (this.answer.translated) tail.push(this.frame(this.closing(this.answer.translated)))
    const { failure } = this.answer.reader
    this.finish(failure ? 'upstream_disconnect' : 'complete', tail, failure ?? undefined)
  }

  private closing(ending: StreamEnding): Buffer {
    const events = ending.closing()
    return this.reports ? closingWithReport(this.parsed.surface, events, this.answer.report.json()) : events
  }

  /** Where a passthrough stream tells its losses: in the first chunk with a finish, and in those that only tell usage. */
  private reportEditsOf(event: Buffer, role: EventRole): Edit[] {
    const { answer } = this
    if (this.parsed.surface === 'openai-responses')
      return role === 'terminal' ? responseReportEdits(event, answer.report.json()) : []
    const isFinish = !this.hasReported && role === 'content' && tellsFinish(event)
    if (!isFinish && role !== 'usage') return []
    this.hasReported = true
    return reportEdits(event, answer.report.json())
  }

  private rewrite(event: Buffer, role: EventRole, offsets: EventOffsets): Buffer {
    if (this.answer.translated) return event
    const rename = modelEdit(event, offsets.modelStart, offsets.modelEnd, this.publicName)
    // Most events: nothing of ours stands in them.
    if (!rename && offsets.usageOpen < 0 && !this.exchange.openRouter && !this.reports) return event
    const edits: Edit[] = rename ? [rename] : []
    if (this.reports) edits.push(...this.reportEditsOf(event, role))
    const usage = offsets.usageOpen < 0 ? null : this.tally.reported()
    // A chat frame that carries content and usage at once is only priced for who asked for usage.
    if (usage && (role !== 'content' || this.showsUsage)) {
      edits.push(
        ...costEdits(event, offsets.usageOpen, this.charge.told(this.tally.costOf(usage)), this.exchange.openRouter),
      )
    }
    const { openRouter } = this.exchange
    if (openRouter && this.parsed.surface === 'openai-responses' && offsets.modelStart >= 0)
      edits.push(...responseEventEdits(event))
    const edited = applyEdits(event, edits)
    return openRouter && this.parsed.surface === 'openai-chat' ? withoutNullMembers(edited) : edited
  }

  private frame(event: Buffer): Buffer {
    if (!this.arrayFrames) return event
    // A translated frame may be several events; the upstream's own is one.
    return this.answer.translated ? this.arrayFrames.elements(event) : this.arrayFrames.element(event)
  }

  private flush(): void {
    const bytes = this.output.length === 1 ? this.output[0]! : Buffer.concat(this.output)
    this.output = []
    if (bytes.length === 0 || this.exchange.departure.gone) return
    holdWrites(this.response.socket)
    if (!this.response.write(bytes)) {
      this.answer.events.pause()
      this.response.once('drain', () => this.answer.events.resume())
    }
  }

  /** After the first content an error can only be told in the stream itself, and nothing follows it (R69). */
  private breakOff(failure: Failure, outcome: Outcome = 'upstream_disconnect'): void {
    if (this.isFinishing) return
    this.answer.events.abort()
    this.flush()
    const message = withoutHost(failure.message, this.answer.target.route.backend)
    const breach = { ...failure, message }
    const { surface } = this.parsed
    const events =
      this.answer.translated?.failing(breach) ??
      Buffer.from(
        this.exchange.openRouter
          ? openRouterFailureEvents(surface, breach)
          : PASSTHROUGH[surface].failureEvents(breach),
      )
    this.tail = null
    this.finish(outcome, [this.frame(events)], breach)
  }

  /** Settles, then releases `tail` and ends the response. */
  private finish(outcome: Outcome, tail: Buffer[], breach?: Failure): void {
    if (this.isFinishing) return
    this.isFinishing = true
    clearTimeout(this.lingering)
    this.draining?.end()
    const saved = outcome === 'complete' ? this.answer.save?.() : undefined
    // What went wrong upstream after the client left is nobody's error.
    const settle = () => (this.draining ? this.settle('client_cancelled') : this.settle(outcome, breach))
    const counting = outcome === 'complete' && !this.draining ? null : this.tally.count()
    const settled = counting ? counting.then(settle) : settle()
    const done = saved ? Promise.all([settled, saved]) : settled
    done.then(
      () => {
        // The client may have left meanwhile; what it was sent is booked all the same.
        if (!this.exchange.departure.gone) {
          const end = this.arrayFrames ? [...tail, this.arrayFrames.end()] : tail
          this.response.end(Buffer.concat(end))
        }
        this.tail = null
        return this.accept()
      },
      (error: unknown) => {
        this.answer.events.abort()
        this.reject(error)
      },
    )
  }
}

/** An event that nobody has paid for yet. */
interface Waiting {
  readonly event: Buffer
  readonly role: EventRole
  readonly offsets: EventOffsets
}

const CUT: Failure = {
  status: 502,
  code: 'upstream_unavailable',
  message: 'The upstream ended its stream before the answer was complete.',
}

const UNKNOWN_FUNDS: Failure = {
  status: 503,
  code: 'store_unavailable',
  message: 'The balance cannot be read; the answer ends here.',
}
