import type { Turn } from './prompt.ts'

/** Responses that `previous_response_id` can name; the oldest is forgotten first. */
export const TRANSCRIPTS_MAX = 256
/** Characters of text; a longer conversation is answered but not kept. */
export const TRANSCRIPT_CHARACTERS_MAX = 1_000_000

/** The conversations behind stored responses. Files are dropped: only words are worth the memory. */
export class Transcripts {
  readonly #turns = new Map<string, readonly Turn[]>()

  get size(): number {
    return this.#turns.size
  }

  find(responseId: string): readonly Turn[] | undefined {
    return this.#turns.get(responseId)
  }

  keep(responseId: string, turns: readonly Turn[]): void {
    const kept = turns.map((turn) => ({ ...turn, parts: turn.parts.filter((part) => part.type !== 'file') }))
    if (JSON.stringify(kept).length > TRANSCRIPT_CHARACTERS_MAX) return
    this.#turns.set(responseId, kept)
    if (this.#turns.size <= TRANSCRIPTS_MAX) return
    const [oldest] = this.#turns.keys()
    this.#turns.delete(oldest!)
  }
}
