import type { EventRole, Failure, StreamReader } from '#codecs/codec.ts'
import type { Emulation } from '#codecs/emulation.ts'
import type { StreamDecoder, StreamEncoder } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { AnswerWatch } from './answer-watch.ts'

const NOTHING = Buffer.alloc(0)

/** Who looks on while an answer passes. */
export interface Onlooker {
  see(event: ChatEvent): void
  /** The answer is whole. */
  done(): void
}

/**
 * Reads the upstream's frames and writes the client's: what one frame says goes out with it. The end of the answer is kept
 * for `closing`, because it tells the cost and must not be seen before the settlement.
 */
export class TranslatedReader extends AnswerWatch implements StreamReader {
  // What we write ourselves needs no rewriting.
  readonly modelStart = -1
  readonly modelEnd = -1
  readonly usageOpen = -1
  output: Buffer = NOTHING
  private readonly decoder: StreamDecoder
  private readonly emulation: Emulation | null
  private readonly encoder: StreamEncoder

  private readonly watch: Onlooker

  /** `watch` is told each event that the client gets, and when the answer is whole. */
  constructor(
    responseId: string,
    decoder: StreamDecoder,
    emulation: Emulation | null,
    encoder: StreamEncoder,
    watch: Onlooker,
  ) {
    super(responseId)
    this.watch = watch
    this.decoder = decoder
    this.emulation = emulation
    this.encoder = encoder
  }

  get failure(): Failure | null {
    return this.decoder.failure
  }

  get complete(): boolean {
    return this.decoder.complete
  }

  repeats(): boolean {
    return false
  }

  read(frame: Buffer): EventRole {
    const events = this.decoder.push(frame)
    const isContent = this.write(events)
    if (this.decoder.failure) return 'failure'
    if (this.decoder.isLast) return 'terminal'
    if (isContent) return 'content'
    return events.length > 0 ? 'lifecycle' : 'noise'
  }

  /** Whatever the client has not seen of a complete answer. Called once, when nothing more comes from the upstream. */
  closing(): Buffer {
    this.write(this.decoder.end())
    this.watch.done()
    return Buffer.concat([this.output, Buffer.from(this.encoder.end())])
  }

  /** The end of an answer that broke, in the client's form. */
  failing(failure: Failure): Buffer {
    return Buffer.from(this.encoder.fail(failure))
  }

  /** Whether any of the events was content. */
  private write(events: readonly ChatEvent[]): boolean {
    let isContent = false
    let text = ''
    for (const event of events) {
      if (this.see(event)) isContent = true
      const shown = this.emulation ? this.emulation.push(event) : event
      if (!shown) continue
      text += this.encoder.push(shown)
      this.watch.see(shown)
    }
    this.output = text === '' ? NOTHING : Buffer.from(text)
    return isContent
  }
}
