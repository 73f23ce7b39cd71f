import { isEmbedding } from '#catalog/kinds.ts'
import { type DiscoveredEntry, readDiscovered } from '#catalog/discovery/discovered-file.ts'
import { readPrice } from '#catalog/read-price.ts'
import type { BackendSettings, ModelSettings, RouteSettings } from '#catalog/settings.ts'
import type { Findings } from './backends.ts'
import type { ConfigFile } from './schema.ts'
import { readModels, readRoute } from './sections.ts'

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
    if (backends[backend] === undefined) continue
    for (const { upstream_model, status, price: written, ...facts } of entries) {
      const { id } = facts
      const embedding = isEmbedding(facts.capabilities ?? [])
      const faults: string[] = []
      if (written) readPrice(written, `${id}.price`, faults, embedding)
      findings.warnings.push(...faults.map((fault) => `backends.${backend}: discovered: ${fault}`))
      // A price that cannot be read is no price, and never a price of nothing.
      const price = written && faults.length === 0 ? { price: written } : {}
      if (!known.has(id)) models.push(...readModels([{ ...facts, ...price }], []))
      known.add(id)
      if (routed.has(`${backend}:${id}`)) continue
      routes.push(readRoute({ model: id, backend, upstream_model, status, ...price }, id, embedding, []))
    }
  }
}
