import type { ChatRequest } from '#ir/chat-request.ts'
import type { SealArchive } from '#seal-state/types.ts'
import { charactersOf, readEntry, type SealEntry, writeEntry } from './seal-entry.ts'
import { restoreSeals, unsealedCallIds } from './seal-restore.ts'

/** How long the seals of a tool call are kept: who returns its result later has lost them. */
export const STASH_HOURS = 24
/** All seals and their texts in memory together; the oldest go first. */
export const STASH_BYTES_MAX = 64 * 1024 * 1024
/** How long the store is not asked again for a call that it did not know: another node may be about to write it. */
export const MISSING_MS = 60_000

/** `store`: memory first, and the store behind it, which other nodes and the next process share. */
export type StashMode = 'store' | 'memory' | 'off'

export interface StashOptions {
  readonly archive: SealArchive
  /** Asked at each use. */
  readonly mode: () => StashMode
  readonly now?: () => number
  readonly bytesMax?: number
  /** Hears why the store was not read; the request goes on without it. */
  readonly onFailure?: (cause: unknown) => void
}

/** Where seals came from: they mean something to this account's calls at this backend alone (B3, attack S6). */
export interface StashScope {
  readonly accountId: string
  readonly backendId: string
  /** What the backend was asked with. Kept as a mark only. */
  readonly credential: string | null
}

/** `entry` is null for a call that is known to need nothing. */
interface Remembered {
  readonly entry: SealEntry | null
  readonly bytes: number
  readonly expiresAtMs: number
}

/** Keeps the seals of tool calls for clients that give back the call and not the reasoning before it (B3). */
export class SealStash {
  private readonly entries = new Map<string, Remembered>()
  private readonly archive: SealArchive
  private readonly mode: () => StashMode
  private readonly now: () => number
  private readonly bytesMax: number
  private readonly onFailure: (cause: unknown) => void
  private bytes = 0

  constructor(options: StashOptions) {
    this.archive = options.archive
    this.mode = options.mode
    this.now = options.now ?? Date.now
    this.bytesMax = options.bytesMax ?? STASH_BYTES_MAX
    this.onFailure = options.onFailure ?? (() => {})
  }

  /** Keeps what a call of this account at this backend needs. */
  keep(scope: StashScope, callId: string, needed: Omit<SealEntry, 'credential'>): void {
    const mode = this.mode()
    if (mode === 'off') return
    const { accountId, backendId, credential } = scope
    const key = keyOf(scope, callId)
    const expiresAtMs = this.now() + STASH_HOURS * HOUR_MS
    if (needed.before.length === 0 && needed.callSeal === null && needed.after.length === 0) {
      // Without it the store would be asked for every call of models that do not sign.
      if (mode === 'store') this.put(key, null, expiresAtMs)
      return
    }
    const entry = { ...needed, credential: credential === null ? null : this.archive.fingerprintOf(credential) }
    this.put(key, entry, expiresAtMs)
    if (mode === 'store') this.archive.keep(accountId, archiveIdOf(backendId, callId), writeEntry(entry))
  }

  /**
   * The request with the seals that its client left out put back where they stood. The store is read when memory does not
   * know a call whose answer came back without any seal; a failure of it is not the request's.
   */
  async restore(scope: StashScope, request: ChatRequest): Promise<ChatRequest> {
    const mode = this.mode()
    if (mode === 'off') return request
    if (mode === 'store') {
      const unknown = unsealedCallIds(request).filter((callId) => this.get(keyOf(scope, callId)) === undefined)
      if (unknown.length > 0) await this.load(scope, unknown)
    }
    if (this.entries.size === 0) return request
    return restoreSeals(request, (callId) => this.get(keyOf(scope, callId))?.entry ?? null)
  }

  private async load(scope: StashScope, callIds: readonly string[]): Promise<void> {
    const { accountId, backendId } = scope
    const asked = callIds.slice(0, this.archive.idsPerReadMax)
    try {
      const found = await this.archive.find(
        accountId,
        asked.map((callId) => archiveIdOf(backendId, callId)),
      )
      for (const callId of asked) {
        const kept = found.get(archiveIdOf(backendId, callId))
        const key = keyOf(scope, callId)
        if (kept) this.put(key, readEntry(kept.text), kept.expiresAtMs)
        else this.put(key, null, this.now() + MISSING_MS)
      }
    } catch (cause) {
      this.onFailure(cause)
    }
  }

  private put(key: string, entry: SealEntry | null, expiresAtMs: number): void {
    this.drop(key)
    const bytes = ENTRY_BYTES + 2 * (key.length + (entry ? charactersOf(entry) : 0))
    if (bytes > this.bytesMax) return
    this.entries.set(key, { entry, bytes, expiresAtMs })
    this.bytes += bytes
    // A map keeps the order of insertion, and nearly all entries live equally long.
    for (const [oldest, { expiresAtMs: end }] of this.entries) {
      if (this.bytes <= this.bytesMax && end > this.now()) break
      this.drop(oldest)
    }
  }

  private get(key: string): Remembered | undefined {
    const remembered = this.entries.get(key)
    return remembered && remembered.expiresAtMs > this.now() ? remembered : undefined
  }

  private drop(key: string): void {
    this.bytes -= this.entries.get(key)?.bytes ?? 0
    this.entries.delete(key)
  }
}

const HOUR_MS = 3_600_000
/** Roughly what an entry costs beside its texts. */
const ENTRY_BYTES = 300

const keyOf = ({ accountId, backendId }: StashScope, callId: string): string => `${accountId} ${backendId} ${callId}`
const archiveIdOf = (backendId: string, callId: string): string => `${backendId}\n${callId}`
