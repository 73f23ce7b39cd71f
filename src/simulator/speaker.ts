import type { Fields, Refusal } from './fields.ts'
import type { Performance } from './performance.ts'
import type { Prompt } from './prompt.ts'

/** One write to the client's stream. `content` marks the frames that carry a piece of the answer. */
export interface Frame {
  readonly text: string
  readonly content: boolean
}

/** An answer that is ready to be sent in either form; only one of the two is used. */
export interface Spoken {
  body(): Fields
  frames(): Iterable<Frame>
}

/** One protocol of the simulator. Synchronous and without a network. */
export interface Speaker {
  /** Reads the body of a generation request. Throws Refusal 400. */
  read(body: Fields, model: string): Prompt
  speak(performance: Performance, body: Fields, prompt: Prompt): Spoken
  /** The protocol's error body. */
  refuse(refusal: Refusal): Fields
  /** The protocol's error event inside a stream. */
  breakOff(refusal: Refusal): Frame
}

/** A server-sent event; `event:` only where the protocol has it. */
export function frame(data: Fields | string, content: boolean, event?: string): Frame {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return { text: `${event ? `event: ${event}\n` : ''}data: ${text}\n\n`, content }
}

/** The second of now, as the OpenAI protocols stamp their answers. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
