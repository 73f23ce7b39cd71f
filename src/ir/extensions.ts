import type { Protocol } from '#base/protocols.ts'

/**
 * Members that only one protocol knows, under its name and as they stood. The protocol's own encoder writes them back; any
 * other declares each of them lost.
 */
export type Extensions = Readonly<Partial<Record<Protocol, Readonly<Record<string, unknown>>>>>

/**
 * A difference between what one side said and what the other one got (B2). `path` is a JSON pointer into the client's
 * request; for what was lost of an answer it is one into the upstream's, behind `/response`. What was `noticed` changed nothing.
 */
export interface Loss {
  readonly path: string
  readonly action: 'dropped' | 'rewritten' | 'emulated' | 'narrowed' | 'noticed'
  readonly reason: string
  /** Whether it changes what the answer means: strict clients, and clients that asked for nothing less, get a 400 instead (R81). */
  readonly isSevere: boolean
}

/** Collects the losses of one encoding. */
export class Losses {
  readonly list: Loss[] = []

  dropped(path: string, reason: string): void {
    this.add({ path, action: 'dropped', reason, isSevere: false })
  }

  rewritten(path: string, reason: string): void {
    this.add({ path, action: 'rewritten', reason, isSevere: false })
  }

  emulated(path: string, reason: string): void {
    this.add({ path, action: 'emulated', reason, isSevere: false })
  }

  narrowed(path: string, reason: string): void {
    this.add({ path, action: 'narrowed', reason, isSevere: false })
  }

  /** Something the answer cannot do without: by default the request is refused (R81: tools, strict schemas, n > 1, logprobs). */
  severe(path: string, reason: string): void {
    this.add({ path, action: 'dropped', reason, isSevere: true })
  }

  protected add(loss: Loss): void {
    this.list.push(loss)
  }

  /** Every member of `members` that is not in `known` is lost. */
  unknown(path: string, members: Readonly<Record<string, unknown>> | undefined, reason: string): void {
    for (const name of Object.keys(members ?? {})) this.dropped(`${path}/${escapePointer(name)}`, reason)
  }
}

/** One reference token of a JSON pointer (RFC 6901). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
