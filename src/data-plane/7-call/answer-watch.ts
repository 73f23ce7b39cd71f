import type { ChatEvent } from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import { SAMPLE_BYTES_MAX } from '#codecs/text-sample.ts'

/** The beginning of a text, as TextSample keeps it of bytes. */
class StringSample {
  length = 0
  private said = ''

  add(text: string): void {
    if (this.length >= SAMPLE_BYTES_MAX) return
    this.said += text
    this.length += Buffer.byteLength(text)
  }

  text(): string {
    return this.said
  }
}

/** What the meter and the log take from the events of a translated answer. */
export class AnswerWatch {
  usage: Usage | null = null
  finishReason: string | null = null
  /** As the client knows the answer. */
  readonly responseId: string
  toolCallsCount = 0
  contentBytes = 0
  reportedBytes = -1
  readonly sample = new StringSample()

  constructor(responseId: string) {
    this.responseId = responseId
  }

  /** Whether the event carries something of the answer itself, so that the answer is committed with it. */
  see(event: ChatEvent): boolean {
    switch (event.type) {
      case 'block-delta':
        this.contentBytes += Buffer.byteLength(event.text)
        this.sample.add(event.text)
        return event.text !== ''
      case 'block-start': {
        const { type } = event.block
        if (type === 'tool-call') this.toolCallsCount++
        return type === 'tool-call' || type === 'media' || type === 'opaque'
      }
      case 'usage':
        this.usage = event.usage
        // What a stream begins with tells of its prompt only.
        if (this.contentBytes > 0) this.reportedBytes = this.contentBytes
        return false
      case 'finish':
        this.finishReason ??= event.raw ?? event.reason
        return true
      case 'response-start':
      case 'block-seal':
      case 'block-citation':
      case 'block-logprobs':
      case 'block-end':
      case 'opaque':
        return false
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }
}
