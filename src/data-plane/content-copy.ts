import type { ServerResponse } from 'node:http'
import type { Caller, ContentWish } from '#accounts/types.ts'
import type { NewContent } from '#observe/content-log.ts'
import type { Exchange } from './1-receive/exchange.ts'
import type { Parsed } from './3-parse/parse.ts'

/** Of one text: the log's bound, which the data plane only hears of. */
export interface ContentTaker {
  readonly bytesMax: number
  keep(content: NewContent): void
}

/**
 * The content of one request whose key wants it kept (R101): the body as it came, and the bytes of the answer as they go out,
 * streamed or not, errors too. Made for these few requests only; it copies what it keeps, so that no buffer of an upstream
 * lives longer because of it.
 */
export class ContentCopy {
  private readonly taker: ContentTaker
  private readonly facts: Omit<NewContent, 'response'>
  private chunks: Buffer[] = []
  private kept = 0
  private bytes = 0

  constructor(taker: ContentTaker, facts: Omit<NewContent, 'response'>) {
    this.taker = taker
    this.facts = facts
  }

  listen(response: ServerResponse): void {
    const { write, end } = response
    const plain = {
      write: (write as (chunk: Buffer | string) => boolean).bind(response),
      end: (end as (chunk?: Buffer | string) => ServerResponse).bind(response),
    }
    Object.assign(response, {
      write: (chunk: Buffer | string) => {
        this.take(chunk)
        return plain.write(chunk)
      },
      end: (chunk?: Buffer | string) => {
        if (chunk !== undefined) this.take(chunk)
        return plain.end(chunk)
      },
    })
  }

  /** To be called once, when the answer has ended. */
  finish(): void {
    this.taker.keep({ ...this.facts, response: { kept: Buffer.concat(this.chunks), bytes: this.bytes } })
  }

  private take(chunk: Buffer | string): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.bytes += bytes.length
    const room = this.taker.bytesMax - this.kept
    if (room <= 0) return
    const taken = Buffer.from(bytes.subarray(0, room))
    this.chunks.push(taken)
    this.kept += taken.length
  }
}

/** Begins to copy; null where the request itself says that nothing may be kept of it. */
export function copyContent(
  taker: ContentTaker | undefined,
  wish: ContentWish,
  { account, key }: Caller,
  { id: requestId, startedMs: atMs, response }: Exchange,
  { body, wishes }: Parsed,
): ContentCopy | null {
  if (!taker || wish.mode === 'none' || forbidsKeeping(wishes?.provider ?? null)) return null
  const kept = Buffer.from(body.subarray(0, taker.bytesMax))
  const { mode, retentionDays } = wish
  const request = { kept, bytes: body.length }
  const facts = { requestId, accountId: account.id, keyId: key?.id ?? null, mode, retentionDays, atMs, request }
  const copy = new ContentCopy(taker, facts)
  copy.listen(response)
  return copy
}

/** Who wants nobody upstream to keep the prompt does not want it here either (B13). */
const forbidsKeeping = (provider: Readonly<Record<string, unknown>> | null): boolean =>
  provider !== null && (provider['data_collection'] === 'deny' || provider['zdr'] === true)
