import type { ToolSealTable } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import { SealCipher } from './cipher.ts'
import type { KeptText, SealArchive } from './types.ts'

export const KEPT_HOURS = 24
const HOUR_MS = 3_600_000

/** One text. A longer one is kept in memory alone. */
export const TEXT_CHARACTERS_MAX = 512 * 1024
/** Texts on their way to the store: memory must not follow an outage. */
export const WAITING_CHARACTERS_MAX = 16 * 1024 * 1024
/** Ids that one request looks up. */
export const IDS_PER_READ_MAX = 256
/** What one read carries, the newest first: what arrives is copied and decrypted on the event loop. */
export const READ_BYTES_MAX = 4 * 1024 * 1024

/** Of one command: settlements wait behind it, and encrypting keeps the event loop. */
const ROWS_PER_COMMAND_MAX = 50
const CHARACTERS_PER_COMMAND_MAX = 1024 * 1024
const RETRY_DELAY_MS = 1_000

export interface SealStateOptions {
  readonly now?: () => number
  readonly waitingCharactersMax?: number
  /** Hears how many texts were not kept, since it was last called, and of what could not be opened. */
  readonly onLoss?: (what: 'dropped' | 'unreadable', count: number) => void
}

/** Seals over a store, encrypted with keys that come from `secret`. `now` is milliseconds since the epoch. */
export function createSealState(store: Store, secret: string, options: SealStateOptions = {}): SealArchive {
  const cipher = new SealCipher(secret)
  const writer = new SealWriter(store, cipher, options)
  const { now = Date.now, onLoss = () => {} } = options
  return {
    keep: (accountId, id, text) => writer.keep(accountId, id, text),
    find: (accountId, ids) => findTexts(store, cipher, accountId, ids, now(), onLoss),
    idsPerReadMax: IDS_PER_READ_MAX,
    fingerprintOf: (credential) => cipher.fingerprintOf(credential),
    flush: () => writer.flush(),
    async sweep(nowMs) {
      let removed = 0
      for (;;) {
        const count = await store.execute('sweepSeals', { nowMs })
        if (count === 0) return removed
        removed += count
      }
    },
  }
}

interface Waiting {
  readonly accountId: string
  readonly id: string
  readonly text: string
  readonly expiresAtMs: number
}

/** Writes behind the answers: at the next turn of the event loop, one command at a time, in the order of arrival. */
class SealWriter {
  private readonly store: Store
  private readonly cipher: SealCipher
  private readonly now: () => number
  private readonly charactersMax: number
  private readonly onLoss: NonNullable<SealStateOptions['onLoss']>
  private waiting: Waiting[] = []
  private characters = 0
  private dropped = 0
  private writing: Promise<void> | null = null
  /** Takes back the next start; null when none is planned. */
  private unplan: (() => void) | null = null

  constructor(store: Store, cipher: SealCipher, options: SealStateOptions) {
    this.store = store
    this.cipher = cipher
    this.now = options.now ?? Date.now
    this.charactersMax = options.waitingCharactersMax ?? WAITING_CHARACTERS_MAX
    this.onLoss = options.onLoss ?? (() => {})
  }

  keep(accountId: string, id: string, text: string): void {
    const isTooLong = text.length > TEXT_CHARACTERS_MAX
    if (isTooLong || this.characters + text.length > this.charactersMax) this.dropped++
    else {
      this.waiting.push({ accountId, id, text, expiresAtMs: this.now() + KEPT_HOURS * HOUR_MS })
      this.characters += text.length
    }
    // Soon, because at another node the call's result may be the next request.
    if (this.unplan || this.writing) return
    const soon = setImmediate(() => this.start())
    this.unplan = () => clearImmediate(soon)
  }

  /** Gives up with the first refusal. */
  async flush(): Promise<void> {
    if (this.waiting.length > 0) await this.start()
    this.unplan?.()
    this.unplan = null
    this.tellDropped()
  }

  /** Never rejects. */
  private start(): Promise<void> {
    this.unplan?.()
    this.unplan = null
    this.writing ??= this.writeAll().then(
      () => this.rest(null),
      () => this.rest(RETRY_DELAY_MS),
    )
    return this.writing
  }

  /** Nothing is under way; `retryMs`: what waits is tried again then. */
  private rest(retryMs: number | null): void {
    this.writing = null
    this.tellDropped()
    if (retryMs === null) return
    const later = setTimeout(() => this.start(), retryMs).unref()
    this.unplan = () => clearTimeout(later)
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.nextBatch()
      await this.store.execute(
        'saveSeals',
        batch.map((one) => this.rowOf(one)),
      )
      this.waiting.splice(0, batch.length)
      for (const { text } of batch) this.characters -= text.length
    }
  }

  private nextBatch(): Waiting[] {
    let characters = 0
    let count = 0
    for (const { text } of this.waiting.slice(0, ROWS_PER_COMMAND_MAX)) {
      characters += text.length
      if (count > 0 && characters > CHARACTERS_PER_COMMAND_MAX) break
      count++
    }
    return this.waiting.slice(0, count)
  }

  private rowOf({ accountId, id, text, expiresAtMs }: Waiting): ToolSealTable {
    const rowId = this.cipher.rowIdOf(accountId, id)
    const sealed = this.cipher.encrypt(accountId, rowId, text)
    return { account_id: accountId, id: rowId, expires_ms: expiresAtMs, bytes: sealed.length, sealed }
  }

  private tellDropped(): void {
    if (this.dropped > 0) this.onLoss('dropped', this.dropped)
    this.dropped = 0
  }
}

async function findTexts(
  store: Store,
  cipher: SealCipher,
  accountId: string,
  ids: readonly string[],
  nowMs: number,
  onLoss: NonNullable<SealStateOptions['onLoss']>,
): Promise<ReadonlyMap<string, KeptText>> {
  if (ids.length === 0) return new Map()
  const idOfRow = new Map(ids.slice(0, IDS_PER_READ_MAX).map((id) => [cipher.rowIdOf(accountId, id), id]))
  const rows = await readRows(store, accountId, [...idOfRow.keys()], nowMs)
  const found = new Map<string, KeptText>()
  for (const row of rows) {
    const text = cipher.decrypt(accountId, row.id, row.sealed)
    if (text !== null) found.set(idOfRow.get(row.id)!, { text, expiresAtMs: row.expires_ms })
  }
  if (found.size < rows.length) onLoss('unreadable', rows.length - found.size)
  return found
}

/** The living rows with these ids, the newest first, as far as READ_BYTES_MAX goes. */
function readRows(store: Store, accountId: string, rowIds: readonly string[], nowMs: number) {
  return store.read
    .selectFrom((from) =>
      from
        .selectFrom('tool_seals')
        .select(['id', 'expires_ms', 'sealed'])
        .select((select) =>
          select.fn
            .sum('bytes')
            .over((over) => over.orderBy('expires_ms', 'desc').orderBy('id'))
            .as('total'),
        )
        .where('account_id', '=', accountId)
        .where('id', 'in', rowIds)
        .where('expires_ms', '>', nowMs)
        .as('ranked'),
    )
    .select(['id', 'expires_ms', 'sealed'])
    .where('total', '<=', READ_BYTES_MAX)
    .execute()
}
