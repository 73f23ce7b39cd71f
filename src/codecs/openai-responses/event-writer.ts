/** Writes the events of one stream: each has its name twice and a number that rises. */
export class EventWriter {
  private sequence = 0

  event(type: string, members: Readonly<Record<string, unknown>>): string {
    const data = JSON.stringify({ type, sequence_number: this.sequence++, ...members })
    return `event: ${type}\ndata: ${data}\n\n`
  }

  /** An event whose members are JSON text already. */
  raw(type: string, members: string): string {
    return `event: ${type}\ndata: {"type":"${type}","sequence_number":${this.sequence++},${members}}\n\n`
  }

  /** A writer of one kind of delta: all but the number and the text is the same each time. `tail` follows the text. */
  deltas(type: string, members: Readonly<Record<string, unknown>>, tail = ''): (text: string) => string {
    const head = `event: ${type}\ndata: {"type":"${type}","sequence_number":`
    const place = `,${JSON.stringify(members).slice(1, -1)},"delta":`
    const end = `${tail}}\n\n`
    return (text) => head + this.sequence++ + place + JSON.stringify(text) + end
  }
}
