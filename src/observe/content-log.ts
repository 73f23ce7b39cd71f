import { AccountCipher } from '#base/account-cipher.ts'
import { redactSecrets } from '#base/redact.ts'
import type { RequestContentTable } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import type { ContentChoice } from './content-commands.ts'

/** What is kept of one text, of a request or of an answer; the rest is cut off, and the record says so. */
export const CONTENT_BYTES_MAX = 1024 * 1024
/** Contents on their way to the store: memory must not follow an outage. What comes beyond it is not kept, and told. */
export const CONTENT_WAITING_BYTES_MAX = 64 * 1024 * 1024
const RETRY_DELAY_MS = 1_000
const DAY_MS = 86_400_000

/** The beginning of a text, and how long all of it is. */
export interface ContentPart {
  readonly kept: Buffer
  readonly bytes: number
}

export interface NewContent {
  readonly requestId: string
  readonly accountId: string
  readonly keyId: string | null
  readonly mode: 'metadata' | 'full'
  readonly retentionDays: number
  readonly atMs: number
  readonly request: ContentPart
  readonly response: ContentPart
}

/** As it is read again. Texts are null where only their facts are kept, or cannot be opened any more. */
export interface KeptContent {
  readonly mode: 'metadata' | 'full'
  readonly createdMs: number
  readonly expiresMs: number
  readonly request: KeptPart
  readonly response: KeptPart
}

export interface KeptPart {
  readonly text: string | null
  readonly bytes: number
  readonly isCut: boolean
  readonly digest: string
}

/** What keys that want it have asked and were answered (R101): encrypted, written behind, gone after its time. */
export interface ContentLog {
  /** Takes it and returns at once; it is written a moment later. */
  keep(content: NewContent): void
  /** With a key only its own exists. Undefined from the moment on at which it expires. Rejects with GatewayError('store_unavailable'). */
  find(requestId: string, owner: { accountId: string; keyId?: string }): Promise<KeptContent | undefined>
  /** How many are gone. */
  remove(choice: ContentChoice): Promise<number>
  sweep(nowMs: number): Promise<number>
  /** Writes what waits; gives up with the first refusal. */
  flush(): Promise<void>
}

export interface ContentLogOptions {
  readonly now?: () => number
  readonly waitingBytesMax?: number
  /** Hears how many were not kept since it was last called. */
  readonly onLoss?: (count: number) => void
}

/** Contents over a store, encrypted with keys that come from `secret`. */
export function createContentLog(store: Store, secret: string, options: ContentLogOptions = {}): ContentLog {
  const { now = Date.now } = options
  const cipher = new AccountCipher(secret, 'contents')
  const writer = new ContentWriter(store, cipher, options)
  const removeAll = async (remove: () => Promise<number>): Promise<number> => {
    let removed = 0
    for (;;) {
      const count = await remove()
      if (count === 0) return removed
      removed += count
    }
  }
  return {
    keep: (content) => writer.keep(content),
    async find(requestId, { accountId, keyId }) {
      await writer.flush()
      let rows = store.read
        .selectFrom('request_contents')
        .selectAll()
        .where('request_id', '=', requestId)
        .where('account_id', '=', accountId)
        .where('expires_ms', '>', now())
      if (keyId !== undefined) rows = rows.where('key_id', '=', keyId)
      const row = await rows.executeTakeFirst()
      return row && contentOf(row, cipher)
    },
    async remove(choice) {
      // What waits would be written behind the deletion.
      await writer.flush()
      return removeAll(() => store.execute('removeContents', choice))
    },
    sweep: (nowMs) => removeAll(() => store.execute('sweepContents', { nowMs })),
    flush: () => writer.flush(),
  }
}

/** One at a time, each text in a turn of the event loop and each content in a command of its own: encrypting keeps the loop for milliseconds. */
class ContentWriter {
  private readonly store: Store
  private readonly cipher: AccountCipher
  private readonly bytesMax: number
  private readonly onLoss: (count: number) => void
  private waiting: NewContent[] = []
  private bytes = 0
  private dropped = 0
  private writing: Promise<void> | null = null
  private retry: NodeJS.Timeout | undefined

