import { GatewayError } from '#base/errors.ts'
import { id } from '#base/ids.ts'
import { routeObject } from '#catalog/listings/route-object.ts'
import { managedRoute, type ManagedRoute } from '#config/managed-routes.ts'
import type { Answer, Call, ManagedRoutes, MasterActor } from './call.ts'
import { validate } from './validate.ts'

/** More routes than anybody keeps over the API; the file has no such bound. */
export const MANAGED_ROUTES_MAX = 10_000

/** `GET /api/admin/routes`: those of the API with their ids, and all that are in force, wherever they come from. */
export function listRoutes(call: Call<MasterActor>): Answer {
  const active = [...call.deps.catalog.current.routes.values()].flat().map(routeObject)
  return { body: { data: routesOf(call).current, active } }
}

/** `POST /api/admin/routes`: a route in the words of the file; in force when it is answered. */
export async function createRoute(call: Call<MasterActor>): Promise<Answer> {
  const routes = routesOf(call)
  const route = validate(managedRoute, { ...bodyOf(call), id: id('route') })
  if (routes.current.length >= MANAGED_ROUTES_MAX) {
    throw new GatewayError(
      'invalid_request',
      `There are ${MANAGED_ROUTES_MAX} routes already; write more into the file.`,
    )
  }
  await routes.replace([...routes.current, route], route.id)
  return { status: 201, body: route }
}

/** One of them, as the audit log shows what was. Throws not_found. */
export const readRoute = (call: Call<MasterActor>): Answer => ({ body: existing(call, routesOf(call)) })

/** `PATCH /api/admin/routes/{id}`: the members that are named; null takes one away. */
export async function changeRoute(call: Call<MasterActor>): Promise<Answer> {
  const routes = routesOf(call)
  const before = existing(call, routes)
  const merged = Object.entries({ ...before, ...bodyOf(call), id: before.id }).filter(([, value]) => value !== null)
  const route = validate(managedRoute, Object.fromEntries(merged))
  const next = routes.current.map((each) => (each.id === route.id ? route : each))
  await routes.replace(next, route.id)
  return { body: route }
}

/** `DELETE /api/admin/routes/{id}` */
export async function removeRoute(call: Call<MasterActor>): Promise<Answer> {
  const routes = routesOf(call)
  const { id: removed } = existing(call, routes)
  await routes.replace(
    routes.current.filter((each) => each.id !== removed),
    null,
  )
  return { body: { deleted: true, id: removed } }
}

function routesOf({ deps }: Call<MasterActor>): ManagedRoutes {
  if (deps.managedRoutes) return deps.managedRoutes
  throw new GatewayError('not_found', 'Routes are managed by a running gateway only.')
}

function existing({ params }: Call<MasterActor>, { current }: ManagedRoutes): ManagedRoute {
  const found = current.find((route) => route.id === params['id'])
  if (!found) throw new GatewayError('not_found', `There is no route ${params['id']} of the API.`)
  return found
}

function bodyOf({ body }: Call<MasterActor>): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>
  throw new GatewayError('invalid_request', 'The body must be a JSON object.')
}
