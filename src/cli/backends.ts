import { buildCatalog } from '#catalog/catalog.ts'
import { accept, compareWithUpstream } from '#catalog/discovery/sync-regularly.ts'
import type { Proposal } from '#catalog/discovery/sync.ts'
import { routeObject } from '#catalog/listings/route-object.ts'
import type { Catalog } from '#catalog/types.ts'
import { loadConfig } from '#config/load.ts'
import { nearest } from '#config/suggest.ts'
import type { Settings } from '#config/types.ts'
import { ANY_SIMULATOR_URL } from './catalog.ts'
import { CliError } from './failure.ts'
import { json, table } from './output.ts'
import type { Run } from './program.ts'

function open(run: Run): { settings: Settings; catalog: Catalog } {
  const { settings } = loadConfig({ flags: run.flags, env: run.env, cwd: run.cwd })
  return { settings, catalog: buildCatalog(settings, { simulatorUrl: ANY_SIMULATOR_URL, nowMs: Date.now() }) }
}

/** `trivium backends list`: the backends of this configuration; never a credential. */
export function listBackends(run: Run): void {
  const { settings, catalog } = open(run)
  const routes = [...catalog.routes.values()].flat()
  const backends = [...catalog.backends.values()].map((backend) => ({
    id: backend.id,
    type: backend.type,
    api_url: backend.type === 'simulator' ? null : backend.apiUrl,
    protocols: backend.protocols,
    enabled: backend.enabled,
    credentials: backend.credentials.length,
    routes: routes.filter((route) => route.backend.id === backend.id).length,
    auto_sync: settings.catalog.backends[backend.id]?.autoSync ?? false,
  }))
  if (run.json) return run.out(json({ data: backends }))
  const rows = backends.map((one) => [
    one.id,
    one.type,
    one.enabled,
    one.credentials,
    one.routes,
    one.auto_sync,
    one.api_url,
  ])
  run.out(table(['backend', 'type', 'enabled', 'keys', 'routes', 'auto sync', 'base url'], rows))
}

/** `trivium routes list`: model by model, in the order in which routes are tried. */
export function listRoutes(run: Run): void {
  const routes = [...open(run).catalog.routes.values()].flat().map(routeObject)
  if (run.json) return run.out(json({ data: routes }))
  const rows = routes.map((one) => [
    one.model,
    one.backend,
    one.group,
    one.upstream_model,
    one.priority,
    one.weight,
    one.input,
    one.output,
  ])
  run.out(table(['model', 'backend', 'group', 'upstream model', 'priority', 'weight', 'input', 'output'], rows))
}

/**
 * `trivium backends sync`: what the upstream's own list would change, and with `--accept` or `auto_sync: true` the change
 * itself. A running gateway on the same data folder takes it over by itself (R56).
 */
export async function syncBackend(run: Run, wanted: string, options: Record<string, unknown>): Promise<void> {
  const { settings, catalog } = open(run)
  const backend = catalog.backends.get(wanted)
  if (backend === undefined) {
    const near = nearest(wanted, catalog.backends.keys())
    throw new CliError(`there is no backend ${wanted}${near ? `; did you mean ${near}?` : ''}`)
  }
  const { before, proposals, remarks, listed } = await compareWithUpstream(backend, settings.dataDir).catch(
    (thrown: unknown) => {
      throw new CliError((thrown as Error).message)
    },
  )
  const accepted = choose(proposals, options['accept'], settings.catalog.backends[wanted]?.autoSync ?? false)
  if (accepted.length > 0) accept(wanted, settings.dataDir, before, accepted)
  if (run.json)
    return run.out(json({ backend: wanted, listed, proposals, accepted: accepted.map(({ id }) => id), remarks }))
  for (const remark of remarks) run.error(`trivium: note: ${remark}`)
  const isAccepted = new Set(accepted)
  const rows = proposals.map((one) => [
    one.change,
    one.id,
    one.model.context_window,
    one.model.price?.['input'],
    one.model.price?.['output'],
    isAccepted.has(one),
  ])
  if (proposals.length > 0) run.out(table(['change', 'model', 'context', 'input', 'output', 'accepted'], rows))
  run.out(`${listed} models listed, ${proposals.length} changes, ${accepted.length} accepted.`)
}

function choose(proposals: readonly Proposal[], wish: unknown, auto: boolean): readonly Proposal[] {
  if (wish === 'all' || (wish === undefined && auto)) return proposals
  if (typeof wish !== 'string') return []
  const ids = wish
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '')
  const byId = new Map(proposals.map((one) => [one.id, one]))
  const unknown = ids.filter((id) => !byId.has(id))
  if (unknown.length > 0) throw new CliError(`nothing is proposed for ${unknown.join(', ')}`)
  return ids.map((id) => byId.get(id)!)
}
