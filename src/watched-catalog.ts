import type { Logger } from 'pino'
import { buildCatalog, createCatalogSource } from '#catalog/catalog.ts'
import { ensureDiscoveredFolder } from '#catalog/discovery/discovered-file.ts'
import type { Catalog } from '#catalog/types.ts'
import type { LoadedConfig } from '#config/load.ts'
import type { ManagedRoute } from '#config/managed-routes.ts'
import { createReloader, type Reloader } from '#config/reload.ts'
import type { Settings } from '#config/types.ts'
import { TargetHealth } from '#health/target-health.ts'
import type { Simulator } from '#simulator/index.ts'
import type { Store } from '#store/store.ts'
import { createManagedRoutes, type StoredRoutes } from './managed-routes.ts'

/** What follows the configuration: part of the composition root. */

export interface WatchOptions {
  readonly loaded: LoadedConfig
  /** Reads the configuration again, with these routes of the API. */
  readonly load: (routes: readonly ManagedRoute[]) => LoadedConfig
  readonly log: Logger
  readonly simulator: Simulator | null
  readonly store: Store
  readonly stored: StoredRoutes
  /** Milliseconds; default: the machine's clock. */
  readonly now: (() => number) | undefined
}

/** The catalog and what is known of its backends. `onReload` takes who else follows the configuration. */
export function watchCatalog({ loaded, load, log, simulator, store, stored, now }: WatchOptions) {
  const health = new TargetHealth(now)
  const catalog = createCatalogSource(catalogOf(loaded.settings, simulator))
  const reload = (): boolean => reloader.reload()
  const managedRoutes = createManagedRoutes({ store, initial: stored, load, reload, log })
  const listeners: ((settings: Settings) => void)[] = []
  const onReload = (listener: (settings: Settings) => void): void => void listeners.push(listener)
  const apply = (next: LoadedConfig): void => {
    catalog.swap(catalogOf(next.settings, simulator))
    health.keepOnly(catalog.current.backends)
    for (const hear of listeners) hear(next.settings)
  }
  const reloader = watchConfig(loaded, () => load(managedRoutes.current), apply, log)
  const stopFollowing = managedRoutes.follow()
  const { close } = reloader
  reloader.close = () => {
    stopFollowing()
    close()
  }
  return { catalog, health, reloader, managedRoutes, onReload }
}

function catalogOf(settings: Settings, simulator: Simulator | null): Catalog {
  if (usesSimulator(settings) && simulator === null) throw new Error('A first simulator backend needs a restart.')
  return buildCatalog(settings, { simulatorUrl: simulator?.url ?? null, nowMs: Date.now() })
}

export function usesSimulator(settings: Settings): boolean {
  return Object.values(settings.catalog.backends).some((backend) => backend.type === 'simulator')
}

function watchConfig(
  initial: LoadedConfig,
  load: () => LoadedConfig,
  apply: (next: LoadedConfig) => void,
  log: Logger,
): Reloader {
  const reloader = createReloader({
    initial,
    folder: ensureDiscoveredFolder(initial.settings.dataDir),
    load,
    apply: (next) => {
      apply(next)
      for (const warning of next.warnings) log.warn({ warning }, 'configuration')
      log.info({ file: next.settings.configFile }, 'configuration reloaded')
    },
    rejected: (lines) => log.error({ lines }, 'the new configuration is not valid; the old one stays'),
    restartNeeded: (paths) => log.warn({ paths }, 'these settings need a restart'),
  })
  reloader.watch()
  const onHangup = () => reloader.reload()
  process.on('SIGHUP', onHangup)
  const { close } = reloader
  reloader.close = () => {
    process.off('SIGHUP', onHangup)
    close()
  }
  return reloader
}
