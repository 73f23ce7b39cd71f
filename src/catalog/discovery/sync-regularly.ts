import type { Logger } from 'pino'
import { fetchModelList } from '#providers/fetch-model-list.ts'
import type { Backend } from '#catalog/types.ts'
import { type DiscoveredFile, readDiscovered, writeDiscovered } from './discovered-file.ts'
import { readModelList } from './model-list.ts'
import { applyProposals, type Proposal, proposalsOf } from './sync.ts'

/** How often the lists of backends with `auto_sync: true` are read again. */
export const SYNC_INTERVAL_MS = 6 * 60 * 60 * 1000

export interface Comparison {
  readonly before: DiscoveredFile | null
  readonly proposals: readonly Proposal[]
  /** What of the list could not be taken, and why. */
  readonly remarks: readonly string[]
  readonly listed: number
}

/** Reads a backend's list and compares it with what was accepted of it. Throws an Error that says what went wrong. */
export async function compareWithUpstream(
  backend: Backend,
  dataDir: string,
  signal?: AbortSignal,
): Promise<Comparison> {
  const { shape, entries } = await fetchModelList(backend, signal ? { signal } : {})
  const { models, remarks } = readModelList(entries, shape)
  // A list that is suddenly empty is a fault of the upstream sooner than the end of all its models.
  if (models.length === 0) throw new Error(`${backend.id}: its model list names no model that can be served`)
  const before = readDiscovered(dataDir, backend.id)
  return { before, proposals: proposalsOf(models, before), remarks, listed: models.length }
}

/** Writes the accepted proposals down; a running gateway that watches the folder takes them over. */
export function accept(
  backend: string,
  dataDir: string,
  before: DiscoveredFile | null,
  accepted: readonly Proposal[],
): void {
  writeDiscovered(dataDir, backend, applyProposals(before, accepted, new Date().toISOString()))
}

export interface SyncedBackend {
  readonly backend: Backend
  readonly dataDir: string
}

/** Follows the lists from now on; a failure is logged and what was accepted stays. Gives its end. */
export function syncRegularly(options: {
  readonly backends: () => readonly SyncedBackend[]
  readonly log: Pick<Logger, 'info' | 'warn'>
  readonly intervalMs?: number
}): () => Promise<void> {
  const { backends, log } = options
  const ended = new AbortController()
  let running = Promise.resolve()
  const syncAll = async (): Promise<void> => {
    for (const { backend, dataDir } of backends()) {
      if (ended.signal.aborted) return
      try {
        const { before, proposals } = await compareWithUpstream(backend, dataDir, ended.signal)
        if (proposals.length === 0) continue
        accept(backend.id, dataDir, before, proposals)
        log.info({ backend: backend.id, changes: proposals.length }, 'the model list was synced')
      } catch (thrown) {
        if (!ended.signal.aborted)
          log.warn({ backend: backend.id, reason: (thrown as Error).message }, 'the model list could not be synced')
      }
    }
  }
  const start = (): void => {
    running = running.then(syncAll)
  }
  start()
  const timer = setInterval(start, options.intervalMs ?? SYNC_INTERVAL_MS).unref()
  return async () => {
    clearInterval(timer)
    ended.abort()
    await running
  }
}