  constructor(store: Store, cipher: AccountCipher, { waitingBytesMax, onLoss = () => {} }: ContentLogOptions) {
    this.store = store
    this.cipher = cipher
    this.bytesMax = waitingBytesMax ?? CONTENT_WAITING_BYTES_MAX
    this.onLoss = onLoss
  }

  keep(content: NewContent): void {
    const size = sizeOf(content)
    if (this.bytes + size > this.bytesMax) {
      this.dropped++
      return
    }
    this.waiting.push(content)
    this.bytes += size
    if (this.writing === null && this.retry === undefined) void this.start()
  }

  async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const left = this.waiting.length
      await this.start()
      if (this.waiting.length >= left) return
    }
  }

  /** Never rejects; what the store refuses is tried again later. */
  private start(): Promise<void> {
    clearTimeout(this.retry)
    this.retry = undefined
    this.writing ??= this.writeAll()
      .catch(() => {
        this.retry = setTimeout(() => this.start(), RETRY_DELAY_MS).unref()
      })
      .finally(() => {
        this.writing = null
        if (this.dropped > 0) this.onLoss(this.dropped)
        this.dropped = 0
      })
    return this.writing
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const next = this.waiting[0]!
      await this.store.execute('saveContent', await rowOf(next, this.cipher))
      this.waiting.shift()
      this.bytes -= sizeOf(next)
    }
  }
}

const sizeOf = ({ request, response }: NewContent): number => request.kept.length + response.kept.length

const aside = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

async function rowOf(content: NewContent, cipher: AccountCipher): Promise<RequestContentTable> {
  const { requestId, accountId, keyId, mode, retentionDays, atMs, request, response } = content
  const sealed: string[] = []
  const digests: string[] = []
  for (const [name, part] of Object.entries({ request, response })) {
    await aside()
    digests.push(cipher.digestOf(accountId, part.kept))
    if (mode === 'full') sealed.push(cipher.encrypt(accountId, placeOf(requestId, name), textOf(part)))
  }
  return {
    request_id: requestId,
    account_id: accountId,
    key_id: keyId,
    mode,
    created_ms: atMs,
    expires_ms: atMs + retentionDays * DAY_MS,
    request_bytes: request.bytes,
    response_bytes: response.bytes,
    request_cut: Number(isCut(request)),
    response_cut: Number(isCut(response)),
    request_digest: digests[0]!,
    response_digest: digests[1]!,
    sealed: mode === 'full' ? sealed.join(SEPARATOR) : null,
  }
}

/** Not a sign of base64. */
const SEPARATOR = '.'

/** What a text is bound to: the answer does not open in the place of the question. */
const placeOf = (requestId: string, name: string): string => `${requestId} ${name}`

const isCut = ({ kept, bytes }: ContentPart): boolean => kept.length < bytes

/** Without the half of a character that a cut leaves, and without secrets. */
function textOf(part: ContentPart): string {
  const text = part.kept.toString('utf8')
  return redactSecrets(isCut(part) ? text.replace(/\uFFFD$/, '') : text)
}

function contentOf(row: RequestContentTable, cipher: AccountCipher): KeptContent {
  const [first, second] = row.sealed?.split(SEPARATOR) ?? []
  const open = (name: string, sealed: string | undefined): string | null =>
    (sealed && cipher.decrypt(row.account_id, placeOf(row.request_id, name), sealed)?.toString('utf8')) ?? null
  const [request, response] = [open('request', first), open('response', second)]
  return {
    mode: row.mode,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    request: { text: request, bytes: row.request_bytes, isCut: row.request_cut === 1, digest: row.request_digest },
    response: { text: response, bytes: row.response_bytes, isCut: row.response_cut === 1, digest: row.response_digest },
  }
}
