import { ONE_PPM, withAccountFactor } from '#base/factors.ts'
import type { Route } from '#catalog/types.ts'

/** Accounts' own prices of one route that are kept; beyond them they are made anew. */
export const PRICED_ROUTES_MAX = 100

const priced = new WeakMap<Route, Map<bigint, Route>>()

/** The route at the price that an account with this factor pays (R93); itself where the factor is 1. The same route for the same factor. */
export function routeFor(route: Route, factor: bigint | undefined): Route {
  if (factor === undefined || factor === ONE_PPM || route.price === null) return route
  let known = priced.get(route)
  if (!known) priced.set(route, (known = new Map()))
  let own = known.get(factor)
  if (!own) {
    if (known.size >= PRICED_ROUTES_MAX) known.clear()
    known.set(factor, (own = { ...route, price: withAccountFactor(route.price, factor) }))
  }
  return own
}
