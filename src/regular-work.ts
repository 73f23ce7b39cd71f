import type { Logger } from 'pino'
import { type SyncedBackend, syncRegularly } from '#catalog/discovery/sync-regularly.ts'
import { keepPrices } from '#analytics/price-book.ts'
import { createRetention } from '#analytics/retention.ts'
import type { Rollups } from '#analytics/rollups.ts'
import type { CatalogSource } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { probeRegularly } from '#data-plane/probes.ts'
import { createExpiry, EXPIRY_INTERVAL_MS } from '#ledger/expiry.ts'
import { RECOVERY_INTERVAL_MS, type RecoverableLedger } from '#ledger/ledger.ts'
import type { ContentLog } from '#observe/content-log.ts'
import { sweepRegularly } from '#response-state/sweep.ts'
import type { ResponseState } from '#response-state/types.ts'
import type { SealArchive } from '#seal-state/types.ts'
import type { Store } from '#store/store.ts'

/** What runs beside the requests: part of the composition root. */

/** How often a catalog that was swapped is looked for. */
const PRICES_INTERVAL_MS = 5_000

/** The backends whose model lists are followed, and where what they list is kept (R56). */
export function autoSynced({ dataDir, catalog }: Settings, { current }: CatalogSource): SyncedBackend[] {
  return [...current.backends.values()]
    .filter(({ id, enabled }) => enabled && catalog.backends[id]?.autoSync === true)
    .map((backend) => ({ backend, dataDir }))
}

/** What grows by itself and is looked after. */
export interface Kept {
  readonly responses: ResponseState
  readonly seals: SealArchive
  readonly contents: Pick<ContentLog, 'sweep'>
  /** Null: accounting is off. */
  readonly rollups: Rollups | null
  /** Its prices are kept for receipts. */
  readonly catalog: CatalogSource
  /** How long request rows are kept; 0: for ever. */
  retentionDays(): number
}

/** Starts what runs beside the requests, and gives its end. */
export function workRegularly(
  store: Store,
  ledger: RecoverableLedger,
  kept: Kept,
  followed: () => readonly SyncedBackend[],
  gateway: Gateway,
): () => Promise<void> {
  const { log } = gateway
  const recovery = recoverRegularly(store, ledger, log)
  const { responses, seals, contents, rollups, catalog, retentionDays } = kept
  const stopKeeping = keepPricesRegularly(store, catalog, log)
  const stopResponses = sweepRegularly(responses, (err) => log.error({ err }, 'old responses could not be deleted'))
  const stopSeals = sweepRegularly(seals, (err) => log.error({ err }, 'old seals could not be deleted'))
  const onLate = (err: unknown): void => log.error({ err }, 'credits that have ended could not be taken')
  const stopExpiry = sweepRegularly(createExpiry(store), onLate, EXPIRY_INTERVAL_MS)
  const stopContents = sweepRegularly(contents, (err) => log.error({ err }, 'old contents could not be deleted'))
  const stopProbes = probeRegularly(gateway)
  const stopFolding = rollups?.runRegularly((err) => log.error({ err }, 'requests could not be added up'))
  const stopRows = sweepRegularly(createRetention(store, retentionDays), (err) =>
    log.error({ err }, 'old request rows could not be deleted'),
  )
  const stopSyncing = syncRegularly({ backends: followed, log })
  return async () => {
    clearInterval(recovery)
    stopProbes()
    stopExpiry()
    stopResponses()
    stopSeals()
    stopContents()
    stopRows()
    await stopKeeping()
    await stopFolding?.()
    await stopSyncing()
  }
}

function recoverRegularly(store: Store, ledger: RecoverableLedger, log: Logger): NodeJS.Timeout | undefined {
  if (store.engine === 'sqlite') return undefined
  const timer = setInterval(() => {
    ledger.recover().catch((error: unknown) => log.error({ err: error }, 'holds could not be recovered'))
  }, RECOVERY_INTERVAL_MS)
  return timer.unref()
}

/** Keeps the prices of the catalog, now and whenever it has changed; a failure is tried again. */
function keepPricesRegularly(store: Store, catalog: CatalogSource, log: Logger): () => Promise<void> {
  let seen: CatalogSource['current'] | undefined
  let keeping: Promise<void> | undefined
  const keep = (): void => {
    const { current } = catalog
    if (current === seen || keeping) return
    keeping = keepPrices(store, current, Date.now())
      .then(
        () => void (seen = current),
        (error: unknown) => log.error({ err: error }, 'prices could not be kept'),
      )
      .finally(() => (keeping = undefined))
  }
  keep()
  const timer = setInterval(keep, PRICES_INTERVAL_MS)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await keeping
  }
}
