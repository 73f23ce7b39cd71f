import { EventFramer, type EventFields, readEvent } from '#wire/sse.ts'

/**
 * Writes the events of a Gemini stream as the elements of one JSON array, which is what Google sends without
 * `alt=sse` (R6). Comments have no place in it and are left out.
 */
export class JsonArrayFrames {
  private count = 0
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }

  /** The elements of any number of events. */
  elements(events: Buffer): Buffer {
    const framer = new EventFramer(Number.MAX_SAFE_INTEGER)
    const framed = framer.push(events)
    const rest = framer.end()
    if (rest) framed.push(rest)
    return framed.length === 1 ? this.element(framed[0]!) : Buffer.concat(framed.map((event) => this.element(event)))
  }

  /** One whole event as an element. */
  element(event: Buffer): Buffer {
    const { dataStart, dataEnd, dataText } = readEvent(event, this.fields)
    if (dataStart < 0 && dataText === null) return EMPTY
    const data = dataText === null ? event.subarray(dataStart, dataEnd) : Buffer.from(dataText)
    return Buffer.concat([this.count++ === 0 ? OPEN : SEPARATOR, data])
  }

  end(): Buffer {
    return this.count === 0 ? Buffer.from('[]') : CLOSE
  }
}

const EMPTY = Buffer.alloc(0)
const OPEN = Buffer.from('[')
const SEPARATOR = Buffer.from(',\r\n')
const CLOSE = Buffer.from(']')
