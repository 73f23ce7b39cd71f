import { z } from 'zod'
import type { RouteSettings } from '#catalog/settings.ts'
import { DEFAULT_GROUP } from '#catalog/kinds.ts'
import type { Findings } from './backends.ts'
import { type RouteFile, routeSchema } from './schema.ts'

/** A route that was made over the API and stands in the database; what the file says of the same place stands above it (R64). */
export type ManagedRoute = RouteFile & { readonly id: string }

export const managedRoute = routeSchema.extend({ id: z.string().min(1) })

/** Checks one entry and adds it to the routes; faults are pushed to the findings' errors. */
export type AddRoute = (entry: RouteFile, path: string, routes: RouteSettings[], findings: Findings) => void

/**
 * Lays routes of the database below those of the file. One that has become wrong (its backend is gone) is told and left out,
 * so that it cannot keep a gateway from starting.
 */
export function addManaged(
  managed: readonly ManagedRoute[],
  routes: RouteSettings[],
  findings: Findings,
  add: AddRoute,
): void {
  const placeOf = ({ model, backend, group = DEFAULT_GROUP }: Pick<RouteFile, 'model' | 'backend' | 'group'>): string =>
    JSON.stringify([model, backend, group])
  const written = new Set(routes.map(placeOf))
  for (const { id, ...entry } of managed) {
    const path = managedPath(id)
    if (written.has(placeOf(entry))) {
      findings.warnings.push(`${path}: the file has a route of this model, backend and group, which counts`)
      continue
    }
    const own: Findings = { errors: [], warnings: [] }
    const added: RouteSettings[] = []
    add(entry, path, added, own)
    findings.warnings.push(...own.warnings, ...own.errors)
    if (own.errors.length === 0) routes.push(...added)
  }
}

/** How faults and remarks about a managed route begin. */
export const managedPath = (id: string): string => `managed route ${id}`
