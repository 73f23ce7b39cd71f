import { formatPricePerMillion } from '#base/money.ts'
import type { Route } from '#catalog/types.ts'

/** A route as operators see it: by the command, and over the API. Prices in USD per million tokens; null: none. */
export const routeObject = (route: Route) => ({
  model: route.model.id,
  backend: route.backend.id,
  group: route.group,
  upstream_model: route.upstreamModel,
  protocols: route.protocols,
  priority: route.priority,
  weight: route.weight,
  input: route.price && formatPricePerMillion(route.price.input),
  output: route.price && formatPricePerMillion(route.price.output),
})
