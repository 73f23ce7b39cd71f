import type { Usage } from '#ir/usage.ts'
import type { ObjectScan } from '#wire/json-scan.ts'
import type { EventFields } from '#wire/sse.ts'
import type { EventRole, Failure, StreamReader } from './codec.ts'

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
  failure: Failure | null = null
  protected readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  protected isComplete = false

  get complete(): boolean {
    return this.isComplete
  }

  abstract read(event: Buffer): EventRole

  /** Whether the data is an object. An event that is no JSON is the upstream's own: it passes unchanged and counts for nothing. */
  protected scanData(scan: ObjectScan, event: Buffer, from: number, to: number): boolean {
    try {
      return scan.scan(event, from, to)
    } catch {
      return false
    }
  }
}
