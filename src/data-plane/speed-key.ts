import type { Route } from '#catalog/types.ts'

/** One text per route, made once: every stream that ends asks for it. */
const keys = new WeakMap<Route, string>()

/** Under this name the speed of a target is kept. */
export function speedKeyOf({ route }: { readonly route: Route }): string {
  let key = keys.get(route)
  if (key === undefined) keys.set(route, (key = `${route.backend.id} ${route.upstreamModel}`))
  return key
}
