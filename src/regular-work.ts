import type { Logger } from 'pino'
import { type SyncedBackend, syncRegularly } from '#catalog/discovery/sync-regularly.ts'
import type { CatalogSource } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { probeRegularly } from '#data-plane/probes.ts'
import type { RecoverableLedger } from '#ledger/ledger.ts'
import { sweepRegularly } from '#response-state/sweep.ts'
import type { ResponseState } from '#response-state/types.ts'
import type { SealArchive } from '#seal-state/types.ts'
import type { Store } from '#store/store.ts'

/** What runs beside the requests: part of the composition root. */

/** How often a gateway on a shared database looks for holds that a dead node left behind. */
const RECOVERY_INTERVAL_MS = 60_000

/** The backends whose model lists are followed, and where what they list is kept (R56). */
export function autoSynced({ dataDir, catalog }: Settings, { current }: CatalogSource): SyncedBackend[] {
  return [...current.backends.values()]
    .filter(({ id, enabled }) => enabled && catalog.backends[id]?.autoSync === true)
    .map((backend) => ({ backend, dataDir }))
}

/** Starts what runs beside the requests, and gives its end. */
export function workRegularly(
  store: Store,
  ledger: RecoverableLedger,
  kept: readonly [ResponseState, SealArchive],
  followed: () => readonly SyncedBackend[],
  gateway: Gateway,
): () => Promise<void> {
  const { log } = gateway
  const recovery = recoverRegularly(store, ledger, log)
  const [responses, seals] = kept
  const stopResponses = sweepRegularly(responses, (err) => log.error({ err }, 'old responses could not be deleted'))
  const stopSeals = sweepRegularly(seals, (err) => log.error({ err }, 'old seals could not be deleted'))
  const stopProbes = probeRegularly(gateway)
  const stopSyncing = syncRegularly({ backends: followed, log })
  return async () => {
    clearInterval(recovery)
    stopProbes()
    stopResponses()
    stopSeals()
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
