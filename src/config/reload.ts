import { createHash } from 'node:crypto'
import { readFileSync, watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError, type LoadedConfig } from './load.ts'
import type { Settings } from './types.ts'

/** Editors and mounts write a file in several steps; what happens within this time is one change. */
export const DEBOUNCE_MS = 100

/** Settings that only a restart can change, with their place in the file (R115). */
const RESTART_ONLY = {
  host: 'server.host',
  port: 'server.port',
  dataDir: 'server.data_dir',
  databaseUrl: 'server.database_url',
  masterKey: 'auth.master_key',
  disableAuth: 'auth.disable_auth',
  anthropicPort: 'server.anthropic_port',
  logFile: 'logging.file',
  captureFile: 'logging.capture_file',
  accounting: 'usage_tracking.enabled',
  budgetTimeZone: 'billing.budget_tz',
} as const satisfies Partial<Record<keyof Settings, string>>

export interface ReloaderOptions {
  readonly initial: LoadedConfig
  /** Loads with the flags and the environment of the start. */
  readonly load: () => LoadedConfig
  /** Takes the new configuration over; when it throws, the old one stays. */
  readonly apply: (loaded: LoadedConfig) => void
  /** The new file cannot be used; the old configuration stays. One line per problem. */
  readonly rejected: (lines: readonly string[]) => void
  /** These paths changed but need a restart; everything else was applied. */
  readonly restartNeeded: (paths: readonly string[]) => void
  readonly debounceMs?: number
  /** A folder whose files belong to the configuration too; it must exist. */
  readonly folder?: string
}

export interface Reloader {
  readonly current: LoadedConfig
  /** Reads the file now (SIGHUP, admin change). False when it was rejected. */
  reload(): boolean
  /** Reloads whenever the file's content changes; does nothing without a file. */
  watch(): void
  close(): void
}

/** Keeps the configuration fresh without ever replacing a good one by a broken one (R115). */
export function createReloader(options: ReloaderOptions): Reloader {
  let seen = contentDigest(options.initial.settings.configFile)
  let isBlank = isBlankFile(options.initial.settings.configFile)
  let watcher: FSWatcher | undefined
  let folderWatcher: FSWatcher | undefined
  let timer: NodeJS.Timeout | undefined

  const reload = (): boolean => {
    const { current } = reloader
    seen = contentDigest(current.settings.configFile)
    try {
      const isBlankNow = isBlankFile(current.settings.configFile)
      if (isBlankNow && !isBlank) throw emptied(current.settings.configFile)
      const { next, restart } = keepRestartOnly(loadSameFile(options.load, current), current)
      options.apply(next)
      reloader.current = next
      isBlank = isBlankNow
      if (restart.length > 0) options.restartNeeded(restart)
      return true
    } catch (thrown) {
      options.rejected(thrown instanceof ConfigError ? thrown.lines : [(thrown as Error).message])
      return false
    }
  }
  let folderChanged = false
  const onEvent = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (folderChanged || contentDigest(reloader.current.settings.configFile) !== seen) reload()
      folderChanged = false
    }, options.debounceMs ?? DEBOUNCE_MS)
    timer.unref()
  }
  const onFolder = (): void => {
    folderChanged = true
    onEvent()
  }
  // `current` is no getter: V8 keeps a literal with one as a hash table, and every request asks for it.
  const reloader = {
    current: options.initial,
    reload,
    watch() {
      if (options.folder !== undefined) folderWatcher ??= watch(options.folder, { persistent: false }, onFolder)
      const file = reloader.current.settings.configFile
      if (file === null || watcher !== undefined) return
      // The folder and not the file: a replaced file or a swapped symbolic link would end a watch on the file itself.
      watcher = watch(dirname(file), { persistent: false }, onEvent)
      watcher.on('error', (fault) => options.rejected([`${file}: no longer watched: ${fault.message}`]))
    },
    close() {
      clearTimeout(timer)
      watcher?.close()
      watcher = undefined
      folderWatcher?.close()
      folderWatcher = undefined
    },
  }
  return reloader
}

/** A file that was found by its place and is gone would mean zero config: that is a mistake, not a wish. */
function loadSameFile(load: () => LoadedConfig, current: LoadedConfig): LoadedConfig {
  const loaded = load()
  const file = current.settings.configFile
  if (loaded.settings.configFile === file) return loaded
  throw new ConfigError([
    `${file ?? loaded.settings.configFile}: the configuration file moved; restart to use another one`,
  ])
}

function keepRestartOnly(loaded: LoadedConfig, current: LoadedConfig): { next: LoadedConfig; restart: string[] } {
  const restart: string[] = []
  const kept: Partial<Record<keyof Settings, unknown>> = {}
  for (const [name, path] of Object.entries(RESTART_ONLY) as [keyof typeof RESTART_ONLY, string][]) {
    if (loaded.settings[name] !== current.settings[name]) restart.push(path)
    kept[name] = current.settings[name]
  }
  return { next: { ...loaded, settings: { ...loaded.settings, ...kept } as Settings }, restart }
}

/** A file that is cut to nothing is half written, or lost: no wish to serve nobody (fault M12). */
const emptied = (file: string | null): ConfigError =>
  new ConfigError([`${file}: the configuration file is empty now; restart to begin without one`])

function isBlankFile(file: string | null): boolean {
  if (file === null) return false
  try {
    return readFileSync(file, 'utf8').trim() === ''
  } catch {
    return false
  }
}

/** Of the file as it is now; a file that is away for a moment has none. */
function contentDigest(file: string | null): string | null {
  if (file === null) return null
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex')
  } catch {
    return null
  }
}
