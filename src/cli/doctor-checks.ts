import { buildCatalog } from '#catalog/catalog.ts'
import { ConfigError, loadConfig, type LoadedConfig } from '#config/load.ts'
import type { Settings } from '#config/types.ts'
import { openLedger } from '#ledger/open-ledger.ts'
import type { TrialLine } from '#ledger/trial-balance.ts'
import { findPreset } from '#providers/presets.ts'
import { openStore, type Store } from '#store/store.ts'
import { ANY_SIMULATOR_URL } from './catalog.ts'
import { failureLines } from './failure.ts'
import type { Run } from './program.ts'
import { checkWritable, ensureDataFolder } from '#store/data-folder.ts'
import { storeAt } from '#store/location.ts'

/** What one check found; `failed` decides the exit code. */
export interface Finding {
  readonly failed: boolean
  readonly status: string
  readonly detail: string
  readonly problems: readonly string[]
  /** Of the ledger: what each account has been debited and credited. */
  readonly trialBalance?: readonly TrialLine[]
}

const fine = (detail: string, status = 'ok'): Finding => ({ failed: false, status, detail, problems: [] })
const bad = (detail: string, problems: readonly string[] = [], status = 'failed'): Finding => ({
  failed: true,
  status,
  detail,
  problems,
})

/** How long a gateway may take to list its catalog before it counts as unreachable. */
export const CATALOG_WAIT_MS = 5000

export function checkConfig(run: Run): { finding: Finding; loaded: LoadedConfig | null } {
  try {
    const loaded = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
    const file = loaded.settings.configFile ?? 'no file, defaults and environment'
    return { finding: { ...fine(file), problems: loaded.warnings }, loaded }
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    return { finding: bad('the configuration is not valid', thrown.lines), loaded: null }
  }
}

/** Every enabled backend that needs a credential has one. */
export function checkBackends(settings: Settings): Finding {
  const problems: string[] = []
  const enabled = Object.entries(settings.catalog.backends).filter(([, backend]) => backend.enabled)
  for (const [id, backend] of enabled) {
    const needsKey = (findPreset(backend.type)?.auth ?? 'none') !== 'none'
    if (needsKey && backend.credentials.length === 0) {
      problems.push(`${id}: no API key; set ${backend.credentialSource ?? 'its api_key'}`)
    }
  }
  const detail = `${enabled.length} enabled`
  return problems.length > 0 ? bad(detail, problems) : fine(detail)
}

export function checkDataDir({ dataDir }: Settings): Finding {
  try {
    ensureDataFolder(dataDir)
    checkWritable(dataDir)
    return fine(dataDir)
  } catch (thrown) {
    return bad(`${dataDir} cannot be written`, failureLines(thrown))
  }
}

/** Opens the database, which brings its schema up to date, and lets the ledger check its own books. */
export async function checkStore(settings: Settings): Promise<{ database: Finding; ledger: Finding }> {
  let store: Store
  try {
    store = await openStore(storeAt(settings))
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    // A gateway that is running holds its data folder; that is no fault of the installation.
    if (/in use by another/.test(text)) {
      const running = fine('in use by a running gateway; stop it to check the books', 'in_use')
      return { database: running, ledger: { ...running, status: 'skipped' } }
    }
    return { database: bad(text), ledger: bad('not checked: the database cannot be opened', [], 'skipped') }
  }
  // What a killed gateway left in its journal belongs to the books.
  const ledger = openLedger(store, { journalFolder: settings.dataDir })
  try {
    const released = await ledger.recover()
    const { accounts, entries, openHolds, problems, trialBalance } = await ledger.verify()
    const ended = released === 0 ? '' : `, ${released} released that were past their lease`
    const detail = `${accounts} accounts, ${entries} entries, ${openHolds} open holds${ended}`
    const found = problems.length > 0 ? bad(detail, problems) : fine(detail)
    return { database: fine(store.engine), ledger: { ...found, trialBalance } }
  } finally {
    await ledger.close()
    await store.close()
  }
}

/** The four diagnoses of an empty model list (R52): of the gateway at GATEWAY_URL, else of this configuration. */
export async function checkCatalog(run: Run, loaded: LoadedConfig | null): Promise<Finding> {
  if (!loaded) return bad('no gateway address: the configuration is not valid', [], 'unset')
  const { settings } = loaded
  const filter = run.env['GATEWAY_CATALOG_ROUTE_GROUPS']?.trim() ?? ''
  if (settings.gatewayUrl !== null) return fetchCatalog(settings.gatewayUrl, filter)
  const catalog = buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() })
  const groups = new Set(
    filter
      .toLowerCase()
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  )
  const routes = [...catalog.routes.values()].filter((list) => list.length > 0)
  const shown = routes.filter((list) => groups.size === 0 || list.some((one) => groups.has(one.group.toLowerCase())))
  return countFinding(shown.length, routes.length, filter)
}

async function fetchCatalog(root: string, filter: string): Promise<Finding> {
  const read = async (query: string): Promise<number> => {
    const answer = await fetch(`${root}/catalog/models${query}`, { signal: AbortSignal.timeout(CATALOG_WAIT_MS) })
    const text = await answer.text()
    if (!answer.ok) throw new BadAnswer(`${root} answers ${answer.status}`)
    try {
      return (JSON.parse(text) as { data: unknown[] }).data.length
    } catch {
      throw new BadAnswer(`${root}/catalog/models is no model list`)
    }
  }
  try {
    const all = await read('')
    return countFinding(filter === '' ? all : await read(`?route_groups=${encodeURIComponent(filter)}`), all, filter)
  } catch (thrown) {
    if (thrown instanceof BadAnswer) return bad(thrown.message, [], 'bad_response')
    const { message, cause } = thrown as Error
    return bad(`${root} cannot be reached`, [cause instanceof Error ? cause.message : message], 'unreachable')
  }
}

class BadAnswer extends Error {}

function countFinding(shown: number, all: number, filter: string): Finding {
  if (shown > 0) return fine(`${shown} models can be called`)
  return all === 0
    ? bad('no model has an active route on an enabled backend', [], 'empty')
    : bad(`the filter GATEWAY_CATALOG_ROUTE_GROUPS=${filter} excludes all ${all} models`, [], 'filtered')
}
