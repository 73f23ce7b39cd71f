import type { Usage } from '#ir/usage.ts'
import type { ObjectScan } from '#wire/json-scan.ts'
import type { EventFields } from '#wire/sse.ts'
import type { EventRole, Failure, StreamReader } from './codec.ts'
import { EventTemplate } from './event-template.ts'
import { stringBytes } from './event-text.ts'
import { TextSample } from './text-sample.ts'

/** What every protocol's stream reader keeps: the facts found so far, and where the last event may be rewritten. */
export abstract class EventReader implements StreamReader {
  modelStart = -1
  modelEnd = -1
  usageOpen = -1
  usage: Usage | null = null
  finishReason: string | null = null
  responseId: string | null = null
  toolCallsCount = 0
  contentBytes = 0
  reportedBytes = -1
  failure: Failure | null = null
  protected readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  protected isComplete = false
  private keptModelStart = -1
  private keptModelEnd = -1
  readonly sample = new TextSample()
  private readonly template = new EventTemplate()

  get complete(): boolean {
    return this.isComplete
  }

  read(event: Buffer): EventRole {
    return this.repeats(event) ? 'content' : this.readAnew(event)
  }

  repeats(event: Buffer): boolean {
    const textBytes = this.template.match(event)
    if (textBytes < 0) return false
    this.contentBytes += textBytes
    if (this.sample.isOpen) this.sample.add(event, this.template.textEnd - textBytes, this.template.textEnd)
    this.modelStart = this.keptModelStart
    this.modelEnd = this.keptModelEnd
    this.usageOpen = -1
    return true
  }

  /** Reads an event in full, whatever came before it. */
  abstract readAnew(event: Buffer): EventRole

  /**
   * Keeps an event that said nothing but a text, for those that repeat it: to read one of them must change nothing but
   * `contentBytes`, by the bytes of its text. `text`, `second` and `third` as in EventTemplate.
   */
  protected keep(event: Buffer, text: number, second = -1, third = -1): void {
    this.template.keep(event, text, second, third)
    this.sampleString(event, text)
    this.keptModelStart = this.modelStart
    this.keptModelEnd = this.modelEnd
    // Behind a text of another length the name stands elsewhere.
    if (this.modelStart > this.template.firstHole) this.template.clear()
  }

  /** Keeps the string that starts at `at` for an estimate. */
  protected sampleString(event: Buffer, at: number): void {
    if (this.sample.isOpen && at >= 0) this.sample.add(event, at + 1, at + 1 + stringBytes(event, at))
  }

  /** Whether the data is an object. An event that is no JSON is the upstream's own: it passes unchanged and counts for nothing. */
  protected scanData(scan: ObjectScan, event: Buffer, from: number, to: number): boolean {
    try {
      return scan.scan(event, from, to)
    } catch {
      return false
    }
  }
}
