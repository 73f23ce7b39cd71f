/**
 * Takes the text of one string member out of a JSON object that arrives in pieces: what a model writes as
 * `{"input":"line\n..."}` is passed on as `line⏎...` while it is being written. What is no such object passes unchanged, so that
 * nothing the model said is lost.
 */
export class ArgumentText {
  private readonly opening: RegExp
  private state: 'opening' | 'text' | 'closed' | 'raw' = 'opening'
  /** What has not been understood yet: an unfinished opening or an unfinished escape. */
  private pending = ''

  constructor(member: string) {
    this.opening = new RegExp(`^\\s*\\{\\s*"${member}"\\s*:\\s*"`)
  }

  /** The plain text in this piece. */
  push(piece: string): string {
    if (this.state === 'raw') return piece
    if (this.state === 'closed') return ''
    this.pending += piece
    if (this.state === 'opening') {
      const opened = this.opening.exec(this.pending)
      if (!opened) return this.pending.length > OPENING_CHARACTERS_MAX ? this.giveUp() : ''
      this.pending = this.pending.slice(opened[0].length)
      this.state = 'text'
    }
    return this.takeText()
  }

  private giveUp(): string {
    const text = this.pending
    this.state = 'raw'
    this.pending = ''
    return text
  }

  private takeText(): string {
    const { pending } = this
    let end = 0
    while (end < pending.length && pending[end] !== '"') {
      const length = pending[end] === '\\' ? (pending[end + 1] === 'u' ? UNICODE_ESCAPE_CHARACTERS : 2) : 1
      if (end + length > pending.length) break
      end += length
    }
    if (pending[end] === '"') this.state = 'closed'
    const text = unescaped(pending.slice(0, end))
    this.pending = pending.slice(end)
    return text
  }
}

/** Longest white space and member name before the text. */
const OPENING_CHARACTERS_MAX = 64
const UNICODE_ESCAPE_CHARACTERS = 6

function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`) as string
  } catch {
    return text
  }
}
