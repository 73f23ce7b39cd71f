import { createHash } from 'node:crypto'
import { publicCatalog } from '#catalog/listings/public-catalog.ts'
import { parseRouteGroups } from '#catalog/listings/select.ts'
import type { Catalog } from '#catalog/types.ts'
import type { StatsSnapshot } from '#analytics/target-stats.ts'
import type { Answer, Call } from './call.ts'
import { targetStatsOf } from './reader.ts'
import { statsObject } from './stats-object.ts'

/** How long a reader may keep the list; a change of routes is seen after it at the latest, here at once (R46). */
export const CATALOG_MAX_AGE_SECONDS = 60

/** Distinct group filters whose answers are kept per snapshot; the parameter is anybody's to vary. */
export const CATALOG_VARIANTS_MAX = 16

const ORIGIN_HEADERS = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'etag, x-request-id' }

interface Variant {
  readonly text: string
  readonly etag: string
}

/** Of one snapshot of the catalog, with the figures it was written with. */
interface Variants {
  readonly stats: StatsSnapshot | null
  readonly byGroups: Map<string, Variant>
}

const variants = new WeakMap<Catalog, Variants>()

/** `GET /catalog/models`: the public list, the only path open to other origins (R20, R46 to R48). */
export async function readCatalog(call: Call): Promise<Answer> {
  const { text, etag } = variantOf(call, await targetStatsOf(call))
  const headers = { ...ORIGIN_HEADERS, etag, 'cache-control': `public, max-age=${CATALOG_MAX_AGE_SECONDS}` }
  if (isKnown(call.headers['if-none-match'], etag)) return { status: 304, headers, body: undefined }
  return { headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body: text }
}

/** The preflight of a browser that adds headers of its own. */
export const allowCatalogOrigins = (): Answer => ({
  status: 204,
  headers: {
    ...ORIGIN_HEADERS,
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': '*',
    'access-control-max-age': '600',
  },
  body: undefined,
})

/** The answer changes with the snapshots only, so it is written and digested once for each and every filter. */
function variantOf({ deps, query }: Call, stats: StatsSnapshot | null): Variant {
  const catalog = deps.catalog.current
  const { currency } = deps.settings
  const routeGroups = query['route_groups']
  const name = [...(parseRouteGroups(routeGroups) ?? [])].sort().join(',')
  let kept = variants.get(catalog)
  if (!kept || kept.stats !== stats) variants.set(catalog, (kept = { stats, byGroups: new Map() }))
  const known = kept.byGroups.get(name)
  if (known) return known
  const statsOf = (modelId: string): object | null => {
    const figures = stats?.ofModel(modelId)
    return figures ? statsObject(figures) : null
  }
  const text = JSON.stringify(
    publicCatalog(catalog, { ...(routeGroups === undefined ? {} : { routeGroups }), currency, statsOf }),
  )
  const fresh = { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` }
  if (kept.byGroups.size < CATALOG_VARIANTS_MAX) kept.byGroups.set(name, fresh)
  return fresh
}

/** Proxies that recompress mark the tag as weak; the list is the same. */
function isKnown(ifNoneMatch: string | readonly string[] | undefined, etag: string): boolean {
  const tags = String(ifNoneMatch ?? '').split(',')
  return tags.some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}
