/** A text that was kept, and until when it may be used. */
export interface KeptText {
  readonly text: string
  readonly expiresAtMs: number
}

/**
 * Texts of tool calls, kept for KEPT_HOURS in the store and encrypted there (B3). It is a help and not a promise: what is
 * kept is on its way to the store when the answer ends, and a process that dies at that moment takes it along.
 */
export interface SealArchive {
  /** Keeps a text of an account under an id, behind the answer. A later one under the same id replaces it. */
  keep(accountId: string, id: string, text: string): void
  /**
   * The texts of this account under these ids, as far as there are any: one query for at most `idsPerReadMax` ids, of which
   * the later ones are left out. Rejects with `store_unavailable` during an outage.
   */
  find(accountId: string, ids: readonly string[]): Promise<ReadonlyMap<string, KeptText>>
  readonly idsPerReadMax: number
  /** A credential's mark: the same at every node, and no way back to it. 16 hexadecimal digits. */
  fingerprintOf(credential: string): string
  /** Deletes what has expired. Gives how many went. */
  sweep(nowMs: number): Promise<number>
  /** Resolves when everything kept so far was written, or the store refused it. */
  flush(): Promise<void>
}
