import { z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import type { Route } from '#catalog/types.ts'
import { fetchEndpoints, tellsEndpoints } from '#providers/fetch-endpoints.ts'
import type { Answer, Call, MasterActor } from './call.ts'
import { validate } from './validate.ts'

const QUERY = z.object({ model: z.string().min(1) })

/**
 * `GET /api/admin/upstream-endpoints?model=`: who serves a model behind each OpenRouter backend that it is routed to, as OpenRouter
 * tells it now (R105). A backend that cannot be asked says so in its place.
 */
export async function readUpstreamEndpoints(call: Call<MasterActor>): Promise<Answer> {
  const { model } = validate(QUERY, call.query)
  const { routes } = call.deps.catalog.current
  const found = routes.get(model)
  if (!found) throw new GatewayError('model_not_found', `There is no model '${model.slice(0, 128)}'.`)
  const asked = found.filter(({ backend, active }) => active && tellsEndpoints(backend))
  return { body: { model, data: await Promise.all(asked.map(endpointsOf)) } }
}

async function endpointsOf({ backend, upstreamModel }: Route): Promise<Record<string, unknown>> {
  const about = { backend: backend.id, upstream_model: upstreamModel }
  try {
    return { ...about, endpoints: await fetchEndpoints(backend, upstreamModel), error: null }
  } catch (thrown) {
    return { ...about, endpoints: null, error: (thrown as Error).message }
  }
}
