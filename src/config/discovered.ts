import { isEmbedding } from '#catalog/kinds.ts'
import { type DiscoveredEntry, readDiscovered } from '#catalog/discovery/discovered-file.ts'
import { type Check, readChecked } from '#catalog/discovery/checked-file.ts'
import { findReference } from '#catalog/reference.ts'
import { findPreset } from '#providers/presets.ts'
import { readPrice } from '#catalog/read-price.ts'
import type { BackendSettings, ModelSettings, RouteSettings } from '#catalog/settings.ts'
import type { Findings } from './backends.ts'
import type { ConfigFile } from './schema.ts'
import { readModels, readRoute } from './sections.ts'

/** Lower wins (C8): a vendor's own list goes before that of a host which resells the same id. */
const RESELLER_PRIORITY = 10

/** Accepted models by backend (R56). */
export type DiscoveredModels = Readonly<Record<string, readonly DiscoveredEntry[]>>

/** What syncs wrote for the backends of the file. A file that cannot be used is told and left alone. */
export function readAllDiscovered(
  dataDir: string,
  { backends = {} }: ConfigFile,
  warnings: string[],
): DiscoveredModels {
  const found: Record<string, readonly DiscoveredEntry[]> = {}
  for (const id of Object.keys(backends)) {
    try {
      const file = readDiscovered(dataDir, id)
      if (file !== null) found[id] = file.models
    } catch (thrown) {
      warnings.push(`backends.${id}: ${(thrown as Error).message}`)
    }
  }
  return found
}

/** What live checks found (R121). A file that cannot be used is told and left alone. */
export function readChecks(dataDir: string, warnings: string[]): readonly Check[] {
  try {
    return readChecked(dataDir)
  } catch (thrown) {
    warnings.push((thrown as Error).message)
    return []
  }
}

/**
 * Lays discovered models below those of the file: a model or a route that the file names stays as it is there. A price goes
 * with the route too, because two upstreams may sell the same id.
 */
export function addDiscovered(
  discovered: DiscoveredModels,
  backends: Readonly<Record<string, BackendSettings>>,
  models: ModelSettings[],
  routes: RouteSettings[],
  findings: Findings,
): void {
  const known = new Set(models.map(({ id }) => id))
  const routed = new Set(routes.map(({ model, backend }) => `${backend}:${model}`))
  for (const [backend, entries] of Object.entries(discovered)) {
    const type = backends[backend]?.type
    if (type === undefined) continue
    const priority = findPreset(type)?.vendor == null ? RESELLER_PRIORITY : 0
    for (const { upstream_model, status, price: written, ...facts } of entries) {
      const { id } = facts
      const embedding = isEmbedding(facts.capabilities ?? [])
      const faults: string[] = []
      if (written) readPrice(written, `${id}.price`, faults, embedding)
      findings.warnings.push(...faults.map((fault) => `backends.${backend}: discovered: ${fault}`))
      // A price that cannot be read is no price, and never a price of nothing.
      const price = written && faults.length === 0 ? { price: written } : {}
      // A host that resells a known model must not set the price of its maker's own routes.
      const ofModel = type === 'openrouter' || findReference(id, Date.now()) === undefined ? price : {}
      if (!known.has(id)) models.push(...readModels([{ ...facts, ...ofModel }], []))
      known.add(id)
      if (routed.has(`${backend}:${id}`)) continue
      routes.push(readRoute({ model: id, backend, upstream_model, status, priority, ...price }, id, embedding, []))
    }
  }
}
