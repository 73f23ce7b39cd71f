import type { BackendSettings, ModelSettings, RouteSettings } from '#catalog/settings.ts'
import type { ConfigFile } from './schema.ts'

/**
 * One line for each chain of fallbacks whose members are all on one bill: when that account has no money, all of them fail together (B11).
 * A chain with a member whose backend is not written down is left out.
 */
export function oneBillWarnings(
  file: ConfigFile,
  models: readonly ModelSettings[],
  routes: readonly RouteSettings[],
  backends: Readonly<Record<string, BackendSettings>>,
): string[] {
  const domainsOf = (selector: string): readonly string[] => {
    const id = selector.split('?', 1)[0]!
    const named = backends[id.split(':', 1)[0]!]
    if (named && id.includes(':')) return [named.billingDomain]
    const bare = models.some((model) => model.id === id) ? id : id.replace(/:[\w-]+$/, '').replace(/-thinking$/, '')
    const used = routes.filter((route) => route.model === id || route.model === bare)
    return used.flatMap(({ backend }) => backends[backend]?.billingDomain ?? [])
  }
  const chains = [
    ...Object.entries(file.failover_routes ?? {}).map(
      ([name, { elements }]) => [`failover_routes.${name}`, elements] as const,
    ),
    ...models
      .filter(({ fallbacks }) => fallbacks.length > 0)
      .map(({ id, fallbacks }) => [`models "${id}".fallbacks`, [id, ...fallbacks]] as const),
  ]
  const warnings = chains.flatMap(([path, members]) => {
    const domains = members.map(domainsOf)
    const all = new Set(domains.flat())
    if (members.length < 2 || domains.some((each) => each.length === 0) || all.size !== 1) return []
    return [`${path}: all members are on the bill of "${[...all][0]}", and fail together when it is not paid`]
  })
  for (const { id, breakGlass = [] } of models) {
    const own = new Set(domainsOf(id))
    for (const { use } of breakGlass) {
      const domain = backends[use]?.billingDomain
      const others = routes.filter((route) => route.model === id && route.backend !== use)
      const isShared = others.length > 0 && others.every(({ backend }) => backends[backend]?.billingDomain === domain)
      if (domain !== undefined && own.has(domain) && isShared)
        warnings.push(`models "${id}".break_glass: "${use}" is on the bill of "${domain}" as all other backends are`)
    }
  }
  return warnings
}
