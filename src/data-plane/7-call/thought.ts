import type { EventRole } from '#codecs/codec.ts'
import type { Departure } from '#data-plane/departure.ts'
import type { EventSink, StreamAnswer } from './answer.ts'

/** Models without a member of its own for reasoning write it into their answer. */
const OPENED = /^\s*<think(?:ing)?>/
const CLOSED = /<\/think(?:ing)?>/

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: Readonly<Record<string, unknown>>
    readonly finish_reason?: unknown
  }[]
}

/** Reads the reasoning of a chat stream up to where its answer begins, and hangs up (R40). */
export class Thought implements EventSink {
  private readonly answer: StreamAnswer
  private readonly departure: Departure
  private readonly bytesMax: number
  private reasoning = ''
  private content = ''
  private isDone = false
  private accept!: (text: string) => void

  constructor(answer: StreamAnswer, departure: Departure, bytesMax: number) {
    this.answer = answer
    this.departure = departure
    this.bytesMax = bytesMax
  }

  /** What was thought; cut off at `bytesMax`. Never fails: a stream that breaks has said what it has said. */
  read(): Promise<string> {
    return new Promise((accept) => {
      this.accept = accept
      this.departure.onGone(() => this.hangUp())
      if (!this.isDone) this.answer.events.attach(this)
    })
  }

  onEvent(event: Buffer, role: EventRole): void {
    if (this.isDone) return
    if (role === 'failure') {
      this.answer.events.abort()
      this.onEnd(new Error('the stream told of a failure'))
      return
    }
    for (const line of event.toString('utf8').split('\n')) {
      if (!line.startsWith('data:') || !line.includes('{')) continue
      const choice = (JSON.parse(line.slice('data:'.length)) as Chunk).choices?.[0]
      if (choice && this.isOver(choice.delta ?? {}, choice.finish_reason)) return this.hangUp()
    }
  }

  onPause(): void {}

  onEnd(error: Error | null): void {
    if (this.isDone) return
    if (error) this.answer.health?.fail('failed', null)
    else this.answer.health?.succeed()
    this.finish()
  }

  private isOver(delta: Readonly<Record<string, unknown>>, finish: unknown): boolean {
    const text = (value: unknown): string => (typeof value === 'string' ? value : '')
    this.reasoning += text(delta['reasoning']) || text(delta['reasoning_content'])
    this.content += text(delta['content'])
    if (CLOSED.test(this.content) || delta['tool_calls'] || typeof finish === 'string') return true
    if (Buffer.byteLength(this.reasoning) + Buffer.byteLength(this.content) >= this.bytesMax) return true
    const trimmed = this.content.trimStart()
    return trimmed !== '' && !OPENED.test(trimmed) && !'<thinking>'.startsWith(trimmed)
  }

  private hangUp(): void {
    if (this.isDone) return
    this.answer.events.abort()
    this.answer.health?.succeed()
    this.finish()
  }

  private finish(): void {
    this.isDone = true
    const inline = OPENED.test(this.content) ? this.content.replace(OPENED, '').split(CLOSED)[0]! : ''
    const text = (this.reasoning + inline).trim()
    this.accept(
      Buffer.from(text)
        .subarray(0, this.bytesMax)
        .toString('utf8')
        .replace(/\ufffd$/, ''),
    )
  }
}
