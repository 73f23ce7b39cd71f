import type { Catalog, Model } from '#catalog/types.ts'
import type { Selection } from './resolve.ts'

/** Carries the faults that a name asks for. */
const CARRIER = 'test/echo'
const FAULT_MODEL = /^(?:sim|test|mock)\/fault-([\w=|-]{1,100})$/

/** What a model's name asks to go wrong (`sim/fault-429` -> `429`), or null. */
const faultOfName = (name: string): string | null => FAULT_MODEL.exec(name)?.[1] ?? null

/**
 * Names of the fault lab that no list shows (B12): `mock/x` is `test/x` or `sim/x`, and `sim/fault-x` is an answer that goes
 * wrong. Null for all others, and where no simulator runs.
 */
export function labModel(catalog: Catalog, requested: string, group: string): Selection | null {
  if (requested.startsWith('mock/')) {
    const bare = requested.slice('mock/'.length)
    for (const id of [`test/${bare}`, `sim/${bare}`]) {
      const [model, routes] = [catalog.models.get(id), catalog.routes.get(id)]
      if (model && routes) return { model, routes, group }
    }
  }
  const carrier = catalog.models.get(CARRIER)
  const fault = faultOfName(requested)
  if (!carrier || fault === null) return null
  const model: Model = { ...carrier, id: requested, displayName: requested }
  const routes = (catalog.routes.get(CARRIER) ?? []).map((route) => ({ ...route, model, upstreamModel: requested }))
  return routes.length > 0 ? { model, routes, group, fault } : null
}
